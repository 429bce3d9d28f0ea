// nn.linear, qat.linear and their gradients equal the scalar oracle bit for
// bit. The cases vary tokens, extents, kinds of weight and threads (one or
// two). The vectors have 512, 256 or 128 bits.
#include "lib/Numerics/quantize.h"
#include "test/passes/LowerToHost/HostProgram.h"
#include "test/passes/LowerToHost/LinearOracle.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace nibble::test {
namespace {

const int64_t kTokens[] = {1, 2, 3, 7, 8, 16, 33, 128};

struct Case {
  int64_t n, k;
  std::string activation = "bf16"; // type of x, y, dy, dx
  // Or "f32", or a scheme and a layout: "<int4, group_size = 32>, host".
  std::string weight = "bf16";
  bool bias = false, residual = false;
  std::string result = "bf16"; // type of y

  bool isPacked() const { return weight.front() == '<'; }
  std::string packedType() const {
    return fmt::format("!qat.packed<{}x{}, {}>", n, k, weight);
  }
  std::string weightType() const {
    return isPacked() ? packedType()
                      : fmt::format("tensor<{}x{}x{}>", n, k, weight);
  }
  std::string dialect() const { return isPacked() ? "qat" : "nn"; }
};

void PrintTo(const Case &c, std::ostream *out) {
  *out << fmt::format("x {} w {} y {}{}{}", c.activation, c.weightType(),
                      c.result, c.bias ? " bias" : "",
                      c.residual ? " residual" : "");
}

DType dtypeNamed(const std::string &name) {
  return name == "f32" ? DType::kF32 : DType::kBF16;
}

// The weight in the kernel's form, and its numeric values.
struct Weight {
  Tensor memory;
  Matrix values;
};

Weight makeWeight(const Case &c, Random &random) {
  Tensor plain = random.normal(
      c.isPacked() ? DType::kBF16 : dtypeNamed(c.weight), {c.n, c.k}, 0.05);
  if (!c.isPacked())
    return {copyOf(plain), Matrix(plain)};
  std::string type = c.packedType();
  auto layout = numerics::parsePacked(type);
  if (!layout)
    throw std::runtime_error(type + " is not a packed type");
  Tensor slab = *Tensor::create(DType::kU8, {layout->bytes()});
  if (numerics::quantizeMatrix(plain.as<uint16_t>(), *layout,
                               slab.as<uint8_t>()))
    throw std::runtime_error("not finite");
  numerics::dequantizeMatrix(slab.as<uint8_t>(), *layout, plain.as<uint16_t>());
  return {std::move(slab), Matrix(plain)};
}

std::string forwardSource(const Case &c) {
  std::string x = fmt::format("tensor<?x{}x{}>", c.k, c.activation);
  std::string y = fmt::format("tensor<?x{}x{}>", c.n, c.result);
  std::string bias = fmt::format("tensor<{}x{}>", c.n, c.activation);
  std::string arguments = fmt::format("%x: {}, %w: {}", x, c.weightType());
  std::string optional;
  if (c.bias) {
    arguments += ", %b: " + bias;
    optional += " bias(%b : " + bias + ")";
  }
  if (c.residual) {
    arguments += ", %r: " + y;
    optional += " residual(%r : " + y + ")";
  }
  return fmt::format("func.func @f({}) -> {} {{\n  %y = {}.linear %x, %w{} : "
                     "{}, {} -> {}\n  return %y : {}\n}}",
                     arguments, y, c.dialect(), optional, x, c.weightType(), y,
                     y);
}

std::string inputGradSource(const Case &c) {
  std::string dy = fmt::format("tensor<?x{}x{}>", c.n, c.activation);
  std::string dx = fmt::format("tensor<?x{}x{}>", c.k, c.activation);
  return fmt::format("func.func @f(%dy: {}, %w: {}) -> {} {{\n  %dx = "
                     "{}.linear_input_grad %dy, %w : {}, {} -> {}\n"
                     "  return %dx : {}\n}}",
                     dy, c.weightType(), dx, c.dialect(), dy, c.weightType(),
                     dx, dx);
}

std::string weightGradSource(const Case &c) {
  std::string dy = fmt::format("tensor<?x{}x{}>", c.n, c.activation);
  std::string x = fmt::format("tensor<?x{}x{}>", c.k, c.activation);
  std::string dw = fmt::format("tensor<{}x{}xf32>", c.n, c.k);
  return fmt::format("func.func @f(%dy: {0}, %x: {1}, %init: {2} {{nn.state = "
                     "\"gradient\"}}) -> {2} {{\n"
                     "  %dw = nn.linear_weight_grad %dy, %x, %init : {0}, {1}, "
                     "{2}\n  return %dw : {2}\n}}",
                     dy, x, dw);
}

// The other CPU's code differs in its tiles only, so it is called with one
// thread.
std::vector<int> threadsOf(const std::string &cpu) {
  return cpu == "host" ? std::vector<int>{1, 2} : std::vector<int>{1};
}

class LinearTest : public testing::TestWithParam<Case> {};

TEST_P(LinearTest, forwardIsTheOracle) {
  const Case &c = GetParam();
  Random random(1);
  Weight weight = makeWeight(c, random);
  Tensor bias = random.normal(dtypeNamed(c.activation), {c.n});
  Matrix biasValues(bias);
  int64_t compared = 0;
  for (const char *cpu : {"host", "haswell"}) {
    HostProgram program(forwardSource(c), cpu);
    for (int64_t tokens : kTokens) {
      Tensor x = random.normal(dtypeNamed(c.activation), {tokens, c.k});
      Tensor residual = random.normal(dtypeNamed(c.result), {tokens, c.n});
      Matrix residualValues(residual);
      Tensor expected = tensorOf(
          linear(Matrix(x), weight.values, c.bias ? &biasValues : nullptr,
                 c.residual ? &residualValues : nullptr, c.result == "bf16"),
          dtypeNamed(c.result));
      std::vector<const Tensor *> arguments{&x, &weight.memory};
      if (c.bias)
        arguments.push_back(&bias);
      if (c.residual)
        arguments.push_back(&residual);
      for (int threads : threadsOf(cpu)) {
        Tensor y = std::move(program.call("f", arguments, threads).front());
        ASSERT_TRUE(sameBits(y, expected))
            << cpu << ", " << tokens << " tokens, " << threads
            << " threads: " << difference(y, expected);
        compared += y.elements();
      }
    }
  }
  std::cout << compared << " outputs equal to the oracle, ";
  PrintTo(c, &std::cout);
  std::cout << "\n";
}

TEST_P(LinearTest, inputGradIsTheOracle) {
  const Case &c = GetParam();
  Random random(2);
  Weight weight = makeWeight(c, random);
  int64_t compared = 0;
  for (const char *cpu : {"host", "haswell"}) {
    HostProgram program(inputGradSource(c), cpu);
    for (int64_t tokens : {1, 2, 3, 7, 8, 16, 33, 128, 500}) {
      Tensor dy = random.normal(dtypeNamed(c.activation), {tokens, c.n});
      Tensor expected = tensorOf(
          linearInputGrad(Matrix(dy), weight.values, c.activation == "bf16"),
          dtypeNamed(c.activation));
      for (int threads : threadsOf(cpu)) {
        Tensor dx = std::move(
            program.call("f", {&dy, &weight.memory}, threads).front());
        ASSERT_TRUE(sameBits(dx, expected))
            << cpu << ", " << tokens << " tokens, " << threads
            << " threads: " << difference(dx, expected);
        compared += dx.elements();
      }
    }
  }
  std::cout << compared << " gradients equal to the oracle\n";
}

class LinearWeightGradTest : public testing::TestWithParam<Case> {};

TEST_P(LinearWeightGradTest, isTheOracle) {
  const Case &c = GetParam();
  Random random(3);
  int64_t compared = 0;
  for (const char *cpu : {"host", "haswell"}) {
    HostProgram program(weightGradSource(c), cpu);
    for (int64_t tokens : {1, 7, 33, 128, 300}) {
      Tensor dy = random.normal(dtypeNamed(c.activation), {tokens, c.n});
      Tensor x = random.normal(dtypeNamed(c.activation), {tokens, c.k});
      Tensor init = random.normal(DType::kF32, {c.n, c.k});
      Tensor expected = tensorOf(
          linearWeightGrad(Matrix(dy), Matrix(x), Matrix(init)), DType::kF32);
      for (int threads : threadsOf(cpu)) {
        Tensor dw = copyOf(init);
        program.call("f", {&dy, &x, &dw}, threads);
        ASSERT_TRUE(sameBits(dw, expected))
            << cpu << ", " << tokens << " tokens, " << threads
            << " threads: " << difference(dw, expected);
        compared += dw.elements();
      }
    }
  }
  std::cout << compared << " gradients equal to the oracle\n";
}

// Packed weights are not here, because they have no gradient.
const Case kPlain[] = {Case{.n = 64, .k = 256},
                       Case{.n = 13, .k = 48, .bias = true},
                       Case{.n = 3, .k = 5},
                       Case{.n = 65, .k = 200, .bias = true, .residual = true},
                       Case{.n = 40, .k = 1300, .residual = true},
                       Case{.n = 24, .k = 128, .result = "f32"},
                       Case{.n = 21,
                            .k = 77,
                            .activation = "f32",
                            .weight = "f32",
                            .bias = true,
                            .residual = true,
                            .result = "f32"},
                       Case{.n = 16,
                            .k = 2112,
                            .activation = "f32",
                            .weight = "f32",
                            .result = "f32"},
                       Case{.n = 200, .k = 64}};
INSTANTIATE_TEST_SUITE_P(Plain, LinearTest, testing::ValuesIn(kPlain));
INSTANTIATE_TEST_SUITE_P(Plain, LinearWeightGradTest,
                         testing::ValuesIn(kPlain));

INSTANTIATE_TEST_SUITE_P(
    Packed, LinearTest,
    testing::Values(
        Case{.n = 64, .k = 256, .weight = "<int4, group_size = 32>, host"},
        Case{.n = 13,
             .k = 96,
             .weight = "<int4, group_size = 16>, host",
             .bias = true},
        Case{.n = 65,
             .k = 192,
             .weight = "<int4, group_size = 64>, host",
             .bias = true,
             .residual = true},
        Case{.n = 40,
             .k = 1280,
             .weight = "<int4, group_size = 128>, host",
             .residual = true},
        Case{.n = 19, .k = 77, .weight = "<int4, group_size = 0>, host"},
        Case{.n = 24,
             .k = 1440,
             .weight = "<int4, group_size = 32>, host",
             .result = "f32"},
        Case{
            .n = 9, .k = 160, .weight = "<int4, group_size = 32>, interchange"},
        Case{.n = 9, .k = 20, .weight = "<int4, group_size = 0>, interchange"},
        Case{.n = 17,
             .k = 96,
             .weight = "<int4, group_size = 32, convention = "
                       "compressed_tensors>, host"},
        Case{.n = 17,
             .k = 96,
             .weight = "<int4, group_size = 32, convention = slime>, host"},
        Case{.n = 17, .k = 96, .weight = "<int8, group_size = 32>, host"},
        Case{.n = 11,
             .k = 45,
             .weight = "<int8, group_size = 0>, host",
             .bias = true},
        Case{.n = 150, .k = 200, .weight = "<fp8, group_size = 128>, host"},
        Case{.n = 65,
             .k = 192,
             .weight = "<mxfp4, group_size = 32>, host",
             .bias = true,
             .residual = true},
        Case{.n = 24,
             .k = 1440,
             .weight = "<mxfp4, group_size = 32>, host",
             .result = "f32"},
        Case{.n = 9,
             .k = 160,
             .weight = "<mxfp4, group_size = 32>, interchange"},
        Case{.n = 32,
             .k = 128,
             .activation = "f32",
             .weight = "<int4, group_size = 32>, host",
             .result = "f32"}));

} // namespace
} // namespace nibble::test
