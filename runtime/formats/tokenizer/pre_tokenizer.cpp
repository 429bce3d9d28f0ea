// Reads a pre-tokenizer and splits text with its steps.
#include "runtime/formats/tokenizer/pre_tokenizer.h"

#include "runtime/formats/io.h"
#include "runtime/formats/tokenizer/tokenizer_fields.h"
#include "runtime/formats/tokenizer/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace nibble {
namespace {

// The expression of GPT-2, which ByteLevel applies with `use_regex`.
constexpr std::string_view kGpt2Expression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

Result<SplitBehavior> parseBehavior(const std::string &name) {
  if (name == "Removed")
    return SplitBehavior::kRemoved;
  if (name == "Isolated")
    return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious")
    return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext")
    return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous")
    return SplitBehavior::kContiguous;
  return Status::badInput(fmt::format("Split has behavior '{}': known are "
                                      "Removed, Isolated, MergedWithPrevious, "
                                      "MergedWithNext, Contiguous",
                                      printable(name)));
}

// A match absorbs the piece before it (or, in the other direction, after it)
// once.
template <typename Merge>
std::vector<Piece> mergeMatches(const std::vector<Piece> &pieces, Merge merge) {
  std::vector<Piece> out;
  bool previousMatch = false;
  for (const Piece &piece : pieces) {
    if (piece.isMatch && !previousMatch && !out.empty())
      merge(out.back(), piece);
    else
      out.push_back(piece);
    previousMatch = piece.isMatch;
  }
  return out;
}

} // namespace

std::vector<Piece> applyBehavior(std::vector<Piece> pieces,
                                 SplitBehavior behavior) {
  switch (behavior) {
  case SplitBehavior::kIsolated:
    break;
  case SplitBehavior::kRemoved:
    std::erase_if(pieces, [](const Piece &piece) { return piece.isMatch; });
    break;
  case SplitBehavior::kMergedWithPrevious:
    pieces = mergeMatches(
        pieces, [](Piece &last, const Piece &piece) { last.end = piece.end; });
    break;
  case SplitBehavior::kMergedWithNext:
    std::ranges::reverse(pieces);
    pieces = mergeMatches(pieces, [](Piece &last, const Piece &piece) {
      last.begin = piece.begin;
    });
    std::ranges::reverse(pieces);
    break;
  case SplitBehavior::kContiguous: {
    std::vector<Piece> out;
    for (const Piece &piece : pieces) {
      if (!out.empty() && out.back().isMatch == piece.isMatch)
        out.back().end = piece.end;
      else
        out.push_back(piece);
    }
    pieces = std::move(out);
    break;
  }
  }
  std::erase_if(pieces,
                [](const Piece &piece) { return piece.begin == piece.end; });
  return pieces;
}

Result<Metaspace> Metaspace::create(const Json &value) {
  Metaspace out;
  NIBBLE_ASSIGN(out.replacement, fields::text(value, "replacement"));
  if (out.replacement.empty() || stepUtf8(out.replacement).bytes !=
                                     static_cast<int>(out.replacement.size()))
    return Status::badInput(
        fmt::format("Metaspace has replacement '{}': want one character",
                    printable(out.replacement)));
  std::string scheme = "always";
  if (value.contains("prepend_scheme")) {
    NIBBLE_ASSIGN(scheme, fields::text(value, "prepend_scheme"));
  }
  if (scheme != "always" && scheme != "first" && scheme != "never")
    return Status::badInput(fmt::format(
        "Metaspace has prepend_scheme '{}': known are always, first, never",
        printable(scheme)));
  out.prepend = scheme == "always"  ? Prepend::kAlways
                : scheme == "first" ? Prepend::kFirst
                                    : Prepend::kNever;
  NIBBLE_ASSIGN(bool addPrefixSpace,
                fields::flag(value, "add_prefix_space", true));
  if (!addPrefixSpace && out.prepend != Prepend::kNever)
    return Status::badInput(fmt::format("Metaspace has add_prefix_space false "
                                        "and prepend_scheme {}; remove one",
                                        scheme));
  NIBBLE_ASSIGN(out.split, fields::flag(value, "split", true));
  return out;
}

Status PreTokenizer::addStep(const Json &value, bool isLast) {
  NIBBLE_ASSIGN(std::string type, fields::type(value));
  if (type == "Split") {
    NIBBLE_ASSIGN(fields::PatternText text, fields::pattern(value, "Split"));
    NIBBLE_ASSIGN(std::string behaviorName, fields::text(value, "behavior"));
    NIBBLE_ASSIGN(SplitBehavior behavior, parseBehavior(behaviorName));
    NIBBLE_ASSIGN(bool invert, fields::flag(value, "invert", false));
    NIBBLE_ASSIGN(Pattern pattern, Pattern::compile(text.expression()));
    steps_.push_back(Split{std::move(pattern), behavior, invert});
    return Status::ok();
  }
  if (type == "Digits") {
    NIBBLE_ASSIGN(bool individual,
                  fields::flag(value, "individual_digits", false));
    NIBBLE_ASSIGN(Pattern pattern, Pattern::compile(R"(\p{N})"));
    steps_.push_back(
        Split{std::move(pattern), individual ? SplitBehavior::kIsolated
                                             : SplitBehavior::kContiguous});
    return Status::ok();
  }
  if (type == "Metaspace") {
    NIBBLE_ASSIGN(Metaspace metaspace, Metaspace::create(value));
    steps_.push_back(std::move(metaspace));
    return Status::ok();
  }
  if (type == "ByteLevel") {
    if (!isLast)
      return Status::badInput("ByteLevel is not the last of the Sequence: "
                              "nothing can split bytes further; put it last");
    NIBBLE_ASSIGN(bool addPrefixSpace,
                  fields::flag(value, "add_prefix_space", true));
    NIBBLE_ASSIGN(bool useRegex, fields::flag(value, "use_regex", true));
    if (addPrefixSpace)
      steps_.push_back(PrefixSpace{});
    if (useRegex) {
      NIBBLE_ASSIGN(Pattern pattern, Pattern::compile(kGpt2Expression));
      steps_.push_back(Split{std::move(pattern), SplitBehavior::kIsolated});
    }
    isByteLevel_ = true;
    return Status::ok();
  }
  return Status::badInput(fmt::format("'{}' is not supported: known are null, "
                                      "Sequence, Split, Digits, Metaspace, "
                                      "ByteLevel",
                                      printable(type)));
}

Result<PreTokenizer> PreTokenizer::create(const Json &value) {
  PreTokenizer out;
  NIBBLE_ASSIGN(std::vector<const Json *> parts,
                fields::parts(value, "pretokenizers"));
  for (const Json *part : parts)
    NIBBLE_TRY(out.addStep(*part, part == parts.back()));
  return out;
}

// A piece between two steps.
struct PreTokenizer::Part {
  std::string_view text;
  bool isFirst; // whether it begins at the start of the encoded text
};

Status PreTokenizer::apply(const Split &step, const Part &part, Pieces &,
                           std::vector<Part> &out) {
  NIBBLE_ASSIGN(std::vector<Piece> found, step.pattern.findAll(part.text));
  if (step.invert)
    for (Piece &piece : found)
      piece.isMatch = !piece.isMatch;
  for (const Piece &piece : applyBehavior(std::move(found), step.behavior))
    out.push_back({part.text.substr(piece.begin, piece.end - piece.begin),
                   part.isFirst && piece.begin == 0});
  return Status::ok();
}

Status PreTokenizer::apply(const PrefixSpace &, const Part &part,
                           Pieces &pieces, std::vector<Part> &out) {
  bool hasSpace = part.text.starts_with(' ');
  out.push_back({hasSpace
                     ? part.text
                     : pieces.owned.emplace_back(" " + std::string(part.text)),
                 part.isFirst});
  return Status::ok();
}

Status PreTokenizer::apply(const Metaspace &step, const Part &part,
                           Pieces &pieces, std::vector<Part> &out) {
  std::string written;
  for (char c : part.text)
    c == ' ' ? written.append(step.replacement) : written.append(1, c);
  bool prepends = step.prepend == Metaspace::Prepend::kAlways ||
                  (step.prepend == Metaspace::Prepend::kFirst && part.isFirst);
  if (prepends && !written.starts_with(step.replacement))
    written.insert(0, step.replacement);
  std::string_view view = pieces.owned.emplace_back(std::move(written));
  for (size_t begin = 0; begin < view.size();) {
    size_t end = step.split ? view.find(step.replacement, begin + 1)
                            : std::string_view::npos;
    end = std::min(end, view.size());
    out.push_back(
        {view.substr(begin, end - begin), part.isFirst && begin == 0});
    begin = end;
  }
  return Status::ok();
}

Result<PreTokenizer::Pieces> PreTokenizer::split(std::string_view text,
                                                 bool isFirst) const {
  Pieces pieces;
  if (text.empty())
    return pieces;
  std::vector<Part> parts = {{text, isFirst}};
  for (const Step &step : steps_) {
    std::vector<Part> next;
    for (const Part &part : parts)
      NIBBLE_TRY(std::visit(
          [&](const auto &kind) { return apply(kind, part, pieces, next); },
          step));
    parts = std::move(next);
  }
  for (const Part &part : parts)
    pieces.views.push_back(part.text);
  return pieces;
}

} // namespace nibble
