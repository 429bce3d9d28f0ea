// Copies of the arguments of one call, because a call may write into state.
#pragma once

#include "test/passes/LowerToHost/HostProgram.h"

#include <vector>

namespace nibble::test {

struct CallArguments {
  std::vector<Tensor> own;
  std::vector<const Tensor *> pointers; // one for each of `own`

  explicit CallArguments(const std::vector<Tensor> &arguments) {
    for (const Tensor &argument : arguments)
      own.push_back(copyOf(argument));
    for (const Tensor &argument : own)
      pointers.push_back(&argument);
  }
  CallArguments(const CallArguments &) = delete;
  CallArguments &operator=(const CallArguments &) = delete;
};

} // namespace nibble::test
