// The objectives that come with Nibble: lib/Objectives/<name>.mlir.
//
// An objective is `func.func @objective` on float32 scalars, applied to every
// token: it takes named inputs
// (`nn.input = "logp"`, "entropy", "advantage", ...) and returns the token's
// loss, then metrics (`nn.output = "kl"`). Or it is the same on tensor<?xf32>,
// one entry for each token, where a token's loss depends on its neighbours.
// Constants that carry `option = "clip_low"` are its options; built-in
// objectives declare beside it the configuration's key, a range and a meaning.
//
// This table is made from the files (embed.py). The pass that attaches an
// objective takes its text; the configuration of a run takes its inputs and
// options, and needs no MLIR for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nibble {

struct ObjectiveOption {
  std::string_view name; // of the constant, as options= and a bundle spell it
  std::string_view key;  // of section [rl] of a configuration
  double value;          // where the configuration does not say it
  double least, most;    // what the configuration may say
  std::string_view meaning;
};

struct Objective {
  std::string_view name;
  std::string_view text; // MLIR
  std::vector<std::string_view> inputs;
  std::vector<ObjectiveOption> options;

  bool takes(std::string_view input) const;
  // Null when there is no option with this key.
  const ObjectiveOption *optionOf(std::string_view key) const;
};

// In alphabetical order.
const std::vector<Objective> &builtinObjectives();

// Null when there is none of this name.
const Objective *builtinObjective(std::string_view name);

// "grpo, gspo" or, with `last`, "grpo or gspo". `input`: only of objectives
// that take it.
std::string objectiveNames(std::string_view separator, std::string_view last,
                           std::string_view input = {});

// Every key that sets an option, in the order of the objectives and of their
// options, once each: the option as the first objective declares it.
std::vector<ObjectiveOption> objectiveKeys();

// "ratio is held above 1 minus this; of grpo (0.2) and gspo (0.0003)".
std::string meaningOf(const ObjectiveOption &option);

} // namespace nibble
