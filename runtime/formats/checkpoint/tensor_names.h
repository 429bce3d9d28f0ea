// The names of a decoder's tensors in a checkpoint, whichever wrapper saved it.
//
// Standard are "model.embed_tokens.weight", "model.layers.<i>....",
// "model.norm.weight" and "lm_head.weight". A model without its head (saved by
// AutoModel) lacks "model."; one that was wrapped for training has "module.",
// "_orig_mod." and the like before or inside its names; the decoder of a larger
// model has that model's name before its own.
#pragma once

#include "runtime/core/status.h"

#include <map>
#include <string>
#include <vector>

namespace nibble {

struct StandardNames {
  std::map<std::string, std::string>
      byStored;        // every given name -> its standard name
  std::string example; // a name that differs from its standard one; empty when
                       // none does
};

// What stands before "embed_tokens.weight" stands for "model."; what stands
// before "lm_head.weight", the head's own prefix, must begin it. Names that are
// no part of a decoder stay as they are, and so do all names when no single
// tensor is the embedding. Bad input when two names become the same.
Result<StandardNames> standardNames(const std::vector<std::string> &stored);

} // namespace nibble
