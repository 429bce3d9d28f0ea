// XXH3 with 128 bits. It protects against accidents (flipped bits, torn files),
// not against an adversary.
#pragma once

#include "runtime/core/status.h"

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace nibble {

// 32 lower-case hexadecimal digits, most significant first.
std::string hash128(std::span<const std::byte> bytes);
std::string hash128(std::string_view text);

// Hashes bytes that arrive piece by piece.
class Hasher {
public:
  Hasher();
  ~Hasher();
  void add(std::span<const std::byte> bytes);
  std::string digest() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

struct FileHash {
  int64_t bytes = 0;
  std::string hash;
};
// Reads the whole file. Environment error when it cannot be read.
Result<FileHash> hashFile(const std::filesystem::path &path);

} // namespace nibble
