// Reads a normalizer and applies its steps.
#include "runtime/formats/tokenizer/normalizer.h"

#include "runtime/formats/io.h"
#include "runtime/formats/tokenizer/tokenizer_fields.h"

#include <fmt/format.h>

namespace nibble {
namespace {

template <typename... Parts> struct Visitor : Parts... {
  using Parts::operator()...;
};

// Replaces each character by the result of `map`. Returns whether the first one
// produced any text.
template <typename Map> bool mapCharacters(std::string &text, Map map) {
  std::string out;
  out.reserve(text.size());
  bool keepsFront = true;
  for (size_t at = 0; at < text.size();) {
    Utf8Step step = stepUtf8(std::string_view(text).substr(at));
    size_t before = out.size();
    map(step.codePoint, out);
    if (at == 0)
      keepsFront = out.size() > before;
    at += step.bytes;
  }
  text = std::move(out);
  return keepsFront;
}

} // namespace

Result<Normalizer::Step> Normalizer::parse(const Json &value) {
  NIBBLE_ASSIGN(std::string type, fields::type(value));
  constexpr std::pair<const char *, UnicodeForm> forms[] = {
      {"NFC", UnicodeForm::kNfc},
      {"NFD", UnicodeForm::kNfd},
      {"NFKC", UnicodeForm::kNfkc},
      {"NFKD", UnicodeForm::kNfkd}};
  for (auto [name, form] : forms)
    if (type == name)
      return Step(Unicode{form});
  if (type == "Lowercase")
    return Step(Lowercase{});
  if (type == "StripAccents")
    return Step(StripAccents{});
  if (type == "Strip") {
    NIBBLE_ASSIGN(bool left, fields::flag(value, "strip_left", true));
    NIBBLE_ASSIGN(bool right, fields::flag(value, "strip_right", true));
    return Step(Strip{left, right});
  }
  if (type == "Prepend") {
    NIBBLE_ASSIGN(std::string text, fields::text(value, "prepend"));
    return Step(Prepend{std::move(text)});
  }
  if (type == "Replace") {
    NIBBLE_ASSIGN(TextReplacement replacement, TextReplacement::create(value));
    return Step(std::move(replacement));
  }
  return Status::badInput(fmt::format(
      "'{}' is not supported: known are null, Sequence, NFC, NFD, NFKC, NFKD, "
      "Lowercase, StripAccents, Strip, Prepend, Replace",
      printable(type)));
}

Result<Normalizer> Normalizer::create(const Json &value) {
  Normalizer normalizer;
  NIBBLE_ASSIGN(std::vector<const Json *> parts,
                fields::parts(value, "normalizers"));
  for (const Json *part : parts) {
    NIBBLE_ASSIGN(Step step, parse(*part));
    normalizer.steps_.push_back(std::move(step));
  }
  return normalizer;
}

Status Normalizer::apply(const Step &step, Normalized &normalized) {
  std::string &text = normalized.text;
  return std::visit(
      Visitor{
          [&](const Unicode &unicode) -> Status {
            NIBBLE_ASSIGN(text, normalizeUnicode(text, unicode.form));
            return Status::ok();
          },
          [&](const Lowercase &) {
            mapCharacters(text, [](char32_t c, std::string &out) {
              appendLowercase(c, out);
            });
            return Status::ok();
          },
          [&](const StripAccents &) {
            normalized.keepsFront &=
                mapCharacters(text, [](char32_t c, std::string &out) {
                  if (!isMark(c))
                    appendUtf8(c, out);
                });
            return Status::ok();
          },
          [&](const Strip &strip) {
            size_t begin = 0;
            size_t end = text.size();
            while (
                strip.left && begin < end &&
                isSpace(
                    stepUtf8(std::string_view(text).substr(begin)).codePoint))
              begin += stepUtf8(std::string_view(text).substr(begin)).bytes;
            while (strip.right && begin < end) {
              size_t last = previousCharacter(text, end);
              if (!isSpace(
                      stepUtf8(std::string_view(text).substr(last)).codePoint))
                break;
              end = last;
            }
            text = text.substr(begin, end - begin);
            normalized.keepsFront &= begin == 0;
            return Status::ok();
          },
          [&](const Prepend &prepend) {
            if (!text.empty())
              text.insert(0, prepend.text);
            return Status::ok();
          },
          [&](const TextReplacement &replacement) -> Status {
            NIBBLE_ASSIGN(TextReplacement::Replaced replaced,
                          replacement.apply(text));
            text = std::move(replaced.text);
            normalized.keepsFront &= replaced.keepsFront;
            return Status::ok();
          },
      },
      step);
}

Result<Normalizer::Normalized> Normalizer::apply(std::string_view text) const {
  Normalized normalized{std::string(text)};
  for (const Step &step : steps_)
    NIBBLE_TRY(apply(step, normalized));
  return normalized;
}

} // namespace nibble
