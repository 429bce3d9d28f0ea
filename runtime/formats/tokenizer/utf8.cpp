// Decodes, checks and normalizes UTF-8.
#include "runtime/formats/tokenizer/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

namespace nibble {
namespace {

uint8_t byteAt(std::string_view text, size_t i) {
  return static_cast<uint8_t>(text[i]);
}

int combiningClass(int32_t codePoint) {
  return utf8proc_get_property(codePoint)->combining_class;
}

// Below U+0300 nothing combines, and NFC reverses every decomposition. ASCII is
// the same in every form.
bool isSurelyNormal(std::string_view text, UnicodeForm form) {
  uint8_t limit = form == UnicodeForm::kNfc ? 0xCC : 0x80;
  return std::ranges::all_of(
      text, [&](char c) { return static_cast<uint8_t>(c) < limit; });
}

// Marks between two starters are sorted by class; equal classes keep their
// order.
void orderMarks(std::vector<int32_t> &codePoints) {
  auto moves = [](int32_t c) { return combiningClass(c) != 0; };
  for (auto first = codePoints.begin(); first != codePoints.end();) {
    first = std::find_if(first, codePoints.end(), moves);
    auto last = std::find_if_not(first, codePoints.end(), moves);
    // The sort key has the class in the high half and the position in the low
    // half.
    std::vector<std::pair<uint64_t, int32_t>> marks;
    for (auto it = first; it != last; ++it)
      marks.emplace_back(uint64_t{static_cast<uint32_t>(combiningClass(*it))}
                                 << 32 |
                             marks.size(),
                         *it);
    std::ranges::sort(marks);
    for (auto [key, mark] : marks)
      *first++ = mark;
  }
}

} // namespace

Utf8Step stepUtf8(std::string_view text) {
  using enum Utf8Step::Kind;
  uint8_t lead = byteAt(text, 0);
  if (lead < 0x80)
    return {kCharacter, 1, lead};
  int length = lead >= 0xC2 && lead <= 0xDF   ? 2
               : (lead & 0xF0) == 0xE0        ? 3
               : lead >= 0xF0 && lead <= 0xF4 ? 4
                                              : 0;
  if (length == 0)
    return {kInvalid, 1, 0};
  // The bounds of the second byte exclude overlong forms, surrogates and code
  // points above U+10FFFF.
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  char32_t codePoint = lead & (0xFF >> (length + 1));
  for (int i = 1; i < length; ++i) {
    if (static_cast<size_t>(i) == text.size())
      return {kIncomplete, i, 0};
    uint8_t next = byteAt(text, i);
    if (next < low || next > high)
      return {kInvalid, i, 0};
    codePoint = codePoint << 6 | (next & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {kCharacter, length, codePoint};
}

std::optional<size_t> findInvalidUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    Utf8Step step = stepUtf8(text.substr(at));
    if (step.kind != Utf8Step::Kind::kCharacter)
      return at;
    at += step.bytes;
  }
  return std::nullopt;
}

void appendLossy(std::string_view bytes, std::string &out, std::string *held) {
  for (size_t at = 0; at < bytes.size();) {
    Utf8Step step = stepUtf8(bytes.substr(at));
    if (step.kind == Utf8Step::Kind::kCharacter)
      out.append(bytes, at, step.bytes);
    else if (step.kind == Utf8Step::Kind::kIncomplete && held)
      held->assign(bytes, at, step.bytes);
    else
      out.append(kReplacementCharacter);
    at += step.bytes;
  }
}

void appendUtf8(char32_t codePoint, std::string &out) {
  utf8proc_uint8_t bytes[4];
  utf8proc_ssize_t length =
      utf8proc_encode_char(static_cast<int32_t>(codePoint), bytes);
  out.append(reinterpret_cast<const char *>(bytes), length);
}

bool isSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool isWord(char32_t c) {
  if (c == 0x200C || c == 0x200D)
    return true;
  switch (utf8proc_category(static_cast<int32_t>(c))) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_PC:
    return true;
  default:
    return false;
  }
}

bool isMark(char32_t c) {
  utf8proc_category_t category = utf8proc_category(static_cast<int32_t>(c));
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
         category == UTF8PROC_CATEGORY_ME;
}

void appendLowercase(char32_t c, std::string &out) {
  // Dotted capital I is the only character whose lower case is two characters.
  if (c == 0x130)
    out += "i\u0307";
  else
    appendUtf8(static_cast<char32_t>(utf8proc_tolower(static_cast<int32_t>(c))),
               out);
}

size_t previousCharacter(std::string_view text, size_t end) {
  do
    --end;
  while (end > 0 && (text[end] & 0xC0) == 0x80);
  return end;
}

Result<std::string> normalizeUnicode(std::string_view text, UnicodeForm form) {
  bool composes = form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc;
  bool isCompatible = form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd;
  if (isSurelyNormal(text, form))
    return std::string(text);
  // utf8proc sorts marks by exchanging neighbours, which takes quadratic time.
  // Here it receives them in order.
  auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE |
                                     (isCompatible ? UTF8PROC_COMPAT : 0));
  std::vector<int32_t> codePoints;
  codePoints.reserve(text.size() + 1);
  for (size_t at = 0; at < text.size();) {
    Utf8Step step = stepUtf8(text.substr(at));
    int32_t parts[32];
    int boundary = 0;
    utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<int32_t>(step.codePoint), parts,
                                std::size(parts), options, &boundary);
    if (count < 0 || count > static_cast<utf8proc_ssize_t>(std::size(parts)))
      return Status::failed("cannot normalize text at byte " +
                            std::to_string(at) + ": " + utf8proc_errmsg(count) +
                            "; correct the text");
    codePoints.insert(codePoints.end(), parts, parts + count);
    at += step.bytes;
  }
  orderMarks(codePoints);
  utf8proc_ssize_t length = static_cast<utf8proc_ssize_t>(codePoints.size());
  if (composes)
    length = utf8proc_normalize_utf32(
        codePoints.data(), length,
        static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  if (length < 0)
    return Status::failed(std::string("cannot normalize text: ") +
                          utf8proc_errmsg(length) + "; correct the text");
  std::string out;
  out.reserve(text.size());
  for (utf8proc_ssize_t i = 0; i < length; ++i)
    appendUtf8(static_cast<char32_t>(codePoints[i]), out);
  return out;
}

} // namespace nibble
