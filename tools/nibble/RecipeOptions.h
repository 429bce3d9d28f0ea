// --scheme, --group-size, --convention, --include, --exclude
#pragma once

#include "lib/Driver/Recipe.h"

#include <CLI/CLI.hpp>

namespace nibble {

inline void addRecipeOptions(CLI::App &command, Recipe &recipe) {
  command.add_option("--scheme", recipe.scheme, "int4, int8, fp8 or none")->capture_default_str();
  command.add_option("--group-size", recipe.groupSize, "elements along K that share a scale: 16, 32, 64, 128; 0: the row")->capture_default_str();
  command.add_option("--convention", recipe.convention, "nibble, slime or compressed-tensors")->capture_default_str();
  command.add_option("--include", recipe.include, "regular expression on tensor names: what to quantize")->capture_default_str();
  command.add_option("--exclude", recipe.exclude, "regular expression on tensor names: what not to")->capture_default_str();
}

} // namespace nibble
