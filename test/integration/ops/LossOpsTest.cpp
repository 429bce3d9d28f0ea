// Compares log-probability, sums, the optimizer and elementwise objectives
// between host and reference.
#include "test/integration/ops/Compare.h"

namespace nibble {
namespace {

using LossOpsTest = OpTest;
NIBBLE_FOR_EACH_TYPE(LossOpsTest);

const std::vector<int64_t> kTokens = {0, 1, 5, 33};

TEST_P(LossOpsTest, LogProbabilityAndGradient) {
  for (int64_t vocabulary : {3, 16, 1003}) {
    std::string l = "tensor<?x" + std::to_string(vocabulary) + "xf32>";
    std::string forward = "func.func @f(%l: " + l +
                          R"(, %t: tensor<?xi32>, %u: tensor<?xf32>)
        -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) {
      %logp, %lse, %entropy = nn.log_probability %l, %t, %u : )" +
                          l + R"(, tensor<?xi32>, tensor<?xf32>
      return %logp, %lse, %entropy : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>
    })";
    std::string backward =
        "func.func @f(%l: " + l +
        R"(, %t: tensor<?xi32>, %u: tensor<?xf32>, %dlogp: tensor<?xf32>,
        %dentropy: tensor<?xf32>, %lse: tensor<?xf32>, %entropy: tensor<?xf32>) -> )" +
        l + R"( {
      %dl = nn.log_probability_grad %dlogp, %dentropy, %l, %t, %u, %lse, %entropy : )" +
        l + R"(, tensor<?xi32>, tensor<?xf32>
      return %dl : )" +
        l + "\n}";
    auto rows = [&](int64_t T) {
      ReferenceValue temperature = numbers({T}, f32);
      for (double &element : temperature.reals)
        element = roundTo(0.5 + std::fabs(element), f32);
      return Arguments{numbers({T, vocabulary}, f32, 3.0),
                       indices({T}, vocabulary), temperature};
    };
    compare(forward, kTokens, rows);
    compare(backward, kTokens, [&](int64_t T) {
      Arguments given = rows(T);
      std::vector<ReferenceValue> results = reference(forward, given);
      given.insert(given.end(), {numbers({T}, f32), numbers({T}, f32),
                                 results[1], results[2]});
      return given;
    });
  }
}

TEST_P(LossOpsTest, Sums) {
  compare(
      R"(func.func @f(%x: tensor<?xf32>, %m: tensor<?x21xf32>, %i: tensor<f32>)
      -> (tensor<f32>, tensor<?xf32>, tensor<f32>, tensor<f32>) {
    %s = nn.sum %x : tensor<?xf32> -> tensor<f32>
    %y = nn.broadcast %i, %x : tensor<f32>, tensor<?xf32>
    %q = nn.square_sum %i, %m : tensor<f32>, tensor<?x21xf32>
    %v = nn.square_sum %i, %x, %m, %x : tensor<f32>, tensor<?xf32>, tensor<?x21xf32>, tensor<?xf32>
    return %s, %y, %q, %v : tensor<f32>, tensor<?xf32>, tensor<f32>, tensor<f32>
  })",
      {0, 1, 5, 33, 1000}, [&](int64_t T) {
        // Values away from 0, so that the sum is no difference of large
        // numbers.
        return Arguments{numbers({T}, f32, 1.0, 3.0), numbers({T, 21}, f32),
                         numbers({}, f32, 0.1, 2.0)};
      });
}

TEST_P(LossOpsTest, AdamW) {
  compare(
      R"(func.func @f(%p: tensor<?x19xf32>, %m: tensor<?x19xf32>, %v: tensor<?x19xf32>, %g: tensor<?x19xf32>, %h: tensor<8xf32>)
      -> (tensor<?x19xf32>, tensor<?x19xf32>, tensor<?x19xf32>, tensor<?x19x$E>) {
    %p1, %m1, %v1, %w = nn.adamw %p, %m, %v, %g, %h : tensor<?x19xf32>, tensor<8xf32> -> tensor<?x19x$E>
    return %p1, %m1, %v1, %w : tensor<?x19xf32>, tensor<?x19xf32>, tensor<?x19xf32>, tensor<?x19x$E>
  })",
      kTokens, [&](int64_t T) {
        ReferenceValue second = numbers({T, 19}, f32);
        for (double &element : second.reals)
          element = roundTo(element * element, f32);
        return Arguments{
            numbers({T, 19}, f32), numbers({T, 19}, f32), second,
            numbers({T, 19}, f32),
            ReferenceValue::tensor(
                {8}, f32, {0.01, 0.9, 0.999, 1e-8, 0.1, 0.5, 0.19, 0.002})};
      });
}

// A clipped ratio as in policy gradients, written in arith and math over
// vectors like an objective.
TEST_P(LossOpsTest, ElementwiseObjective) {
  compare(
      R"(func.func @f(%logp: tensor<?xf32>, %old: tensor<?xf32>, %advantage: tensor<?xf32>) -> (tensor<?xf32>, tensor<f32>) {
    %c0 = arith.constant 0 : index
    %low = arith.constant 0.8 : f32
    %high = arith.constant 1.2 : f32
    %n = tensor.dim %logp, %c0 : tensor<?xf32>
    %lows = tensor.splat %low[%n] : tensor<?xf32>
    %highs = tensor.splat %high[%n] : tensor<?xf32>
    %d = arith.subf %logp, %old : tensor<?xf32>
    %r = math.exp %d : tensor<?xf32>
    %a = arith.maximumf %r, %lows : tensor<?xf32>
    %clipped = arith.minimumf %a, %highs : tensor<?xf32>
    %u = arith.mulf %r, %advantage : tensor<?xf32>
    %v = arith.mulf %clipped, %advantage : tensor<?xf32>
    %term = arith.minimumf %u, %v : tensor<?xf32>
    %loss = arith.negf %term : tensor<?xf32>
    %total = nn.sum %loss : tensor<?xf32> -> tensor<f32>
    return %loss, %total : tensor<?xf32>, tensor<f32>
  })",
      kTokens, [&](int64_t T) {
        return Arguments{numbers({T}, f32), numbers({T}, f32),
                         numbers({T}, f32, 0.3, 2.0)};
      });
}

} // namespace
} // namespace nibble
