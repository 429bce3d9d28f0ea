// Attention and its gradients on the device: compared with the reference, alone
// and in a batch, and paged.
#include "test/passes/LowerToHopper/DeviceProgram.h"
#include "test/passes/LowerToHost/OpCases.h"

#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>
#include <numeric>

using namespace nibble;
using namespace nibble::test;

namespace {

struct Case {
  int heads;
  int kvHeads;
  int size;
  int window = 0;
  int page = 64;

  std::string name() const {
    return fmt::format("heads {}/{} of {} window {} pages {}", heads, kvHeads,
                       size, window, page);
  }
};

void PrintTo(const Case &c, std::ostream *out) { *out << c.name(); }

constexpr double kScale = 0.25;

std::string sourceOf(const Case &c, const std::string &text) {
  std::string source = text;
  auto replace = [&](const std::string &from, const std::string &to) {
    replaceEach(source, from, to);
  };
  replace("ATTRIBUTES",
          fmt::format("{{heads = {} : i64, kv_heads = {} : i64, scale = {:f} : "
                      "f32, kv_block = 64 : i64, window = {} : i64}}",
                      c.heads, c.kvHeads, kScale, c.window));
  replace("xQx", fmt::format("x{}x", c.heads * c.size));
  replace("xKx", fmt::format("x{}x", c.kvHeads * c.size));
  replace("xGxDxBx", fmt::format("x{}x{}x{}x", c.kvHeads, c.size, c.page));
  replace("xGxBxDx", fmt::format("x{}x{}x{}x", c.kvHeads, c.page, c.size));
  replace("xHx", fmt::format("x{}x", c.heads));
  return source;
}

constexpr const char *kForward = R"mlir(
func.func @f(%q: tensor<?xQxbf16>, %k: tensor<?xKxbf16>, %v: tensor<?xKxbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>)
    -> (tensor<?xQxbf16>, tensor<?xHxf32>) {
  %y, %lse = nn.attention %q, %k, %v, %positions, %sequences ATTRIBUTES
      : tensor<?xQxbf16>, tensor<?xKxbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?xHxf32>
  return %y, %lse : tensor<?xQxbf16>, tensor<?xHxf32>
}
)mlir";

constexpr const char *kPaged = R"mlir(
func.func @f(%q: tensor<?xQxbf16>, %k: tensor<?xKxbf16>, %v: tensor<?xKxbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
    %pages: tensor<?x?xi32>, %kc: tensor<?xGxDxBxbf16> {nn.state = "key_cache:0"}, %vc: tensor<?xGxBxDxbf16> {nn.state = "value_cache:0"})
    -> (tensor<?xQxbf16>, tensor<?xGxDxBxbf16>, tensor<?xGxBxDxbf16>) {
  %kc1, %vc1 = nn.cache_write %k, %v, %kc, %vc, %positions, %sequences, %pages
      : tensor<?xKxbf16>, tensor<?xGxDxBxbf16>, tensor<?xGxBxDxbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  %y = nn.paged_attention %q, %kc1, %vc1, %positions, %sequences, %pages ATTRIBUTES
      : tensor<?xQxbf16>, tensor<?xGxDxBxbf16>, tensor<?xGxBxDxbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y, %kc1, %vc1 : tensor<?xQxbf16>, tensor<?xGxDxBxbf16>, tensor<?xGxBxDxbf16>
}
)mlir";

constexpr const char *kGrad = R"mlir(
func.func @f(%dy: tensor<?xQxbf16>, %q: tensor<?xQxbf16>, %k: tensor<?xKxbf16>, %v: tensor<?xKxbf16>, %y: tensor<?xQxbf16>,
    %lse: tensor<?xHxf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>) -> (tensor<?xQxbf16>, tensor<?xKxbf16>, tensor<?xKxbf16>) {
  %dq, %dk, %dv = nn.attention_grad %dy, %q, %k, %v, %y, %lse, %positions, %sequences ATTRIBUTES
      : tensor<?xQxbf16>, tensor<?xKxbf16>, tensor<?xHxf32>, tensor<?xi32>, tensor<?xi32>
  return %dq, %dk, %dv : tensor<?xQxbf16>, tensor<?xKxbf16>, tensor<?xKxbf16>
}
)mlir";

// Compiled once for all tests of a case.
CompiledForDevice &programOf(const Case &c, const char *text) {
  static std::map<std::string, std::unique_ptr<CompiledForDevice>> programs;
  auto &program = programs[c.name() + text];
  if (!program)
    program = std::make_unique<CompiledForDevice>(sourceOf(c, text));
  return *program;
}

// The rows outside [begin, end) are NaN.
Tensor nanOutside(const Tensor &tensor, int begin, int end) {
  Tensor result = copyOf(tensor);
  int64_t features = tensor.shape()[1];
  for (int64_t i = 0; i < tensor.elements(); ++i)
    if (i / features < begin || i / features >= end) {
      if (tensor.dtype() == DType::kBF16)
        result.as<uint16_t>()[i] = 0x7FC0;
      else
        result.as<float>()[i] = NAN;
    }
  return result;
}

class HopperAttention : public testing::TestWithParam<Case> {
protected:
  const Case c = GetParam();
  Random random{7};

  Tensor queries(int tokens) {
    return random.normal(DType::kBF16, {tokens, c.heads * c.size});
  }
  Tensor keys(int tokens) {
    return random.normal(DType::kBF16, {tokens, c.kvHeads * c.size});
  }
};

using HopperAttentionGrad = HopperAttention;

// More tiles than an H200 has SMs. Some blocks process several tiles, with few
// and with many keys.
std::vector<int> manyLengths() {
  std::vector<int> lengths;
  for (int i = 0; i < 200; ++i)
    lengths.push_back(i == 77 ? 150 : i % 4);
  return lengths;
}

TEST_P(HopperAttention, MeansWhatTheReferenceSays) {
  for (std::vector<int> lengths :
       {std::vector<int>{1}, {70, 1, 0, 131, 17}, manyLengths()}) {
    Batch batch(lengths);
    OpCase op;
    op.name = c.name();
    op.source = sourceOf(c, kForward);
    op.dtype = DType::kBF16;
    op.arguments.push_back(queries(batch.tokens()));
    op.arguments.push_back(keys(batch.tokens()));
    op.arguments.push_back(keys(batch.tokens()));
    op.arguments.push_back(batch.positions());
    op.arguments.push_back(batch.sequences());
    checkOnDevice(op);
  }
}

// A query with a single key has gradients that are only rounding, so no
// sequence has one token only.
TEST_P(HopperAttentionGrad, MeansWhatTheReferenceSays) {
  for (std::vector<int> lengths : {std::vector<int>{2}, {70, 1, 0, 131, 17}}) {
    Batch batch(lengths);
    Tensor q = queries(batch.tokens());
    Tensor k = keys(batch.tokens());
    Tensor v = keys(batch.tokens());
    Tensor dy = queries(batch.tokens());
    Tensor positions = batch.positions();
    Tensor sequences = batch.sequences();
    auto forward =
        programOf(c, kForward).call("f", {&q, &k, &v, &positions, &sequences});
    OpCase op;
    op.name = "gradients of " + c.name();
    op.source = sourceOf(c, kGrad);
    op.dtype = DType::kBF16;
    for (const Tensor *tensor :
         {&dy, &q, &k, &v, &forward[0], &forward[1], &positions, &sequences})
      op.arguments.push_back(copyOf(tensor->view()));
    checkOnDevice(op);
  }
}

TEST_P(HopperAttentionGrad, ASequenceAloneAndBesideNaNGivesTheSameBits) {
  CompiledForDevice &program = programOf(c, kGrad);
  Batch batch({33, 70, 5});
  Tensor q = queries(batch.tokens());
  Tensor k = keys(batch.tokens());
  Tensor v = keys(batch.tokens());
  Tensor dy = queries(batch.tokens());
  Tensor positions = batch.positions();
  Tensor sequences = batch.sequences();
  auto forward =
      programOf(c, kForward).call("f", {&q, &k, &v, &positions, &sequences});
  int begin = 0;
  for (int length : batch.lengths) {
    int end = begin + length;
    Batch only({length});
    std::vector<Tensor> alone, beside;
    for (const Tensor *tensor : {&dy, &q, &k, &v, &forward[0], &forward[1]}) {
      alone.push_back(rowsOf(*tensor, begin, end));
      beside.push_back(nanOutside(*tensor, begin, end));
    }
    alone.push_back(only.positions()), beside.push_back(batch.positions());
    alone.push_back(only.sequences()), beside.push_back(batch.sequences());
    auto pointers = [](const std::vector<Tensor> &tensors) {
      std::vector<const Tensor *> list;
      for (const Tensor &tensor : tensors)
        list.push_back(&tensor);
      return list;
    };
    auto expected = program.call("f", pointers(alone));
    auto actual = program.call("f", pointers(beside));
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(difference(rowsOf(actual[i], begin, end), expected[i]),
                "the same")
          << "gradient " << i << " from " << begin;
    begin = end;
  }
}

TEST_P(HopperAttention, ASequenceAloneAndBesideNaNGivesTheSameBits) {
  CompiledForDevice &program = programOf(c, kForward);
  Batch batch({33, 70, 64, 5});
  Tensor q = queries(batch.tokens());
  Tensor k = keys(batch.tokens());
  Tensor v = keys(batch.tokens());
  Tensor positions = batch.positions();
  Tensor sequences = batch.sequences();
  auto forward = program.call("f", {&q, &k, &v, &positions, &sequences});
  int begin = 0;
  for (int length : batch.lengths) {
    int end = begin + length;
    Batch alone({length});
    Tensor q1 = rowsOf(q, begin, end);
    Tensor k1 = rowsOf(k, begin, end);
    Tensor v1 = rowsOf(v, begin, end);
    Tensor positions1 = alone.positions();
    Tensor sequences1 = alone.sequences();
    auto forward1 =
        program.call("f", {&q1, &k1, &v1, &positions1, &sequences1});
    Tensor q2 = nanOutside(q, begin, end);
    Tensor k2 = nanOutside(k, begin, end);
    Tensor v2 = nanOutside(v, begin, end);
    auto forward2 = program.call("f", {&q2, &k2, &v2, &positions, &sequences});
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(difference(rowsOf(forward[i], begin, end), forward1[i]),
                "the same")
          << "result " << i << " from " << begin;
      EXPECT_EQ(difference(rowsOf(forward2[i], begin, end), forward1[i]),
                "the same")
          << "result " << i << " beside NaN from " << begin;
    }
    begin = end;
  }
}

// Prefill in chunks, then token by token, with several sequences at a time.
// Pages are in any order and initially full of NaN. The bits are those of the
// training forward.
TEST_P(HopperAttention, PagesGiveTheBitsOfTheBatch) {
  Batch batch({150, 66, 9});
  Tensor q = queries(batch.tokens());
  Tensor k = keys(batch.tokens());
  Tensor v = keys(batch.tokens());
  Tensor positions = batch.positions();
  Tensor sequences = batch.sequences();
  auto training =
      programOf(c, kForward).call("f", {&q, &k, &v, &positions, &sequences});

  constexpr int kPages = 16;
  constexpr int kColumns = 4;
  std::vector<double> garbage(int64_t(kPages) * c.kvHeads * c.size * c.page,
                              NAN);
  Tensor keyCache =
      makeTensor(DType::kBF16, {kPages, c.kvHeads, c.size, c.page}, garbage);
  Tensor valueCache =
      makeTensor(DType::kBF16, {kPages, c.kvHeads, c.page, c.size}, garbage);
  std::vector<int> order(kPages);
  std::iota(order.begin(), order.end(), 0);
  for (int i = kPages - 1; i > 0; --i)
    std::swap(order[i], order[random.below(i + 1)]);

  std::vector<int> begins = {0, 150, 216};
  std::vector<int> done(3, 0);
  // `recorded` steps become cases for nibble-replay.
  auto stepTo = [&](const std::vector<int> &targets, bool recorded) {
    Batch part;
    std::vector<int> rows, pages;
    for (int s = 0; s < 3; ++s) {
      int target = std::min(targets[s], batch.lengths[s]);
      part.lengths.push_back(target - done[s]);
      part.first.push_back(done[s]);
      for (int t = done[s]; t < target; ++t)
        rows.push_back(begins[s] + t);
      for (int j = 0; j < kColumns; ++j)
        pages.push_back(order[s * kColumns + j]);
      done[s] = target;
    }
    auto take = [&](const Tensor &from) {
      Shape shape = from.shape();
      shape[0] = rows.size();
      Tensor to = *Tensor::create(from.dtype(), shape);
      int64_t stride = from.bytes() / from.shape()[0];
      for (size_t i = 0; i < rows.size(); ++i)
        std::memcpy(to.data() + i * stride, from.data() + rows[i] * stride,
                    stride);
      return to;
    };
    Tensor q1 = take(q);
    Tensor k1 = take(k);
    Tensor v1 = take(v);
    Tensor expected = take(training[0]);
    Tensor positions1 = part.positions();
    Tensor sequences1 = part.sequences();
    Tensor pages1 = makeIndices({3, kColumns}, pages);
    std::vector<const Tensor *> arguments = {&q1,         &k1,         &v1,
                                             &positions1, &sequences1, &pages1,
                                             &keyCache,   &valueCache};
    if (recorded) {
      OpCase op;
      op.name = "over pages, " + c.name();
      for (const Tensor *argument : arguments)
        op.arguments.push_back(copyOf(*argument));
      std::vector<Tensor> only;
      only.push_back(copyOf(expected));
      checkExactlyOnDevice(programOf(c, kPaged), op, only,
                           /*recordedBound=*/4e-3); // bf16 operands
    }
    auto results = programOf(c, kPaged).call("f", arguments);
    EXPECT_EQ(difference(results[0], expected), "the same")
        << "at " << targets[0] << " " << targets[1] << " " << targets[2];
  };
  stepTo({37, 64, 1}, /*recorded=*/false); // whole and partial prompts
  stepTo({100, 64, 5}, true);              // a chunk that continues a prompt
  // Decode, in which the shorter sequences end early.
  for (int i = 1; i <= 6; ++i)
    stepTo({100 + i, 64 + i, 5 + i}, i == 1);
  stepTo({150, 66, 9}, false);
}

std::string caseName(const testing::TestParamInfo<Case> &info) {
  return "Case" + std::to_string(info.index);
}

// Groups that divide a tile and one that does not. Heads whose last box is cut,
// and of more than 128 elements. Windows shorter and longer than a block, and
// pages of several blocks.
INSTANTIATE_TEST_SUITE_P(Shapes, HopperAttention,
                         testing::Values(Case{4, 2, 64}, Case{1, 1, 128},
                                         Case{8, 1, 32, 40},
                                         Case{4, 1, 96, 100, 128},
                                         Case{3, 1, 80, 64}, Case{2, 2, 16},
                                         Case{2, 1, 256}),
                         caseName);
INSTANTIATE_TEST_SUITE_P(Shapes, HopperAttentionGrad,
                         testing::Values(Case{4, 2, 64}, Case{1, 1, 128},
                                         Case{8, 1, 32, 40},
                                         Case{4, 1, 96, 100, 128},
                                         Case{3, 1, 80, 64}, Case{2, 2, 16},
                                         Case{2, 1, 256}, Case{1, 1, 144}),
                         caseName);

} // namespace
