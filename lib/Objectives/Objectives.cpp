// The texts of the built-in objectives, put in by the build.
#include "lib/Objectives/Objectives.h"

namespace nibble {
namespace {

struct Entry {
  std::string_view name, text;
};

constexpr Entry kObjectives[] = {
#include "lib/Objectives/Embedded.inc"
};

} // namespace

std::string_view builtinObjective(std::string_view name) {
  for (const Entry &entry : kObjectives)
    if (entry.name == name)
      return entry.text;
  return {};
}

std::vector<std::string_view> builtinObjectiveNames() {
  std::vector<std::string_view> names;
  for (const Entry &entry : kObjectives)
    names.push_back(entry.name);
  return names;
}

} // namespace nibble
