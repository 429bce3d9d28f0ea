// Decides for each weight whether include and exclude patterns choose it, and
// says which patterns have no effect.
#include "lib/Names/selection.h"

#include <algorithm>

namespace nibble::names {

namespace {

// The model has this module, but no tensor when the head is tied to the
// embedding.
constexpr std::string_view kHead = "lm_head.weight";

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

std::string joined(const std::vector<std::string> &texts) {
  std::string result;
  for (const std::string &text : texts)
    result += (result.empty() ? "" : ", ") + text;
  return result;
}

bool parseAll(std::span<const std::string> texts, const std::string &option,
              std::vector<Pattern> &out, std::string &problem) {
  for (const std::string &text : texts) {
    std::string why;
    auto pattern = Pattern::parse(text, why);
    if (!pattern) {
      problem = option + " " + quoted(text) + " is " + why;
      return false;
    }
    out.push_back(std::move(*pattern));
  }
  return true;
}

bool matchesAny(const std::vector<Pattern> &patterns, std::string_view tensor) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const Pattern &pattern) {
                       return pattern.matches(tensor).value_or(false);
                     });
}

} // namespace

std::string firstOf(std::span<const std::string> names) {
  constexpr size_t kShown = 4;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kShown; ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  if (names.size() > kShown)
    text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

std::optional<Selection> Selection::parse(std::span<const std::string> include,
                                          std::span<const std::string> exclude,
                                          bool defaultExclude,
                                          const Spelling &spelling,
                                          std::string &problem) {
  Selection selection;
  selection.spelling_ = spelling;
  if (!parseAll(include, spelling.include, selection.include_, problem) ||
      !parseAll(exclude, spelling.exclude, selection.exclude_, problem)) {
    if (problem.find("an empty expression") != std::string::npos)
      problem += "; leave it out, or write " + spelling.noDefault +
                 " to quantize what is left out by default";
    return std::nullopt;
  }
  if (defaultExclude)
    for (std::string_view text : kDefaultExclude)
      selection.defaults_.push_back(*Pattern::parse(text, problem));
  return selection;
}

bool Selection::isExcluded(std::string_view tensor) const {
  return matchesAny(exclude_, tensor) || matchesAny(defaults_, tensor);
}

bool Selection::chooses(std::string_view tensor) const {
  return (include_.empty() || matchesAny(include_, tensor)) &&
         !isExcluded(tensor);
}

std::string Selection::unmatched(const std::string &option,
                                 const Pattern &pattern,
                                 std::span<const NamedWeight> weights) const {
  std::string problem = option + " " + quoted(pattern.text()) +
                        " matches no weight of this model";
  // Names that can be packed come first, because patterns are mostly about
  // them.
  std::vector<std::string> names;
  for (bool canPack : {true, false})
    for (const NamedWeight &weight : weights)
      if (weight.canPack == canPack)
        names.push_back(weight.name);
  bool isAnchored = pattern.isAnchored();
  auto found =
      std::find_if(names.begin(), names.end(), [&](const std::string &name) {
        return pattern.isFoundIn(isAnchored ? name : moduleOf(name));
      });
  if (found != names.end() && isAnchored)
    return problem +
           "; re: matches from the start of the module's name, which has no "
           ".weight (" +
           quoted(moduleOf(*found)) +
           "): write re:.* before it, or leave re: away to search in names "
           "of tensors";
  if (found != names.end())
    return problem +
           "; it is searched in names of tensors, which end with .weight (" +
           quoted(*found) +
           "): let it match that end too, or write re: before it to match "
           "names of modules from their start";
  std::vector<std::string> close = closeNames(pattern, names);
  if (!close.empty())
    return problem + "; close names: " + joined(close);
  for (const NamedWeight &weight : weights)
    if (weight.canPack && close.size() < 3)
      close.emplace_back(pattern.subjectOf(weight.name));
  return close.empty() ? problem
                       : problem + "; names are such as " + joined(close);
}

std::string
Selection::problemOfInclude(const Pattern &pattern,
                            std::span<const NamedWeight> weights) const {
  const NamedWeight *other = nullptr, *left = nullptr;
  for (const NamedWeight &weight : weights) {
    if (!pattern.matches(weight.name).value_or(false))
      continue;
    if (!weight.canPack)
      other = other ? other : &weight;
    else if (isExcluded(weight.name))
      left = left ? left : &weight;
    else
      return {};
  }
  std::string what = spelling_.include + " " + quoted(pattern.text());
  if (left && matchesAny(exclude_, left->name))
    return what + " matches only what " + spelling_.exclude + " leaves out (" +
           left->name + "): exclude wins; take one of the two away";
  if (left)
    return what + " matches only what is left out by default (" + left->name +
           "); write " + spelling_.noDefault + " as well";
  if (other)
    return what + " matches only what cannot be packed: " + other->name +
           " is " + std::string(other->what);
  return unmatched(spelling_.include, pattern, weights);
}

std::string Selection::problemWith(std::span<const NamedWeight> weights) const {
  if (std::none_of(weights.begin(), weights.end(),
                   [](const NamedWeight &weight) { return weight.canPack; })) {
    std::vector<std::string> names;
    for (const NamedWeight &weight : weights)
      names.push_back(weight.name);
    return "nothing can be quantized: " +
           (names.empty()
                ? "there are no parameters"
                : "no parameter is the weight of a linear (there are " +
                      firstOf(names) + ")");
  }
  for (const std::vector<Pattern> *patterns : {&include_, &exclude_})
    for (const Pattern &pattern : *patterns)
      for (const NamedWeight &weight : weights)
        if (!pattern.matches(weight.name))
          return (patterns == &include_ ? spelling_.include
                                        : spelling_.exclude) +
                 " " + quoted(pattern.text()) +
                 " takes too many steps to match " + weight.name +
                 "; write it without nested repetitions";
  for (const Pattern &pattern : include_)
    if (std::string problem = problemOfInclude(pattern, weights);
        !problem.empty())
      return problem;
  for (const Pattern &pattern : exclude_)
    if (!pattern.matches(kHead).value_or(false) &&
        std::none_of(weights.begin(), weights.end(),
                     [&](const NamedWeight &weight) {
                       return pattern.matches(weight.name).value_or(false);
                     }))
      return unmatched(spelling_.exclude, pattern, weights);
  if (std::none_of(weights.begin(), weights.end(),
                   [&](const NamedWeight &weight) {
                     return weight.canPack && chooses(weight.name);
                   })) {
    bool isByDefault = exclude_.empty() && !defaults_.empty();
    return "nothing is left to quantize: " +
           (isByDefault
                ? "lm_head and embed_tokens are left out by default; write " +
                      spelling_.noDefault
                : spelling_.exclude + " leaves out every weight of a linear");
  }
  return {};
}

std::vector<std::string>
Selection::warningsWith(std::span<const NamedWeight> weights) const {
  std::vector<std::string> warnings;
  for (const Pattern &pattern : exclude_) {
    const NamedWeight *other = nullptr;
    bool hasEffect = pattern.matches(kHead).value_or(false);
    for (const NamedWeight &weight : weights) {
      bool matches = pattern.matches(weight.name).value_or(false);
      // On a matrix that cannot be packed, an exclude pattern states an intent.
      hasEffect |= matches && !weight.isVector;
      if (matches && weight.isVector && !other)
        other = &weight;
    }
    if (!hasEffect && other)
      warnings.push_back(spelling_.exclude + " " + quoted(pattern.text()) +
                         " matches only what is never packed: " + other->name +
                         " is " + std::string(other->what) + "; leave it out");
  }
  return warnings;
}

} // namespace nibble::names
