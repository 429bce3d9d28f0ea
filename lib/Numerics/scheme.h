// What a quantized weight is: its grid, group size and convention, and the
// order of its codes in memory.
//
// Two tables define what exists: schemeTable has a row for each grid,
// conventionTable one for each convention. The attribute #qat.scheme, the
// command line, configurations, checks and their messages read these tables.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::numerics {

// The grid; see schemeTable.
enum class Kind : int32_t { kInt4 = 0, kInt8 = 1, kFp8 = 2, kMxfp4 = 3 };

// The rule for scale and code; see conventionTable.
enum class Convention : int32_t {
  kNibble = 0,
  kSlime = 1,
  kCompressedTensors = 2,
};

enum class Layout : int32_t {
  kInterchange = 0, // N9
  kHost = 1,        // lanes of N11, see pack.h
  kHopper = 2,      // registers of a matrix instruction, see fragment.h
};

// What a stored scale is; scale.h reads and writes it.
enum class ScaleType : int32_t {
  kBF16 = 0,
  kF32 = 1,
  kE8M0 = 2, // microscaling.h
};
int64_t bytesOf(ScaleType type);

// What a code is; Grid of grid.h reads and writes it.
enum class CodeType : int32_t {
  kInteger = 0,
  kE4M3 = 1, // fp8.h
  kE2M1 = 2, // microscaling.h
};

struct SchemeRow {
  Kind kind;
  const char *name;
  CodeType codeType;
  int64_t codeBits; // of one code in memory: 4 or 8
  // What memory adds to a code. Elements that only fill a word or a slab up
  // have code 0, so they hold this.
  int64_t codeBias;
  float largest; // magnitude of the numbers that codes stand for
  // Sizes that may be asked for: the weights along K that share a scale (N2),
  // where 0 is the whole row. A scheme with one size always has that size.
  std::span<const int64_t> groupSizes;
  bool inBlocks; // a scale for group_size x group_size weights, cut at edges
  ScaleType scaleType; // of a stored scale
  std::span<const Convention> conventions;
  // Whether N6 holds with convention nibble: quantizing the value of a code
  // gives the same code and scale again.
  bool isFixedPoint;
  const char *summary; // codes and scale, in a sentence
};

struct ConventionRow {
  Convention convention;
  const char *name;     // as #qat.scheme spells it
  const char *spelling; // as command lines and configurations do
  // Whether the weight trained on equals the packed weight, bit for bit: the
  // same scale divides and decodes.
  bool isExact;
  bool isForRuns; // usable for training; otherwise import and export only
  const char *summary;
};

// In the order of the enumerators.
std::span<const SchemeRow> schemeTable();
std::span<const ConventionRow> conventionTable();
const SchemeRow &rowOf(Kind kind);
const ConventionRow &rowOf(Convention convention);

struct Scheme {
  Kind kind = Kind::kInt4;
  int64_t groupSize = 32; // one of the row's
  Convention convention = Convention::kNibble;

  const SchemeRow &row() const { return rowOf(kind); }
  // Scales of one row of k elements.
  int64_t groupsPerRow(int64_t k) const {
    return groupSize == 0 ? 1 : (k + groupSize - 1) / groupSize;
  }
  // Elements that share a scale in a row of k elements.
  int64_t groupLength(int64_t k) const {
    return groupSize == 0 ? k : groupSize;
  }
  // N2: whether the groups of a row of k elements are whole. Blocks may be cut.
  bool divides(int64_t k) const {
    return row().inBlocks || groupSize == 0 || k % groupSize == 0;
  }
  // Whether dequantize(quantize(w)) equals fake_quant(w), bit for bit, for
  // every weight. Then the update may quantize once for all forwards of a step,
  // and rollout and training see the same numbers.
  bool isExact() const { return rowOf(convention).isExact; }
  // N6: whether fake_quant(fake_quant(w)) is known to equal fake_quant(w). This
  // is stronger than isExact: when the largest weight does not get the largest
  // code, requantizing gives another scale.
  bool isFixedPoint() const {
    return row().isFixedPoint && convention == Convention::kNibble;
  }

  bool operator==(const Scheme &) const = default;
};

// What recipes have unless they say otherwise.
inline constexpr int64_t kDefaultGroupSize = 32;

// A scheme as recipes ask for it. `groupSize` counts only where the kind has a
// choice: one size may stand beside two kinds, of training and of rollout.
Scheme schemeOf(Kind kind, int64_t groupSize, Convention convention);

// Whether the kind takes this size. A kind without a choice also takes the
// default, which nobody may have asked for.
bool takesGroupSize(Kind kind, int64_t groupSize);

// Why the scheme is invalid, empty when it is valid: its group size, or a
// convention that the kind does not have.
std::string problemOf(const Scheme &scheme);
// Why a row of k elements cannot be divided into groups (N2), empty when it
// can.
std::string problemOf(const Scheme &scheme, int64_t k);

const char *nameOf(Kind kind);
const char *nameOf(Convention convention);
const char *nameOf(Layout layout);
std::optional<Kind> kindNamed(std::string_view name);
std::optional<Convention> conventionNamed(std::string_view name);
std::optional<Layout> layoutNamed(std::string_view name);
// The convention with this spelling: that of command lines, configurations and
// pass options ("compressed-tensors"), or that of #qat.scheme.
std::optional<Convention> conventionSpelled(std::string_view text);

// Choices for messages and help, the last two joined by `last`:
// "int4, int8, fp8 and none", "nibble, slime and compressed-tensors",
// "16, 32, 64, 128". With `withNone` the choices include "none".
std::string schemeChoices(std::string_view last, bool withNone = true);
std::string conventionChoices(std::string_view last);
std::string groupSizeChoices();
// The same as lists: names and "none"; the conventions usable in runs; the
// group sizes, 0 included, of schemes with a choice.
std::vector<const char *> schemeNames();
std::vector<const char *> runConventions();
std::vector<int64_t> groupSizes();
// "fp8 always 128x128": the schemes that have one group size.
std::string fixedGroupSizes();
// One line for each scheme and each convention, for --help.
std::string describeSchemes();

// "<int4, group_size = 32>" or "<int4, group_size = 32, convention = slime>":
// the body of #qat.scheme.
std::string toString(const Scheme &scheme);
// The inverse of toString. A leading "#qat.scheme" and spaces are allowed.
std::optional<Scheme> parseScheme(std::string_view text);

} // namespace nibble::numerics
