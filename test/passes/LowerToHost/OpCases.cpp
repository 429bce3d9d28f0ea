// The sources and numbers of the shared cases.
#include "test/passes/LowerToHost/OpCases.h"

#include "lib/Numerics/quantize.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <numeric>

namespace nibble::test {

using numerics::Layout;
using numerics::PackedLayout;

PackedLayout QuantizeCase::layout(Layout order) const {
  return {n, k, *numerics::parseScheme(scheme), order};
}
std::string QuantizeCase::packed(Layout order) const {
  return numerics::toString(layout(order));
}
std::string QuantizeCase::tensor(const std::string &element) const {
  return fmt::format("tensor<{}x{}x{}>", n, k, element);
}

Tensor QuantizeCase::weight(Random &random) const {
  Tensor plain = random.normal(DType::kBF16, {n, k});
  auto *bits = plain.as<uint16_t>();
  for (int64_t i = 0; i < plain.elements(); ++i) {
    if (i / k % 3 == 0)
      continue;
    int64_t group = i / 16;
    float value = numerics::floatFromBf16(bits[i]);
    if (group % 7 == 1)
      value = 0.0f;
    else if (group % 7 == 2)
      value = std::ldexp(static_cast<float>(random.below(15) - 7) / 2,
                         random.below(3) - 20);
    else if (group % 7 == 3)
      value = std::ldexp(value, -130);
    else if (group % 7 == 4)
      value = std::ldexp(value, random.below(240) - 120);
    bits[i] = numerics::bf16FromFloat(value);
  }
  return plain;
}

Tensor QuantizeCase::slabOf(const Tensor &plain, Layout order) const {
  Tensor slab = *Tensor::create(DType::kU8, {layout(order).bytes()});
  EXPECT_FALSE(numerics::quantizeMatrix(plain.as<uint16_t>(), layout(order),
                                        slab.as<uint8_t>())
                   .has_value());
  return slab;
}

void PrintTo(const QuantizeCase &c, std::ostream *out) {
  *out << c.n << "x" << c.k << " " << c.scheme;
}

Tensor quotientWeight() {
  std::vector<uint16_t> values;
  for (int largest = 0x4280; largest < 0x4300; ++largest) {
    int x = largest;
    while (x > largest - 16 * 128) {
      values.push_back(static_cast<uint16_t>(largest));
      for (int i = 1; i < 32; ++i, --x)
        values.push_back(static_cast<uint16_t>(x | (x + i) % 2 << 15));
    }
  }
  Tensor plain = *Tensor::create(
      DType::kBF16, {static_cast<int64_t>(values.size()) / 32, 32});
  std::copy(values.begin(), values.end(), plain.as<uint16_t>());
  return plain;
}

EveryMxfp4 everyMxfp4(Layout order) {
  constexpr double kNumbers[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  PackedLayout layout{256, 32, {numerics::Kind::kMxfp4, 32}, order};
  EveryMxfp4 all{layout, *Tensor::create(DType::kU8, {layout.bytes()}),
                 *Tensor::create(DType::kBF16, {256, 32})};
  std::fill_n(all.slab.data(), all.slab.bytes(), std::byte{0});
  std::vector<int8_t> codes;
  for (int64_t i = 0; i < 256 * 32; ++i) {
    int64_t code = (i + i / 32) % 16;
    codes.push_back(static_cast<int8_t>(code));
    double exact = std::ldexp(code & 8 ? -kNumbers[code & 7] : kNumbers[code],
                              static_cast<int>(i / 32) - 127);
    // Every finite one is a bf16 number, half of a float32's bits.
    auto bits = std::bit_cast<uint32_t>(static_cast<float>(exact));
    all.values.as<uint16_t>()[i] =
        i / 32 == 255 ? uint16_t{0x7FC0} : static_cast<uint16_t>(bits >> 16);
  }
  numerics::packCodes(layout, 0, 256, codes.data(), all.slab.as<uint8_t>());
  for (uint32_t row = 0; row < 256; ++row)
    numerics::storeScale(layout, all.slab.as<uint8_t>(), row, row);
  return all;
}

int64_t differentNumbers(const Tensor &a, const Tensor &b) {
  EXPECT_EQ(a.elements(), b.elements());
  auto isNaN = [](uint16_t bits) {
    return (bits & numerics::kBf16Magnitude) > 0x7F80;
  };
  int64_t count = 0;
  for (int64_t i = 0; i < std::min(a.elements(), b.elements()); ++i) {
    uint16_t one = a.as<uint16_t>()[i];
    uint16_t other = b.as<uint16_t>()[i];
    count += one != other && !(isNaN(one) && isNaN(other));
  }
  return count;
}

int64_t differentBytes(const Tensor &a, const Tensor &b) {
  EXPECT_EQ(a.bytes(), b.bytes());
  int64_t count = 0;
  for (int64_t i = 0; i < std::min(a.bytes(), b.bytes()); ++i)
    count += a.data()[i] != b.data()[i];
  return count;
}

std::string quantizeSource(const std::string &tensor,
                           const std::string &packed) {
  return fmt::format("func.func @f(%w: {0}) -> {1} {{\n  %p = qat.quantize %w "
                     ": {0} -> {1}\n  return %p : {1}\n}}",
                     tensor, packed);
}
std::string dequantizeSource(const std::string &packed,
                             const std::string &tensor) {
  return fmt::format("func.func @f(%p: {0}) -> {1} {{\n  %w = qat.dequantize "
                     "%p : {0} -> {1}\n  return %w : {1}\n}}",
                     packed, tensor);
}
std::string fakeQuantSource(const std::string &tensor,
                            const std::string &scheme) {
  return fmt::format(
      "func.func @f(%w: {0}) -> {0} {{\n  %q = qat.fake_quant %w {{scheme = "
      "#qat.scheme{1}}} : {0}\n  return %q : {0}\n}}",
      tensor, scheme);
}

std::string logProbabilitySource(int vocabulary) {
  return fmt::format(R"mlir(
func.func @f(%logits: tensor<?x{0}xf32>, %targets: tensor<?xi32>, %temperature: tensor<?xf32>)
    -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) {{
  %logp, %lse, %entropy = nn.log_probability %logits, %targets, %temperature : tensor<?x{0}xf32>, tensor<?xi32>, tensor<?xf32>
  return %logp, %lse, %entropy : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>
}})mlir",
                     vocabulary);
}

// Appends logits, targets and temperatures to the arguments.
static void addRows(OpCase &c, int vocabulary, int rows, Random &random) {
  c.arguments.push_back(random.normal(DType::kF32, {rows, vocabulary}, 3.0));
  c.arguments.push_back(random.indices({rows}, vocabulary));
  std::vector<double> temperatures = {0.7, 5, 1.3, 0.1, 1, 1};
  temperatures.resize(static_cast<size_t>(rows), 1);
  c.arguments.push_back(makeTensor(DType::kF32, {rows}, temperatures));
}

OpCase logProbabilityCase(int vocabulary, int rows, Random &random) {
  OpCase c;
  c.name = fmt::format("log_probability over {}", vocabulary);
  c.source = logProbabilitySource(vocabulary);
  c.dtype = DType::kF32;
  addRows(c, vocabulary, rows, random);
  c.perToken = {0, 1, 2};
  return c;
}

OpCase logProbabilityGradCase(int vocabulary, int rows, Random &random) {
  OpCase c;
  c.name = fmt::format("log_probability_grad over {}", vocabulary);
  c.source = fmt::format(R"mlir(
func.func @f(%dlogp: tensor<?xf32>, %dentropy: tensor<?xf32>, %logits: tensor<?x{0}xf32>, %targets: tensor<?xi32>,
    %temperature: tensor<?xf32>) -> tensor<?x{0}xf32> {{
  %logp, %lse, %entropy = nn.log_probability %logits, %targets, %temperature : tensor<?x{0}xf32>, tensor<?xi32>, tensor<?xf32>
  %d = nn.log_probability_grad %dlogp, %dentropy, %logits, %targets, %temperature, %lse, %entropy
      : tensor<?x{0}xf32>, tensor<?xi32>, tensor<?xf32>
  return %d : tensor<?x{0}xf32>
}})mlir",
                         vocabulary);
  c.dtype = DType::kF32;
  c.arguments.push_back(random.normal(DType::kF32, {rows}));
  c.arguments.push_back(random.normal(DType::kF32, {rows}, 0.1));
  addRows(c, vocabulary, rows, random);
  c.perToken = {0, 1, 2, 3, 4};
  // exp(x - lse) contains the rounding of x - lse, up to 2^-19 at |x| = 30.
  c.bound = 2e-5;
  return c;
}

const char *const kSumSource = R"mlir(
func.func @sum(%x: tensor<?xf32>) -> tensor<f32> {
  %s = nn.sum %x : tensor<?xf32> -> tensor<f32>
  return %s : tensor<f32>
}
func.func @broadcast(%x: tensor<f32>, %like: tensor<?xf32>) -> tensor<?xf32> {
  %y = nn.broadcast %x, %like : tensor<f32>, tensor<?xf32>
  return %y : tensor<?xf32>
})mlir";

AdamWCase adamWCase(DType dtype, const Shape &shape, Random &random) {
  std::string extents = shape.size() == 1
                            ? fmt::format("{}", shape[0])
                            : fmt::format("{}x{}", shape[0], shape[1]);
  AdamWCase c;
  c.source = withElement(fmt::format(R"mlir(
func.func @f(%p: tensor<{0}xf32> {{nn.state = "master:w"}}, %m: tensor<{0}xf32> {{nn.state = "moment1:w"}},
    %v: tensor<{0}xf32> {{nn.state = "moment2:w"}}, %g: tensor<{0}xf32> {{nn.state = "gradient:w"}}, %h: tensor<8xf32>)
    -> (tensor<{0}xf32>, tensor<{0}xf32>, tensor<{0}xf32>, tensor<{0}xE>) {{
  %p1, %m1, %v1, %w = nn.adamw %p, %m, %v, %g, %h : tensor<{0}xf32>, tensor<8xf32> -> tensor<{0}xE>
  return %p1, %m1, %v1, %w : tensor<{0}xf32>, tensor<{0}xf32>, tensor<{0}xf32>, tensor<{0}xE>
}})mlir",
                                     extents),
                         dtype);
  Tensor p = random.normal(DType::kF32, shape),
         m = random.normal(DType::kF32, shape),
         g = random.normal(DType::kF32, shape);
  Tensor v = random.normal(DType::kF32, shape, 0.1, 1.0);
  float h[8] = {0.01f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, 0.271f, 0.1426f};
  for (const Tensor *tensor : {&p, &m, &v, &g})
    c.arguments.push_back(copyOf(*tensor));
  c.arguments.push_back(
      makeTensor(DType::kF32, {8}, std::vector<double>(h, h + 8)));
  std::vector<double> weights;
  for (int64_t i = 0; i < p.elements(); ++i) {
    float gradient = g.as<float>()[i] * h[5];
    float &mi = m.as<float>()[i];
    float &vi = v.as<float>()[i];
    float &pi = p.as<float>()[i];
    mi = h[1] * mi + (1 - h[1]) * gradient;
    vi = h[2] * vi + (1 - h[2]) * gradient * gradient;
    pi = pi - h[0] * ((mi / h[6]) / (std::sqrt(vi / h[7]) + h[3]) + h[4] * pi);
    weights.push_back(pi);
  }
  c.expected.push_back(std::move(p));
  c.expected.push_back(std::move(m));
  c.expected.push_back(std::move(v));
  c.expected.push_back(makeTensor(dtype, shape, weights));
  return c;
}

std::vector<std::string> gatherSources(int features) {
  std::vector<std::string> sources;
  for (const char *op :
       {"nn.embedding %i, %x : tensor<?xi32>, tensor<50x{0}xE>",
        "nn.take_rows %x, %i : tensor<50x{0}xE>, tensor<?xi32>"})
    sources.push_back(fmt::format(R"mlir(
func.func @f(%x: tensor<50x{0}xE>, %i: tensor<?xi32>) -> tensor<?x{0}xE> {{
  %y = {1} -> tensor<?x{0}xE>
  return %y : tensor<?x{0}xE>
}})mlir",
                                  features,
                                  fmt::format(fmt::runtime(op), features)));
  return sources;
}

std::string embeddingGradSource(int rows, int features) {
  return fmt::format(R"mlir(
func.func @f(%dy: tensor<?x{1}xE>, %tokens: tensor<?xi32>, %init: tensor<{0}x{1}xf32> {{nn.state = "gradient:w"}}) -> tensor<{0}x{1}xf32> {{
  %g = nn.embedding_grad %dy, %tokens, %init : tensor<?x{1}xE>, tensor<?xi32>, tensor<{0}x{1}xf32>
  return %g : tensor<{0}x{1}xf32>
}})mlir",
                     rows, features);
}

Tensor embeddingGradOf(const Tensor &dy, const Tensor &tokens,
                       const Tensor &init) {
  Tensor result = copyOf(init);
  int64_t features = init.shape()[1];
  auto values = valuesOf(dy);
  for (int64_t t = 0; t < tokens.elements(); ++t)
    for (int64_t j = 0; j < features; ++j)
      result.as<float>()[tokens.as<int32_t>()[t] * features + j] +=
          static_cast<float>(values[t * features + j]);
  return result;
}

std::string sumTokensSource(int features) {
  return fmt::format(R"mlir(
func.func @f(%x: tensor<?x{0}xE>, %init: tensor<{0}xf32> {{nn.state = "gradient:b"}}) -> tensor<{0}xf32> {{
  %s = nn.sum_tokens %x, %init : tensor<?x{0}xE>, tensor<{0}xf32>
  return %s : tensor<{0}xf32>
}})mlir",
                     features);
}

Tensor sumTokensOf(const Tensor &x, const Tensor &init) {
  Tensor result = copyOf(init);
  auto values = valuesOf(x);
  for (size_t i = 0; i < values.size(); ++i)
    result.as<float>()[static_cast<int64_t>(i) % init.elements()] +=
        static_cast<float>(values[i]);
  return result;
}

static OpCase opCase(std::string name, DType dtype, std::string source,
                     std::vector<int> perToken) {
  OpCase c;
  c.name = fmt::format("{} {}", name, nameOf(dtype));
  c.source = std::move(source);
  c.dtype = dtype;
  c.perToken = std::move(perToken);
  return c;
}

OpCase ropeCase(DType dtype, int half, bool inverse, Random &random) {
  const char *flag = inverse ? " {inverse}" : "";
  OpCase c = opCase(fmt::format("rope of {}{}", 2 * half, flag), dtype,
                    fmt::format(R"mlir(
func.func @f(%x: tensor<?x{0}xE>, %cos: tensor<?x{1}xf32>, %sin: tensor<?x{1}xf32>) -> tensor<?x{0}xE> {{
  %y = nn.rope %x, %cos, %sin{2} : tensor<?x{0}xE>, tensor<?x{1}xf32>
  return %y : tensor<?x{0}xE>
}})mlir",
                                6 * half, half, flag),
                    {0, 1, 2});
  c.arguments.push_back(random.normal(dtype, {9, 6 * half}));
  c.arguments.push_back(random.normal(DType::kF32, {9, half}));
  c.arguments.push_back(random.normal(DType::kF32, {9, half}));
  return c;
}

OpCase ropeTableCase(DType dtype, Random &random) {
  OpCase c = opCase("rope_table", dtype, R"mlir(
func.func @f(%p: tensor<?xi32>) -> (tensor<?x18xf32>, tensor<?x18xf32>) {
  %c, %s = nn.rope_table %p {inverse_frequencies = array<f32: 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.09, 0.05, 0.02, 0.01,
      0.002, 0.0005, 0.0001, 0.00001>, attention_factor = 1.25 : f32} : tensor<?xi32> -> tensor<?x18xf32>
  return %c, %s : tensor<?x18xf32>, tensor<?x18xf32>
})mlir",
                    {0});
  c.arguments.push_back(random.indices({200}, 1 << 18));
  c.bound = 1e-6; // angles are float32 in the reference too
  return c;
}

OpCase swigluCase(DType dtype, int features, Random &random) {
  OpCase c = opCase(fmt::format("swiglu of {}", features), dtype,
                    fmt::format(R"mlir(
func.func @f(%gate: tensor<?x{0}xE>, %up: tensor<?x{0}xE>) -> tensor<?x{0}xE> {{
  %y = nn.swiglu %gate, %up : tensor<?x{0}xE>
  return %y : tensor<?x{0}xE>
}})mlir",
                                features),
                    {0, 1});
  c.arguments.push_back(random.normal(dtype, {7, features}, 4.0));
  c.arguments.push_back(random.normal(dtype, {7, features}));
  return c;
}

OpCase swigluGradCase(DType dtype, int features, Random &random) {
  OpCase c = opCase(fmt::format("swiglu_grad of {}", features), dtype,
                    fmt::format(R"mlir(
func.func @f(%dy: tensor<?x{0}xE>, %gate: tensor<?x{0}xE>, %up: tensor<?x{0}xE>) -> (tensor<?x{0}xE>, tensor<?x{0}xE>) {{
  %dgate, %dup = nn.swiglu_grad %dy, %gate, %up : tensor<?x{0}xE>
  return %dgate, %dup : tensor<?x{0}xE>, tensor<?x{0}xE>
}})mlir",
                                features),
                    {0, 1, 2});
  c.arguments.push_back(random.normal(dtype, {7, features}));
  c.arguments.push_back(random.normal(dtype, {7, features}, 4.0));
  c.arguments.push_back(random.normal(dtype, {7, features}));
  return c;
}

Tensor Batch::positions() const {
  std::vector<int> values;
  for (size_t s = 0; s < lengths.size(); ++s)
    for (int i = 0; i < lengths[s]; ++i)
      values.push_back(first[s] + i);
  return makeIndices({static_cast<int64_t>(values.size())}, values);
}

Tensor Batch::sequences() const {
  std::vector<int> offsets = {0};
  for (int length : lengths)
    offsets.push_back(offsets.back() + length);
  return makeIndices({static_cast<int64_t>(offsets.size())}, offsets);
}

int Batch::tokens() const {
  return std::accumulate(lengths.begin(), lengths.end(), 0);
}

void replaceEach(std::string &text, const std::string &from,
                 const std::string &to) {
  for (size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

} // namespace nibble::test
