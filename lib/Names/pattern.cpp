// Parses patterns, matches them against names, and finds names that are close.
#include "lib/Names/pattern.h"

#include <oniguruma.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace nibble::names {

namespace {

constexpr std::string_view kRegex = "re:", kWeight = ".weight";
// A name has a few dozen bytes, so an expression that needs more steps is
// pathological.
constexpr unsigned long kRetryLimit = 1'000'000;

const OnigUChar *toOnig(const char *text) {
  return reinterpret_cast<const OnigUChar *>(text);
}

// Whether the expression matches at the start of `text`, or anywhere in it.
std::optional<bool> run(void *regex, std::string_view text, bool atStart) {
  OnigMatchParam *limits = onig_new_match_param();
  onig_initialize_match_param(limits);
  onig_set_retry_limit_in_match_of_match_param(limits, kRetryLimit);
  onig_set_retry_limit_in_search_of_match_param(limits, kRetryLimit);
  const OnigUChar *begin = toOnig(text.data());
  const OnigUChar *end = begin + text.size();
  int found =
      atStart ? onig_match_with_param(static_cast<regex_t *>(regex), begin, end,
                                      begin, nullptr, ONIG_OPTION_NONE, limits)
              : onig_search_with_param(static_cast<regex_t *>(regex), begin,
                                       end, begin, end, nullptr,
                                       ONIG_OPTION_NONE, limits);
  onig_free_match_param(limits);
  if (found < 0 && found != ONIG_MISMATCH)
    return std::nullopt;
  return found >= 0;
}

bool hasSpaceAtAnEnd(std::string_view text) {
  auto isSpace = [](char c) {
    return std::isspace(static_cast<unsigned char>(c)) != 0;
  };
  return !text.empty() && (isSpace(text.front()) || isSpace(text.back()));
}

// The longest run of characters that match literally.
std::string literalPart(std::string_view expression) {
  std::string longest, current;
  auto finish = [&] {
    if (current.size() > longest.size())
      longest = current;
    current.clear();
  };
  for (size_t i = 0; i < expression.size(); ++i) {
    char c = expression[i];
    bool isEscaped =
        c == '\\' && i + 1 < expression.size() &&
        std::ispunct(static_cast<unsigned char>(expression[i + 1]));
    if (isEscaped) {
      current += expression[++i];
    } else if (c == '\\') { // a class such as \d
      ++i;
      finish();
    } else if (std::string_view("*?+{").find(c) != std::string_view::npos) {
      if (!current.empty())
        current.pop_back();
      finish();
      if (c == '{')
        i = std::min(expression.find('}', i), expression.size() - 1);
    } else if (c == '[') {
      finish();
      i = std::min(expression.find(']', i), expression.size() - 1);
    } else if (c == '.' && i + 1 < expression.size() &&
               std::string_view("*?+{").find(expression[i + 1]) !=
                   std::string_view::npos) {
      finish();
      ++i;
    } else if (std::string_view("()|^$").find(c) != std::string_view::npos) {
      finish();
    } else {
      current += c; // a dot too: in names it mostly means itself
    }
  }
  finish();
  return longest;
}

// The fewest insertions, deletions and replacements that turn `part` into a
// substring of `text`.
size_t distanceInside(std::string_view part, std::string_view text) {
  std::vector<size_t> row(text.size() + 1, 0);
  std::vector<size_t> next(row.size());
  for (size_t i = 0; i < part.size(); ++i) {
    next[0] = i + 1;
    for (size_t j = 0; j < text.size(); ++j)
      next[j + 1] = std::min(
          {row[j] + (part[i] != text[j]), row[j + 1] + 1, next[j] + 1});
    std::swap(row, next);
  }
  return *std::min_element(row.begin(), row.end());
}

} // namespace

std::string_view moduleOf(std::string_view tensor) {
  return tensor.ends_with(kWeight)
             ? tensor.substr(0, tensor.size() - kWeight.size())
             : tensor;
}

std::optional<Pattern> Pattern::compile(std::string_view text, Kind kind,
                                        std::string_view expression,
                                        std::string &problem) {
  if (expression.empty()) {
    problem = "an empty expression, which would match every name";
    return std::nullopt;
  }
  if (hasSpaceAtAnEnd(text)) {
    problem = "white space at an end, which no name has";
    return std::nullopt;
  }
  Pattern pattern(text, kind);
  if (kind == Kind::kModule)
    return pattern;
  pattern.regex_ = compileExpression(expression, Syntax::kPython, problem);
  if (!pattern.regex_)
    return std::nullopt;
  return pattern;
}

std::optional<Pattern> Pattern::parse(std::string_view text,
                                      std::string &problem) {
  bool isAnchored = text.starts_with(kRegex);
  return compile(text, isAnchored ? Kind::kModuleStart : Kind::kSearch,
                 isAnchored ? text.substr(kRegex.size()) : text, problem);
}

std::optional<Pattern> Pattern::parseModule(std::string_view text,
                                            std::string &problem) {
  bool isAnchored = text.starts_with(kRegex);
  return compile(text, isAnchored ? Kind::kModuleStart : Kind::kModule,
                 isAnchored ? text.substr(kRegex.size()) : text, problem);
}

std::optional<bool> Pattern::matches(std::string_view tensor) const {
  std::string_view subject = subjectOf(tensor);
  if (kind_ == Kind::kModule)
    return subject == text_;
  return run(regex_.get(), subject, /*atStart=*/kind_ == Kind::kModuleStart);
}

std::string_view Pattern::subjectOf(std::string_view tensor) const {
  return kind_ == Kind::kSearch ? tensor : moduleOf(tensor);
}

bool Pattern::isFoundIn(std::string_view tensor) const {
  return regex_ && run(regex_.get(), tensor, /*atStart=*/false).value_or(false);
}

std::vector<std::string> closeNames(const Pattern &pattern,
                                    std::span<const std::string> tensors) {
  std::string_view expression = pattern.text();
  if (pattern.isAnchored())
    expression.remove_prefix(kRegex.size());
  std::string literal = literalPart(expression);
  std::string_view part = moduleOf(literal);
  if (part.size() < 3)
    return {};
  struct Candidate {
    size_t distance;
    size_t place; // among the tensors
    std::string_view module;
    auto operator<=>(const Candidate &) const = default;
  };
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < tensors.size(); ++i)
    if (size_t distance = distanceInside(part, moduleOf(tensors[i]));
        distance <= part.size() / 3)
      candidates.push_back({distance, i, moduleOf(tensors[i])});
  std::sort(candidates.begin(), candidates.end());
  // Drop names that are clearly farther than the closest: they were not meant.
  if (!candidates.empty())
    std::erase_if(candidates,
                  [most = candidates.front().distance + 1](const Candidate &c) {
                    return c.distance > most;
                  });
  std::vector<std::string> close;
  std::set<std::string> shapes; // names without their numbers
  for (const Candidate &candidate : candidates) {
    std::string shape(candidate.module);
    std::erase_if(shape, [](char c) {
      return std::isdigit(static_cast<unsigned char>(c)) != 0;
    });
    if (close.size() < 3 && shapes.insert(shape).second)
      close.emplace_back(pattern.subjectOf(tensors[candidate.place]));
  }
  return close;
}

} // namespace nibble::names
