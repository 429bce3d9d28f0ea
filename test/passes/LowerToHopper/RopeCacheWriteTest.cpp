// Rotation and cache write in one launch, on the PTX machine. The results are
// compared with the reference, and bit for bit with separate ops.
#include "test/passes/LowerToHopper/DeviceProgram.h"
#include "test/passes/LowerToHost/CallArguments.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <numeric>

using namespace nibble;
using namespace nibble::test;

namespace {

struct Case {
  int heads;
  int kvHeads;
  int size;
  int page = 64;
  bool normed = true;

  std::string name() const {
    return fmt::format("heads {}/{} of {} pages of {}{}", heads, kvHeads, size,
                       page, normed ? " normed" : "");
  }
};

void PrintTo(const Case &c, std::ostream *out) { *out << c.name(); }

constexpr int kPages = 12;
constexpr int kColumns = 4;

// @f is the fused op. @g has separate ops, which stay apart because something
// else reads their results.
std::string sourceOf(const Case &c) {
  std::string fused = R"mlir(
func.func @f(%q: QUERIES, %k: KEYS, %v: KEYS, %cos: ANGLES, %sin: ANGLES, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
    %pages: tensor<?x?xi32>, %kc: KCACHE {nn.state = "key_cache:0"}, %vc: VCACHE {nn.state = "value_cache:0"}, %nq: NORM, %nk: NORM)
    -> (QUERIES, KCACHE, VCACHE) {
  %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %v, %cos, %sin, %positions, %sequences, %pages, %kc, %vc NORMS
      : QUERIES, KEYS, ANGLES, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, KCACHE, VCACHE
  return %q1, %kc1, %vc1 : QUERIES, KCACHE, VCACHE
}
func.func @g(%q: QUERIES, %k: KEYS, %v: KEYS, %cos: ANGLES, %sin: ANGLES, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
    %pages: tensor<?x?xi32>, %kc: KCACHE {nn.state = "key_cache:0"}, %vc: VCACHE {nn.state = "value_cache:0"}, %nq: NORM, %nk: NORM)
    -> (QUERIES, KCACHE, VCACHE) {
PLAIN
  %kc1, %vc1 = nn.cache_write %k2, %v, %kc, %vc, %positions, %sequences, %pages
      : KEYS, KCACHE, VCACHE, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %q2, %kc1, %vc1 : QUERIES, KCACHE, VCACHE
}
)mlir";
  auto replace = [&](const std::string &from, const std::string &to) {
    for (size_t at = fused.find(from); at != std::string::npos;
         at = fused.find(from, at + to.size()))
      fused.replace(at, from.size(), to);
  };
  replace("NORMS", c.normed
                       ? "norms(%nq, %nk : NORM, NORM) {epsilon = 1.0e-5 : f32}"
                       : "");
  replace("PLAIN", c.normed ? R"mlir(
  %q1 = nn.rms_norm %q, %nq {epsilon = 1.0e-5 : f32} : QUERIES, NORM
  %k1 = nn.rms_norm %k, %nk {epsilon = 1.0e-5 : f32} : KEYS, NORM
  %q2 = nn.rope %q1, %cos, %sin : QUERIES, ANGLES
  %k2 = nn.rope %k1, %cos, %sin : KEYS, ANGLES)mlir"
                            : R"mlir(
  %q2 = nn.rope %q, %cos, %sin : QUERIES, ANGLES
  %k2 = nn.rope %k, %cos, %sin : KEYS, ANGLES)mlir");
  replace("QUERIES", fmt::format("tensor<?x{}xbf16>", c.heads * c.size));
  replace("KEYS", fmt::format("tensor<?x{}xbf16>", c.kvHeads * c.size));
  replace("ANGLES", fmt::format("tensor<?x{}xf32>", c.size / 2));
  replace("KCACHE",
          fmt::format("tensor<?x{}x{}x{}xbf16>", c.kvHeads, c.size, c.page));
  replace("VCACHE",
          fmt::format("tensor<?x{}x{}x{}xbf16>", c.kvHeads, c.page, c.size));
  replace("NORM", fmt::format("tensor<{}xbf16>", c.size));
  return fused;
}

// Arguments of @f and @g for sequences of these lengths. first[s] is the
// position of the first token of sequence s.
std::vector<Tensor> argumentsOf(const Case &c, const std::vector<int> &lengths,
                                const std::vector<int> &first, Random &random) {
  std::vector<int> positions;
  std::vector<int> offsets = {0};
  for (size_t s = 0; s < lengths.size(); ++s) {
    for (int i = 0; i < lengths[s]; ++i)
      positions.push_back(first[s] + i);
    offsets.push_back(offsets.back() + lengths[s]);
  }
  int tokens = offsets.back();
  int sequences = static_cast<int>(lengths.size());
  int allPages = std::max(kPages, sequences * kColumns);
  std::vector<int> pages(allPages);
  std::iota(pages.begin(), pages.end(), 0);
  for (int i = allPages - 1; i > 0; --i)
    std::swap(pages[i], pages[random.below(i + 1)]);
  pages.resize(sequences * kColumns);
  std::vector<Tensor> arguments;
  arguments.push_back(
      random.normal(DType::kBF16, {tokens, c.heads * c.size}, 3.0));
  for (int i = 0; i < 2; ++i)
    arguments.push_back(
        random.normal(DType::kBF16, {tokens, c.kvHeads * c.size}));
  for (int i = 0; i < 2; ++i)
    arguments.push_back(random.normal(DType::kF32, {tokens, c.size / 2}));
  arguments.push_back(makeIndices({tokens}, positions));
  arguments.push_back(makeIndices({sequences + 1}, offsets));
  arguments.push_back(makeIndices({sequences, kColumns}, pages));
  arguments.push_back(
      random.normal(DType::kBF16, {allPages, c.kvHeads, c.size, c.page}));
  arguments.push_back(
      random.normal(DType::kBF16, {allPages, c.kvHeads, c.page, c.size}));
  for (int i = 0; i < 2; ++i)
    arguments.push_back(random.normal(DType::kBF16, {c.size}, 0.2, 1.0));
  return arguments;
}

class HopperRopeCacheWrite : public testing::TestWithParam<Case> {
protected:
  const Case c = GetParam();
  Random random{5};

  static std::vector<Tensor> call(CompiledForDevice &program,
                                  const char *function,
                                  const std::vector<Tensor> &arguments) {
    CallArguments copies(arguments);
    std::vector<Tensor> results = program.call(function, copies.pointers);
    results.push_back(std::move(copies.own[8]));
    results.push_back(std::move(copies.own[9]));
    return results;
  }
};

TEST_P(HopperRopeCacheWrite, MeansWhatTheReferenceSays) {
  OpCase op;
  op.name = "rope and cache write, " + c.name();
  op.source = sourceOf(c);
  op.dtype = DType::kBF16;
  op.arguments = argumentsOf(c, {70, 1, 0, 23}, {0, 100, 7, 60}, random);
  op.inPlace = {{8, 1}, {9, 2}};
  checkOnDevice(op);
}

// Prompts, pages that begin or are crossed, empty sequences, a single token,
// and decode of more sequences than a warp has lanes.
TEST_P(HopperRopeCacheWrite, GivesTheBitsOfTheOpsOneAfterAnother) {
  CompiledForDevice program(sourceOf(c));
  struct Batch {
    std::vector<int> lengths, first;
  };
  Batch decode{std::vector<int>(40, 1), {}};
  for (int s = 0; s < 40; ++s)
    decode.first.push_back(s * 13 % (kColumns * c.page));
  for (const Batch &batch :
       {Batch{{1}, {0}},
        {{1}, {c.page}},
        {{c.page + 1, 16, 0, 17}, {c.page - 1, 3, 0, 2 * c.page - 9}},
        {{0, 0, 1, 1, 0}, {0, 5, c.page - 1, 2 * c.page, 0}},
        decode,
        {{0}, {0}}}) {
    std::vector<Tensor> arguments =
        argumentsOf(c, batch.lengths, batch.first, random);
    auto fused = call(program, "f", arguments),
         plain = call(program, "g", arguments);
    ASSERT_EQ(fused.size(), 3u);
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(difference(fused[i], plain[i]), "the same")
          << c.name() << " result " << i << " of " << batch.lengths.size()
          << " sequences";
    EXPECT_EQ(sameBits(fused[1], arguments[8]), arguments[0].shape()[0] == 0)
        << "keys were written";
  }
}

std::string caseName(const testing::TestParamInfo<Case> &info) {
  return "Case" + std::to_string(info.index);
}

// Pairs of 1, 2 and 4 neighbours, halves that are no multiple of a warp, and
// pages of several blocks.
INSTANTIATE_TEST_SUITE_P(Shapes, HopperRopeCacheWrite,
                         testing::Values(Case{4, 2, 64}, Case{2, 1, 128},
                                         Case{2, 1, 128, 64, false},
                                         Case{8, 1, 32}, Case{4, 1, 96, 128},
                                         Case{3, 1, 80, 64, false},
                                         Case{2, 2, 16}, Case{2, 1, 256},
                                         Case{6, 3, 48, 64}),
                         caseName);

} // namespace
