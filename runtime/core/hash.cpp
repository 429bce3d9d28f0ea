// Hashes bytes and files with XXH3.
#include "runtime/core/hash.h"

#include "runtime/core/file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <new>
#include <vector>

namespace nibble {

namespace {
std::string toHex(XXH128_hash_t hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}
} // namespace

std::string hash128(std::span<const std::byte> bytes) {
  return toHex(XXH3_128bits(bytes.data(), bytes.size()));
}
std::string hash128(std::string_view text) {
  return toHex(XXH3_128bits(text.data(), text.size()));
}

struct Hasher::State {
  XXH3_state_t *xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  if (!state_->xxh)
    throw std::bad_alloc();
  XXH3_128bits_reset(state_->xxh);
}
Hasher::~Hasher() = default;
void Hasher::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
}
std::string Hasher::digest() const {
  return toHex(XXH3_128bits_digest(state_->xxh));
}

Result<FileHash> hashFile(const std::filesystem::path &path) {
  NIBBLE_ASSIGN(FileReader reader, FileReader::open(path));
  std::vector<std::byte> buffer(1 << 20);
  Hasher hasher;
  FileHash result;
  while (true) {
    NIBBLE_ASSIGN(size_t count, reader.read(buffer));
    if (count == 0)
      break;
    hasher.add(std::span(buffer).first(count));
    result.bytes += static_cast<int64_t>(count);
  }
  result.hash = hasher.digest();
  return result;
}

} // namespace nibble
