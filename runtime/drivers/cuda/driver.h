// libcuda, loaded and checked.
#pragma once

#include "runtime/drivers/cuda/shared_library.h"
#include "runtime/drivers/cuda/symbols.h"

#include <memory>
#include <string>
#include <string_view>

namespace nibble::cuda {

class Driver {
public:
  // Environment error when there is no driver, it is too old, or a function is
  // missing in it.
  static nibble::Result<std::shared_ptr<Driver>>
  open(const std::string &library);

  const Symbols &operator*() const { return symbols_; }
  const Symbols *operator->() const { return &symbols_; }
  // 13000 is 13.0.
  int version() const { return version_; }

  // Ok for success. Else the error's name and what the driver says of it;
  // `call` and `what` say where, `advice` what to do.
  Status
  check(Result result, std::string_view call, std::string_view what = {},
        std::string_view advice = "check nvidia-smi and the kernel log") const;
  // "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)"
  std::string describe(Result result) const;

private:
  std::shared_ptr<SharedLibrary> library_;
  Symbols symbols_;
  int version_ = 0;
};

} // namespace nibble::cuda
