// libnccl, loaded and checked: what collectives over several GPUs are built on.
#pragma once

#include "runtime/drivers/cuda/nccl_symbols.h"
#include "runtime/drivers/cuda/shared_library.h"

#include <memory>
#include <string>
#include <string_view>

namespace nibble::nccl {

class Library {
public:
  // $NIBBLE_LIBNCCL, else libnccl.so.2.
  static std::string defaultName();
  // Environment error when there is none, it is too old, or a function is
  // missing in it.
  static nibble::Result<std::shared_ptr<Library>>
  open(const std::string &name = defaultName());

  const Symbols *operator->() const { return &symbols_; }
  // 21803 is 2.18.3.
  int version() const { return version_; }

  // Ok for success. Else the error's text and what NCCL last said (of
  // `communicator`, which may be null).
  Status check(Result result, std::string_view call,
               Communicator communicator = nullptr) const;

private:
  std::shared_ptr<SharedLibrary> library_;
  Symbols symbols_;
  int version_ = 0;
};

} // namespace nibble::nccl
