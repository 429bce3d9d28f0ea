// The table of a program's functions. It is read from the module between the
// two halves of lower-to-host.
#pragma once

#include "include/nibble/ABI.h"

#include "mlir/IR/BuiltinOps.h"

#include <deque>
#include <string>
#include <vector>

namespace nibble::host {

class Interface {
public:
  // Describes every public function of `module`, whose tensors have become
  // buffers, and marks it to get a C entry.
  static mlir::FailureOr<Interface> read(mlir::ModuleOp module);

  struct Entry {
    std::string name;
    std::vector<nibble_value_info> arguments, results;
  };
  const std::deque<Entry> &entries() const { return entries_; }

private:
  const char *keep(std::string text);

  std::deque<Entry> entries_;
  std::deque<std::string> texts_; // stable addresses
};

} // namespace nibble::host
