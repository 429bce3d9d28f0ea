// What a quantized weight is: grid, group size, whose convention, and the order
// of its codes in memory.
//
// Two tables say what there is: a row for each grid (schemeTable), and one for
// each convention (conventionTable). The attribute #qat.scheme, the command
// line, configurations, checks and their messages read these.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::numerics {

// The grid; its row of schemeTable says what it is.
enum class Kind : int32_t { kInt4 = 0, kInt8 = 1, kFp8 = 2 };

// Whose rule for scale and code; see conventionTable.
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

enum class ScaleType : int32_t { kBF16 = 0, kF32 = 1 };
int64_t bytesOf(ScaleType type);

struct SchemeRow {
  Kind kind;
  const char *name;
  int64_t codeBits; // of one code in memory
  // Weights along K that share a scale (N2), 0 being the whole row. A scheme of
  // one size has that whatever is asked for.
  std::span<const int64_t> groupSizes;
  bool inBlocks; // a scale for group_size x group_size weights, cut at edges
  ScaleType scaleType; // of a stored scale
  std::span<const Convention> conventions;
  // N6 is shown with convention nibble: the value of a code, quantized again,
  // gives the same code and scale.
  bool isFixedPoint;
  const char *summary; // codes and scale, in a sentence
};

struct ConventionRow {
  Convention convention;
  const char *name;     // as #qat.scheme spells it
  const char *spelling; // as command lines and configurations do
  // The weight trained on and the packed weight are the same numbers, bit for
  // bit: the scale that decodes is the one that was divided by.
  bool isExact;
  bool isForRuns; // a run may train with it; others are import and export only
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
  // Elements that share a scale in a row of k.
  int64_t groupLength(int64_t k) const {
    return groupSize == 0 ? k : groupSize;
  }
  // N2: the groups of a row of k elements are whole. Blocks may be cut.
  bool divides(int64_t k) const {
    return row().inBlocks || groupSize == 0 || k % groupSize == 0;
  }
  // Whether dequantize(quantize(w)) is fake_quant(w), bit for bit, for every
  // weight. Then the update may quantize once for all forwards of a step, and
  // rollout and training see the same numbers.
  bool isExact() const { return rowOf(convention).isExact; }
  // N6: whether fake_quant(fake_quant(w)) is fake_quant(w), as far as that is
  // shown. This is more than isExact: a grid whose largest code is not the
  // largest weight's gives another scale the second time.
  bool isFixedPoint() const {
    return row().isFixedPoint && convention == Convention::kNibble;
  }

  bool operator==(const Scheme &) const = default;
};

// A scheme as recipes ask for it: `groupSize` where the kind has a choice.
Scheme schemeOf(Kind kind, int64_t groupSize, Convention convention);

// Why the scheme is not one, empty when it is: group size, or a convention that
// the kind does not have.
std::string problemOf(const Scheme &scheme);
// Why a row of k elements cannot be cut into groups (N2), empty when it can.
std::string problemOf(const Scheme &scheme, int64_t k);

const char *nameOf(Kind kind);
const char *nameOf(Convention convention);
const char *nameOf(Layout layout);
std::optional<Kind> kindNamed(std::string_view name);
std::optional<Convention> conventionNamed(std::string_view name);
std::optional<Layout> layoutNamed(std::string_view name);
// As command lines, configurations and pass options spell it,
// "compressed-tensors", or as #qat.scheme does.
std::optional<Convention> conventionSpelled(std::string_view text);

// Choices for messages and help, the last two joined by `last`:
// "int4, int8, fp8 and none", "nibble, slime and compressed-tensors",
// "16, 32, 64, 128". `withNone`: recipes may quantize nothing.
std::string schemeChoices(std::string_view last, bool withNone = true);
std::string conventionChoices(std::string_view last);
std::string groupSizeChoices();
// What of that belongs to a list of choices: names and "none"; the conventions
// of runs; group sizes that some scheme leaves the choice of, 0 among them.
std::vector<const char *> schemeNames();
std::vector<const char *> runConventions();
std::vector<int64_t> groupSizes();
// "fp8 always 128x128": the schemes of one group size.
std::string fixedGroupSizes();
// A line for each scheme and each convention, for --help.
std::string describeSchemes();

// "<int4, group_size = 32>" or "<int4, group_size = 32, convention = slime>":
// the body of #qat.scheme.
std::string toString(const Scheme &scheme);
// Its inverse; a leading "#qat.scheme" and spaces are allowed.
std::optional<Scheme> parseScheme(std::string_view text);

} // namespace nibble::numerics
