// The objectives that come with Nibble, as MLIR text:
// lib/Objectives/<name>.mlir.
//
// An objective is `func.func @objective` on float32 scalars, applied to every
// token: it takes named inputs
// (`nn.input = "logp"`, "entropy", "advantage", ...) and returns the token's
// loss, then metrics (`nn.output = "kl"`). Or it is the same on tensor<?xf32>,
// one entry for each token, where a token's loss depends on its neighbours.
// Constants that carry `option = "clip_low"` are its options.
#pragma once

#include <string_view>
#include <vector>

namespace nibble {

// The text of a built-in objective; empty when there is none of this name.
std::string_view builtinObjective(std::string_view name);

// Their names, in alphabetical order.
std::vector<std::string_view> builtinObjectiveNames();

} // namespace nibble
