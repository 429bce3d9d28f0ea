// What a quantized weight is: grid, group size, whose convention, and the order
// of its codes in memory. The plain C++ twin of dialects/QAT/QATAttributes.td:
// same enumerators, same values, same spelling.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nibble::numerics {

enum class Kind : int32_t {
  kInt4 = 0, // codes -7..7 (compressed_tensors: -8..7), bf16 scale per group
  kInt8 = 1, // codes -127..127, bf16 scale per group
  kFp8 = 2,  // E4M3 codes, float32 scale per 128x128 block
};

enum class Convention : int32_t {
  kNibble = 0,            // N3: the scale is bf16 before it is used
  kSlime = 1,             // float32 scale in training, its bf16 in rollout
  kCompressedTensors = 2, // amax / 7.5 and the code -8 (compressed_tensors.h);
                          // import and export only
};

enum class Layout : int32_t {
  kInterchange = 0, // N9
  kHost = 1,        // lanes of N11, see pack.h
  kHopper = 2,      // registers of a matrix instruction, see fragment.h
};

struct Scheme {
  Kind kind = Kind::kInt4;
  int64_t groupSize =
      32; // along K: 16, 32, 64, 128, or 0 for the whole row; fp8: 128
  Convention convention = Convention::kNibble;

  // Scales of one row of k elements.
  int64_t groupsPerRow(int64_t k) const {
    return groupSize == 0 ? 1 : (k + groupSize - 1) / groupSize;
  }
  // Elements that share a scale in a row of k.
  int64_t groupLength(int64_t k) const {
    return groupSize == 0 ? k : groupSize;
  }
  // The weight trained on and the packed weight are the same numbers, bit for
  // bit.
  bool isExact() const { return convention != Convention::kSlime; }

  bool operator==(const Scheme &) const = default;
};

// Why the scheme is not one, empty when it is: group size, or a convention that
// the kind does not have.
std::string problemOf(const Scheme &scheme);

const char *nameOf(Kind kind);
const char *nameOf(Convention convention);
const char *nameOf(Layout layout);
std::optional<Kind> kindNamed(std::string_view name);
std::optional<Convention> conventionNamed(std::string_view name);
std::optional<Layout> layoutNamed(std::string_view name);
// As command lines, configurations and pass options spell it,
// "compressed-tensors", or as #qat.scheme does.
std::optional<Convention> conventionSpelled(std::string_view text);
inline constexpr const char *kConventionChoices =
    "nibble, slime and compressed-tensors";

// "<int4, group_size = 32>" or "<int4, group_size = 32, convention = slime>":
// the body of #qat.scheme.
std::string toString(const Scheme &scheme);
// Its inverse; a leading "#qat.scheme" and spaces are allowed.
std::optional<Scheme> parseScheme(std::string_view text);

} // namespace nibble::numerics
