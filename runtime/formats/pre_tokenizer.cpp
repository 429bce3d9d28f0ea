#include "runtime/formats/pre_tokenizer.h"

#include "runtime/formats/io.h"
#include "runtime/formats/tokenizer_fields.h"

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
  return Status::badInput(fmt::format("Split has behavior '{}': known are Removed, Isolated, MergedWithPrevious, "
                                      "MergedWithNext, Contiguous",
                                      printable(name)));
}

// A regular expression that matches exactly `text`.
std::string escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::string_view(R"(\.+*?()|[]{}^$#&-~ )").find(c) != std::string_view::npos)
      out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

Result<std::string> parseExpression(const Json &split) {
  auto it = split.find("pattern");
  if (it == split.end() || !it->is_object() || it->size() != 1 || !it->begin()->is_string())
    return Status::badInput("Split has no pattern: want {\"Regex\": \"...\"} or {\"String\": \"...\"}");
  const std::string &text = it->begin()->get_ref<const std::string &>();
  if (it->begin().key() == "Regex")
    return text;
  if (it->begin().key() == "String")
    return escape(text);
  return Status::badInput(
      fmt::format("Split has a pattern of kind '{}': want Regex or String", printable(it->begin().key())));
}

// A match takes the piece before it (or, from the other side, after it) along, once.
template <typename Merge> std::vector<Piece> mergeMatches(const std::vector<Piece> &pieces, Merge merge) {
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

std::vector<Piece> applyBehavior(std::vector<Piece> pieces, SplitBehavior behavior) {
  switch (behavior) {
  case SplitBehavior::kIsolated:
    break;
  case SplitBehavior::kRemoved:
    std::erase_if(pieces, [](const Piece &piece) { return piece.isMatch; });
    break;
  case SplitBehavior::kMergedWithPrevious:
    pieces = mergeMatches(pieces, [](Piece &last, const Piece &piece) { last.end = piece.end; });
    break;
  case SplitBehavior::kMergedWithNext:
    std::ranges::reverse(pieces);
    pieces = mergeMatches(pieces, [](Piece &last, const Piece &piece) { last.begin = piece.begin; });
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
  std::erase_if(pieces, [](const Piece &piece) { return piece.begin == piece.end; });
  return pieces;
}

Status PreTokenizer::addStep(const Json &value, bool last) {
  NIBBLE_ASSIGN(std::string type, fields::type(value));
  if (type == "Split") {
    NIBBLE_ASSIGN(std::string expression, parseExpression(value));
    NIBBLE_ASSIGN(std::string behaviorName, fields::text(value, "behavior"));
    NIBBLE_ASSIGN(SplitBehavior behavior, parseBehavior(behaviorName));
    NIBBLE_ASSIGN(bool invert, fields::flag(value, "invert", false));
    NIBBLE_ASSIGN(Pattern pattern, Pattern::compile(expression));
    steps_.push_back({std::move(pattern), behavior, invert});
    return Status::ok();
  }
  if (type == "Digits") {
    NIBBLE_ASSIGN(bool individual, fields::flag(value, "individual_digits", false));
    NIBBLE_ASSIGN(Pattern pattern, Pattern::compile(R"(\p{N})"));
    steps_.push_back({std::move(pattern), individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous});
    return Status::ok();
  }
  if (type == "ByteLevel") {
    if (!last)
      return Status::badInput("ByteLevel is not the last of the Sequence: nothing can split bytes further");
    NIBBLE_ASSIGN(bool addPrefixSpace, fields::flag(value, "add_prefix_space", true));
    NIBBLE_ASSIGN(bool useRegex, fields::flag(value, "use_regex", true));
    if (useRegex) {
      NIBBLE_ASSIGN(Pattern pattern, Pattern::compile(kGpt2Expression));
      steps_.push_back({std::move(pattern), SplitBehavior::kIsolated, false, addPrefixSpace});
    } else {
      addPrefixSpaceOnly_ = addPrefixSpace;
    }
    return Status::ok();
  }
  return Status::badInput(
      fmt::format("'{}' is not supported: known are Sequence, Split, Digits, ByteLevel", printable(type)));
}

Result<PreTokenizer> PreTokenizer::create(const Json &value) {
  PreTokenizer out;
  if (value.is_null())
    return Status::badInput("pre_tokenizer is null: only byte-level tokenizers are supported");
  NIBBLE_ASSIGN(std::string type, fields::type(value));
  std::vector<const Json *> parts = {&value};
  if (type == "Sequence") {
    NIBBLE_ASSIGN(parts, fields::items(value, "pretokenizers"));
  }
  for (const Json *part : parts)
    NIBBLE_TRY(out.addStep(*part, part == parts.back()).within("pre_tokenizer"));
  if (parts.empty() || parts.back()->value("type", "") != "ByteLevel")
    return Status::badInput("pre_tokenizer does not end with ByteLevel: only byte-level tokenizers are supported");
  return out;
}

Result<PreTokenizer::Pieces> PreTokenizer::split(std::string_view text) const {
  Pieces pieces;
  if (text.empty())
    return pieces;
  auto withSpace = [&](std::string_view view) -> std::string_view {
    return view.starts_with(' ') ? view : pieces.owned.emplace_back(" " + std::string(view));
  };
  pieces.views.push_back(text);
  for (const Step &step : steps_) {
    std::vector<std::string_view> next;
    for (std::string_view view : pieces.views) {
      if (step.addPrefixSpace)
        view = withSpace(view);
      NIBBLE_ASSIGN(std::vector<Piece> found, step.pattern.findAll(view));
      if (step.invert)
        for (Piece &piece : found)
          piece.isMatch = !piece.isMatch;
      for (const Piece &piece : applyBehavior(std::move(found), step.behavior))
        next.push_back(view.substr(piece.begin, piece.end - piece.begin));
    }
    pieces.views = std::move(next);
  }
  if (addPrefixSpaceOnly_)
    for (std::string_view &view : pieces.views)
      view = withSpace(view);
  return pieces;
}

} // namespace nibble
