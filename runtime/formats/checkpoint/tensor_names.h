// The names of a decoder's tensors in a checkpoint, whichever wrapper saved it.
//
// The standard names are "model.embed_tokens.weight", "model.layers.<i>....",
// "model.norm.weight" and "lm_head.weight". A model without its head (saved by
// AutoModel) lacks "model.". A model that was wrapped for training has
// "module.", "_orig_mod." and similar parts before or inside its names. The
// decoder of a larger model has that model's name before its own.
#pragma once

#include "runtime/core/status.h"

#include <map>
#include <string>
#include <vector>

namespace nibble {

struct StandardNames {
  // Each stored name and its standard name.
  std::map<std::string, std::string> byStored;
  // One name that differs from its standard name; empty when none does.
  std::string example;
};

// Maps stored names to standard names. The prefix of "embed_tokens.weight"
// stands for "model.". The prefix of "lm_head.weight" must be the beginning of
// that prefix. Names that are not part of a decoder stay as they are. All names
// stay when not exactly one tensor is the embedding. Bad input when two names
// become the same.
Result<StandardNames> standardNames(const std::vector<std::string> &stored);

} // namespace nibble
