// The options --scheme, --group-size, --convention, --include, --exclude,
// --no-default-exclude, --strict.
#pragma once

#include "lib/Driver/Recipe.h"
#include "runtime/train/rounding.h"
#include "tools/CheckpointFolder.h"

#include <CLI/CLI.hpp>

namespace nibble {

inline void addRecipeOptions(CLI::App &command, Recipe &recipe) {
  command
      .add_option("--scheme", recipe.scheme, numerics::schemeChoices(" or "))
      ->capture_default_str();
  command
      .add_option("--group-size", recipe.groupSize,
                  "elements along K that share a scale: " +
                      numerics::groupSizeChoices() + "; 0: the row")
      ->capture_default_str()
      ->check([](const std::string &text) -> std::string {
        // The parser behind it takes an empty text for 0, and 032 as octal.
        size_t digits = text.find_first_not_of("-");
        bool decimal =
            digits != std::string::npos &&
            text.find_first_not_of("0123456789", digits) == std::string::npos &&
            (text[digits] != '0' || text.size() == 1);
        return decimal ? "" : "'" + text + "' is no decimal number";
      });
  command
      .add_option("--convention", recipe.convention,
                  numerics::conventionChoices(" or "))
      ->capture_default_str();
  command
      .add_option("--include", recipe.include,
                  "what to quantize: an expression searched in tensor names, "
                  "or re: and one that module names begin with; may be given "
                  "again; default: all")
      ->allow_extra_args(false);
  command
      .add_option("--exclude", recipe.exclude,
                  "what not to, like --include and stronger; may be given "
                  "again; lm_head and embed_tokens are left out as well")
      ->allow_extra_args(false);
  command.add_flag_callback(
      "--no-default-exclude", [&recipe] { recipe.defaultExclude = false; },
      "quantize lm_head and embed_tokens as well");
  command.add_flag("--strict", recipe.strict,
                   "what is named and stays in full precision, and a pattern "
                   "without effect, is an error, not a warning");
  command.footer(numerics::describeSchemes());
  recipe.spelling = {"--include", "--exclude", "--no-default-exclude"};
}

// Warns when the recipe rounds weights again that the checkpoint has packed.
// `keepsStored` and `isWritten` are those of GridChoice.
inline Status warnOfRounding(const Recipe &recipe, const Model &model,
                             bool keepsStored, bool isWritten = false) {
  if (!recipe.quantizes())
    return Status::ok();
  NIBBLE_ASSIGN(numerics::Scheme scheme, recipe.numericsScheme());
  NIBBLE_ASSIGN(names::Selection selection, recipe.selection());
  GridSpelling spelling = {"--scheme {}", "--group-size {}", "--convention {}"};
  return printRounding(model, {scheme, std::move(selection),
                               std::move(spelling), keepsStored, isWritten});
}

} // namespace nibble
