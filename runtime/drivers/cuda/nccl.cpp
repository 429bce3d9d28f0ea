#include "runtime/drivers/cuda/nccl.h"

#include <fmt/format.h>

#include <cstdlib>

namespace nibble::nccl {

std::string Library::defaultName() {
  const char *name = std::getenv("NIBBLE_LIBNCCL");
  return name && *name ? name : "libnccl.so.2";
}

nibble::Result<std::shared_ptr<Library>>
Library::open(const std::string &name) {
  auto library = std::make_shared<Library>();
  auto opened =
      SharedLibrary::open(name, "install libnccl2, or run on one GPU");
  if (!opened.isOk())
    return std::move(opened).takeStatus().within("nccl");
  library->library_ = *std::move(opened);
  auto missing = [&](const char *function) {
    return Status::environment(fmt::format(
        "nccl: {} has no {}; install a newer libnccl2", name, function));
  };
#define NIBBLE_NCCL_FIND(function, parameters)                                 \
  if (!(library->symbols_.function =                                           \
            reinterpret_cast<decltype(Symbols::function)>(                     \
                library->library_->symbol(#function))))                        \
    return missing(#function);
  NIBBLE_NCCL_FUNCTIONS(NIBBLE_NCCL_FIND)
  NIBBLE_NCCL_FIND(ncclGetErrorString, )
  NIBBLE_NCCL_FIND(ncclGetLastError, )
#undef NIBBLE_NCCL_FIND
  NIBBLE_TRY(library->check(
      library->symbols_.ncclGetVersion(&library->version_), "ncclGetVersion"));
  if (library->version_ < kVersion)
    return Status::environment(
        fmt::format("nccl: {} is version {}, at least {} is needed; install a "
                    "newer libnccl2",
                    name, library->version_, kVersion));
  return library;
}

Status Library::check(Result result, std::string_view call,
                      Communicator communicator) const {
  if (result == kSuccess)
    return Status::ok();
  const char *text = symbols_.ncclGetErrorString(result);
  const char *last = symbols_.ncclGetLastError(communicator);
  return Status::environment(
      fmt::format("nccl: {}: {}{}{}; NCCL_DEBUG=INFO tells more", call,
                  text ? text : fmt::format("error {}", result),
                  last && *last ? ": " : "", last && *last ? last : ""));
}

} // namespace nibble::nccl
