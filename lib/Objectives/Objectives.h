// The objectives that come with Nibble: lib/Objectives/<name>.mlir.
//
// An objective is `func.func @objective` on float32 scalars, applied to every
// token. It takes named inputs (`nn.input = "logp"`, "entropy", "advantage",
// ...). It returns the token's loss, then metrics (`nn.output = "kl"`). When a
// token's loss depends on its neighbours, the function takes tensor<?xf32>
// instead, with one entry per token. Constants that carry `option = "clip_low"`
// are its options. Built-in objectives also declare the configuration's key, a
// range and a meaning.
//
// embed.py makes this table from the files. The pass that attaches an objective
// uses the text. The configuration of a run uses the inputs and options, and
// needs no MLIR for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// The attribute of a constant of an objective that names it as an option.
inline constexpr char kOptionAttr[] = "option";

struct ObjectiveOption {
  std::string_view name; // of the constant, as options= and a bundle spell it
  std::string_view key;  // of section [rl] of a configuration
  double value;          // the default
  double least, most;    // the range that a configuration may use
  std::string_view meaning;
};

struct Objective {
  std::string_view name;
  std::string_view text; // MLIR
  std::vector<std::string_view> inputs;
  std::vector<ObjectiveOption> options;

  bool takes(std::string_view input) const;
  // Null when no option has this key.
  const ObjectiveOption *optionOf(std::string_view key) const;
};

// In alphabetical order.
const std::vector<Objective> &builtinObjectives();

// Null when there is none with this name.
const Objective *builtinObjective(std::string_view name);

// "grpo, gspo" or, with `last`, "grpo or gspo". With `input`, only objectives
// that take that input.
std::string objectiveNames(std::string_view separator, std::string_view last,
                           std::string_view input = {});

// Every key that sets an option, once each, as the first objective that has it
// declares it. The order is that of the objectives and their options.
std::vector<ObjectiveOption> objectiveKeys();

// "ratio is held above 1 minus this; of grpo (0.2) and gspo (0.0003)".
std::string meaningOf(const ObjectiveOption &option);

} // namespace nibble
