// Attention on the host: compared with float64, alone and in a batch, at
// several vector widths, and paged.
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
  const char *element = "bf16";
  int page = 64;
  int block = 64;

  DType dtype() const {
    return std::string(element) == "bf16" ? DType::kBF16 : DType::kF32;
  }
  std::string name() const {
    return fmt::format("{} heads {}/{} of {} window {} pages {} blocks {}",
                       element, heads, kvHeads, size, window, page, block);
  }
};

void PrintTo(const Case &c, std::ostream *out) { *out << c.name(); }

constexpr double kScale = 0.25;

std::string sourceOf(const Case &c) {
  std::string text = R"mlir(
func.func @attention(%q: tensor<?xQxE>, %k: tensor<?xKxE>, %v: tensor<?xKxE>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>)
    -> (tensor<?xQxE>, tensor<?xHxf32>) {
  %y, %lse = nn.attention %q, %k, %v, %positions, %sequences ATTRIBUTES
      : tensor<?xQxE>, tensor<?xKxE>, tensor<?xi32>, tensor<?xi32> -> tensor<?xHxf32>
  return %y, %lse : tensor<?xQxE>, tensor<?xHxf32>
}
func.func @attention_grad(%dy: tensor<?xQxE>, %q: tensor<?xQxE>, %k: tensor<?xKxE>, %v: tensor<?xKxE>, %positions: tensor<?xi32>,
    %sequences: tensor<?xi32>) -> (tensor<?xQxE>, tensor<?xKxE>, tensor<?xKxE>) {
  %y, %lse = nn.attention %q, %k, %v, %positions, %sequences ATTRIBUTES
      : tensor<?xQxE>, tensor<?xKxE>, tensor<?xi32>, tensor<?xi32> -> tensor<?xHxf32>
  %dq, %dk, %dv = nn.attention_grad %dy, %q, %k, %v, %y, %lse, %positions, %sequences ATTRIBUTES
      : tensor<?xQxE>, tensor<?xKxE>, tensor<?xHxf32>, tensor<?xi32>, tensor<?xi32>
  return %dq, %dk, %dv : tensor<?xQxE>, tensor<?xKxE>, tensor<?xKxE>
}
func.func @paged(%q: tensor<?xQxE>, %k: tensor<?xKxE>, %v: tensor<?xKxE>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
    %pages: tensor<?x?xi32>, %kc: tensor<?xGxDxBxE> {nn.state = "key_cache:0"}, %vc: tensor<?xGxBxDxE> {nn.state = "value_cache:0"})
    -> (tensor<?xQxE>, tensor<?xGxDxBxE>, tensor<?xGxBxDxE>) {
  %kc1, %vc1 = nn.cache_write %k, %v, %kc, %vc, %positions, %sequences, %pages
      : tensor<?xKxE>, tensor<?xGxDxBxE>, tensor<?xGxBxDxE>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  %y = nn.paged_attention %q, %kc1, %vc1, %positions, %sequences, %pages ATTRIBUTES
      : tensor<?xQxE>, tensor<?xGxDxBxE>, tensor<?xGxBxDxE>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y, %kc1, %vc1 : tensor<?xQxE>, tensor<?xGxDxBxE>, tensor<?xGxBxDxE>
}
)mlir";
  auto replace = [&](const std::string &from, const std::string &to) {
    replaceEach(text, from, to);
  };
  replace("ATTRIBUTES",
          fmt::format("{{heads = {} : i64, kv_heads = {} : i64, scale = {:f} : "
                      "f32, kv_block = {} : i64, window = {} : i64}}",
                      c.heads, c.kvHeads, kScale, c.block, c.window));
  replace("xQxE", fmt::format("x{}x{}", c.heads * c.size, c.element));
  replace("xKxE", fmt::format("x{}x{}", c.kvHeads * c.size, c.element));
  replace("xGxDxBxE",
          fmt::format("x{}x{}x{}x{}", c.kvHeads, c.size, c.page, c.element));
  replace("xGxBxDxE",
          fmt::format("x{}x{}x{}x{}", c.kvHeads, c.page, c.size, c.element));
  replace("xHxf32", fmt::format("x{}xf32", c.heads));
  return text;
}

// Attention and its gradients in float64, from the definition.
struct Naive {
  std::vector<double> y, dq, dk, dv;

  Naive(const Case &c, const Batch &batch, const Tensor &qs, const Tensor &ks,
        const Tensor &vs, const Tensor &dys) {
    auto q = valuesOf(qs);
    auto k = valuesOf(ks);
    auto v = valuesOf(vs);
    auto dy = valuesOf(dys);
    y.assign(q.size(), 0), dq.assign(q.size(), 0), dk.assign(k.size(), 0),
        dv.assign(k.size(), 0);
    int D = c.size;
    int Q = c.heads * D;
    int K = c.kvHeads * D;
    int begin = 0;
    for (int length : batch.lengths) {
      for (int t = begin; t < begin + length; ++t)
        for (int h = 0; h < c.heads; ++h) {
          int g = h / (c.heads / c.kvHeads);
          int low = c.window ? std::max(begin, t - c.window + 1) : begin;
          std::vector<double> p;
          double sum = 0, delta = 0;
          for (int j = low; j <= t; ++j) {
            double s = 0;
            for (int d = 0; d < D; ++d)
              s += q[t * Q + h * D + d] * k[j * K + g * D + d];
            p.push_back(std::exp(s * kScale));
            sum += p.back();
          }
          for (int j = low; j <= t; ++j)
            for (int d = 0; d < D; ++d)
              y[t * Q + h * D + d] += p[j - low] / sum * v[j * K + g * D + d];
          for (int d = 0; d < D; ++d)
            delta += dy[t * Q + h * D + d] * y[t * Q + h * D + d];
          for (int j = low; j <= t; ++j) {
            double dp = 0;
            double weight = p[j - low] / sum;
            for (int d = 0; d < D; ++d)
              dp += dy[t * Q + h * D + d] * v[j * K + g * D + d];
            double ds = weight * (dp - delta) * kScale;
            for (int d = 0; d < D; ++d) {
              dq[t * Q + h * D + d] += ds * k[j * K + g * D + d];
              dk[j * K + g * D + d] += ds * q[t * Q + h * D + d];
              dv[j * K + g * D + d] += weight * dy[t * Q + h * D + d];
            }
          }
        }
      begin += length;
    }
  }
};

double relativeError(const Tensor &actual,
                     const std::vector<double> &expected) {
  auto values = valuesOf(actual);
  double difference = 0, norm = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    difference += (values[i] - expected[i]) * (values[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return std::sqrt(difference / norm); // NaN fails every comparison
}

// Compiled once for all tests of a case.
HostProgram &programOf(const Case &c) {
  static std::map<std::string, std::unique_ptr<HostProgram>> programs;
  auto &program = programs[c.name()];
  if (!program)
    program = std::make_unique<HostProgram>(sourceOf(c));
  return *program;
}

class Attention : public testing::TestWithParam<Case> {
protected:
  const Case c = GetParam();
  HostProgram &program = programOf(c);
  Random random{7};

  Tensor queries(int tokens) {
    return random.normal(c.dtype(), {tokens, c.heads * c.size});
  }
  Tensor keys(int tokens) {
    return random.normal(c.dtype(), {tokens, c.kvHeads * c.size});
  }
};

TEST_P(Attention, MeansWhatFloat64Says) {
  Batch batch{{70, 1, 0, 131, 17}, {0, 0, 0, 0, 0}};
  Tensor q = queries(batch.tokens());
  Tensor k = keys(batch.tokens());
  Tensor v = keys(batch.tokens());
  Tensor dy = queries(batch.tokens());
  Tensor positions = batch.positions();
  Tensor sequences = batch.sequences();
  Naive naive(c, batch, q, k, v, dy);
  auto forward =
      program.call("attention", {&q, &k, &v, &positions, &sequences});
  auto gradients =
      program.call("attention_grad", {&dy, &q, &k, &v, &positions, &sequences});
  double bound = c.dtype() == DType::kBF16 ? 4e-3 : 1e-5;
  double errors[] = {relativeError(forward[0], naive.y),
                     relativeError(gradients[0], naive.dq),
                     relativeError(gradients[1], naive.dk),
                     relativeError(gradients[2], naive.dv)};
  fmt::print("{}: y {:.2e} dq {:.2e} dk {:.2e} dv {:.2e}\n", c.name(),
             errors[0], errors[1], errors[2], errors[3]);
  for (double error : errors)
    EXPECT_LT(error, bound);
}

TEST_P(Attention, ASequenceAloneAndInABatchGiveTheSameBits) {
  Batch batch{{33, 70, 64, 5}, {0, 0, 0, 0}};
  Tensor q = queries(batch.tokens());
  Tensor k = keys(batch.tokens());
  Tensor v = keys(batch.tokens());
  Tensor dy = queries(batch.tokens());
  Tensor positions = batch.positions();
  Tensor sequences = batch.sequences();
  auto forward =
      program.call("attention", {&q, &k, &v, &positions, &sequences}, 2);
  auto gradients = program.call("attention_grad",
                                {&dy, &q, &k, &v, &positions, &sequences}, 2);
  int begin = 0;
  for (int length : batch.lengths) {
    int end = begin + length;
    Batch alone{{length}, {0}};
    Tensor q1 = rowsOf(q, begin, end);
    Tensor k1 = rowsOf(k, begin, end);
    Tensor v1 = rowsOf(v, begin, end);
    Tensor dy1 = rowsOf(dy, begin, end);
    Tensor positions1 = alone.positions();
    Tensor sequences1 = alone.sequences();
    auto forward1 =
        program.call("attention", {&q1, &k1, &v1, &positions1, &sequences1}, 1);
    auto gradients1 = program.call(
        "attention_grad", {&dy1, &q1, &k1, &v1, &positions1, &sequences1}, 1);
    for (int i = 0; i < 2; ++i)
      EXPECT_EQ(difference(rowsOf(forward[i], begin, end), forward1[i]),
                "the same")
          << "result " << i << " from " << begin;
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(difference(rowsOf(gradients[i], begin, end), gradients1[i]),
                "the same")
          << "gradient " << i;
    begin = end;
  }
}

using AttentionWidths = Attention;

// Other registers and tiles give the same sums.
TEST_P(AttentionWidths, AnotherVectorWidthGivesTheSameBits) {
  Batch batch{{90, 21}, {0, 0}};
  Tensor q = queries(batch.tokens());
  Tensor k = keys(batch.tokens());
  Tensor v = keys(batch.tokens());
  Tensor dy = queries(batch.tokens());
  Tensor positions = batch.positions();
  Tensor sequences = batch.sequences();
  HostProgram narrow(sourceOf(c), "haswell");
  for (const char *function : {"attention", "attention_grad"}) {
    std::vector<const Tensor *> arguments = {&q, &k, &v, &positions,
                                             &sequences};
    if (std::string(function) == "attention_grad")
      arguments.insert(arguments.begin(), &dy);
    auto here = program.call(function, arguments);
    auto there = narrow.call(function, arguments);
    for (size_t i = 0; i < here.size(); ++i)
      EXPECT_EQ(difference(here[i], there[i]), "the same")
          << function << " result " << i;
  }
}

// Prefill in chunks, then token by token, with several sequences at a time.
// Pages are in any order and initially full of NaN. The bits are those of the
// training forward.
TEST_P(Attention, PagesGiveTheBitsOfTheBatch) {
  Batch batch{{150, 66, 9}, {0, 0, 0}};
  Tensor q = queries(batch.tokens());
  Tensor k = keys(batch.tokens());
  Tensor v = keys(batch.tokens());
  Tensor positions = batch.positions();
  Tensor sequences = batch.sequences();
  auto training =
      program.call("attention", {&q, &k, &v, &positions, &sequences});

  constexpr int kPages = 16;
  constexpr int kColumns = 4;
  std::vector<double> garbage(int64_t(kPages) * c.kvHeads * c.size * c.page,
                              NAN);
  Tensor keyCache =
      makeTensor(c.dtype(), {kPages, c.kvHeads, c.size, c.page}, garbage);
  Tensor valueCache =
      makeTensor(c.dtype(), {kPages, c.kvHeads, c.page, c.size}, garbage);
  std::vector<int> order(kPages);
  std::iota(order.begin(), order.end(), 0);
  for (int i = kPages - 1; i > 0; --i)
    std::swap(order[i], order[random.below(i + 1)]);

  std::vector<int> begins = {0, 150, 216};
  std::vector<int> done(3, 0);
  auto stepTo = [&](const std::vector<int> &targets) {
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
    auto results =
        program.call("paged", {&q1, &k1, &v1, &positions1, &sequences1, &pages1,
                               &keyCache, &valueCache});
    EXPECT_EQ(difference(results[0], expected), "the same")
        << "at " << targets[0] << " " << targets[1] << " " << targets[2];
  };
  stepTo({37, 64, 1});  // whole and partial prompts
  stepTo({100, 64, 5}); // a chunk that continues a prompt
  // Decode, in which the shorter sequences end early.
  for (int i = 1; i <= 50; ++i)
    stepTo({100 + i, 64 + i, 5 + i});
}

std::string caseName(const testing::TestParamInfo<Case> &info) {
  return "Case" + std::to_string(info.index);
}

// Tiles of one token and of several, heads whose last vector is cut, windows
// shorter and longer than a block, and pages of several blocks.
INSTANTIATE_TEST_SUITE_P(
    Shapes, Attention,
    testing::Values(Case{4, 2, 64}, Case{2, 2, 32, 0, "f32"}, Case{8, 1, 128},
                    Case{6, 2, 40, 40, "f32", 128},
                    Case{3, 1, 80, 64, "bf16", 128}, Case{5, 1, 8, 0, "bf16"},
                    Case{4, 4, 16, 7, "bf16", 64, 16}),
    caseName);
INSTANTIATE_TEST_SUITE_P(Shapes, AttentionWidths,
                         testing::Values(Case{4, 2, 64},
                                         Case{6, 2, 40, 40, "f32", 128}),
                         caseName);

} // namespace
