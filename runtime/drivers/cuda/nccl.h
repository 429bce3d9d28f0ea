// libnccl, loaded and checked. Collectives over several GPUs are built on it.
#pragma once

#include "runtime/drivers/cuda/nccl_symbols.h"
#include "runtime/drivers/cuda/shared_library.h"

#include <memory>
#include <string>
#include <string_view>

namespace nibble::nccl {

class Library {
public:
  // $NIBBLE_LIBNCCL, or libnccl.so.2 by default.
  static std::string defaultName();
  // Environment error when the library is missing, too old, or lacks a
  // function.
  static nibble::Result<std::shared_ptr<Library>>
  open(const std::string &name = defaultName());

  const Symbols *operator->() const { return &symbols_; }
  // 21803 means 2.18.3.
  int version() const { return version_; }

  // Ok for success. Else the error's text and NCCL's last message for
  // `communicator`, which may be null.
  Status check(Result result, std::string_view call,
               Communicator communicator = nullptr) const;

private:
  std::shared_ptr<SharedLibrary> library_;
  Symbols symbols_;
  int version_ = 0;
};

} // namespace nibble::nccl
