// The texts of the built-in objectives, put in by the build.
#include "lib/Objectives/Objectives.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace nibble {

namespace {

// "a, b and c"
std::string joined(const std::vector<std::string> &texts,
                   std::string_view separator, std::string_view last) {
  std::string line;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0)
      line += i + 1 == texts.size() ? last : separator;
    line += texts[i];
  }
  return line;
}

// The shortest digits that give the number again, without an exponent.
std::string digitsOf(double value) {
  std::array<char, 400> digits; // more than any double has
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                           std::chars_format::fixed);
  return std::string(digits.data(), end.ptr);
}

} // namespace

const std::vector<Objective> &builtinObjectives() {
  static const std::vector<Objective> objectives = {
#include "lib/Objectives/Embedded.inc"
  };
  return objectives;
}

bool Objective::takes(std::string_view input) const {
  return std::find(inputs.begin(), inputs.end(), input) != inputs.end();
}

const ObjectiveOption *Objective::optionOf(std::string_view key) const {
  auto found = std::find_if(
      options.begin(), options.end(),
      [&](const ObjectiveOption &option) { return option.key == key; });
  return found == options.end() ? nullptr : &*found;
}

const Objective *builtinObjective(std::string_view name) {
  for (const Objective &objective : builtinObjectives())
    if (objective.name == name)
      return &objective;
  return nullptr;
}

std::string objectiveNames(std::string_view separator, std::string_view last,
                           std::string_view input) {
  std::vector<std::string> names;
  for (const Objective &objective : builtinObjectives())
    if (input.empty() || objective.takes(input))
      names.emplace_back(objective.name);
  return joined(names, separator, last);
}

std::vector<ObjectiveOption> objectiveKeys() {
  std::vector<ObjectiveOption> keys;
  for (const Objective &objective : builtinObjectives())
    for (const ObjectiveOption &option : objective.options)
      if (std::none_of(keys.begin(), keys.end(),
                       [&](const ObjectiveOption &known) {
                         return known.key == option.key;
                       }))
        keys.push_back(option);
  return keys;
}

std::string meaningOf(const ObjectiveOption &option) {
  std::vector<std::string> defaults;
  for (const Objective &objective : builtinObjectives())
    if (const ObjectiveOption *own = objective.optionOf(option.key))
      defaults.push_back(std::string(objective.name) + " (" +
                         digitsOf(own->value) + ")");
  return std::string(option.meaning) + "; of " +
         joined(defaults, ", ", " and ");
}

} // namespace nibble
