// Calls without tokens. Every per-token op returns no rows and leaves its
// accumulators unchanged. The calls run with checked accesses, from one arena,
// and through the driver cuda, which refuses empty grids and tensor maps
// without rows.
#include "runtime/bundle/device/device_backend.h"
#include "runtime/drivers/cuda/cuda.h"
#include "runtime/drivers/simt/simt.h"
#include "test/passes/LowerToHopper/DeviceProgram.h"

#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

struct EmptyCase {
  // Used in `func.func @f(signature) { body }`.
  const char *name, *signature, *body;
  // Shapes of the arguments; `dtypes` gives their types.
  std::vector<Shape> shapes;
  // 'b' is bf16, 'f' is float32, 'i' is int32 zeros, 'p' is bytes.
  std::string dtypes;
};

std::vector<EmptyCase> cases() {
  return {
      {"linear",
       "%x: tensor<?x128xbf16>, %w: tensor<64x128xbf16>) -> tensor<?x64xbf16>",
       "%y = nn.linear %x, %w : tensor<?x128xbf16>, tensor<64x128xbf16> -> "
       "tensor<?x64xbf16>\n return %y : tensor<?x64xbf16>",
       {{0, 128}, {64, 128}},
       "bb"},
      {"packed linear of two splits, with residual",
       "%x: tensor<?x1024xbf16>, %w: !qat.packed<64x1024, <int4, group_size = "
       "32>, hopper> {nn.parameter = \"w\"}, %r: tensor<?x64xbf16>) -> "
       "tensor<?x64xbf16>",
       "%y = qat.linear %x, %w residual(%r : tensor<?x64xbf16>) : "
       "tensor<?x1024xbf16>, !qat.packed<64x1024, <int4, group_size = 32>, "
       "hopper> -> "
       "tensor<?x64xbf16>\n return %y : tensor<?x64xbf16>",
       {{0, 1024}, {64 * 1024 / 2 + 64 * 1024 / 32 * 2}, {0, 64}},
       "bpb"},
      {"gradients of a linear",
       "%dy: tensor<?x64xf32>, %x: tensor<?x128xbf16>, %w: "
       "tensor<64x128xbf16>, %g: tensor<64x128xf32> {nn.state = \"g\"}) -> "
       "(tensor<?x128xbf16>, "
       "tensor<64x128xf32>)",
       "%dx = nn.linear_input_grad %dy, %w : tensor<?x64xf32>, "
       "tensor<64x128xbf16> -> tensor<?x128xbf16>\n"
       "%dw = nn.linear_weight_grad %dy, %x, %g : tensor<?x64xf32>, "
       "tensor<?x128xbf16>, tensor<64x128xf32>\n"
       "return %dx, %dw : tensor<?x128xbf16>, tensor<64x128xf32>",
       {{0, 64}, {0, 128}, {64, 128}, {64, 128}},
       "fbbf"},
      {"attention and its gradient",
       "%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %positions: "
       "tensor<?xi32>, %sequences: tensor<?xi32>) -> (tensor<?x64xbf16>, "
       "tensor<?x32xbf16>)",
       "%y, %lse = nn.attention %q, %k, %k, %positions, %sequences {heads = 4 "
       ": i64, kv_heads = 2 : i64, scale = 0.25 : f32, kv_block = 64 : i64, "
       "window = 0 : i64}\n"
       " : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32> "
       "-> tensor<?x4xf32>\n"
       "%dq, %dk, %dv = nn.attention_grad %q, %q, %k, %k, %y, %lse, "
       "%positions, %sequences {heads = 4 : i64, kv_heads = 2 : i64, scale = "
       "0.25 : f32, kv_block = 64 : i64, window = 0 : i64}\n"
       " : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x4xf32>, "
       "tensor<?xi32>, tensor<?xi32>\n"
       "return %dq, %dk : tensor<?x64xbf16>, tensor<?x32xbf16>",
       {{0, 64}, {0, 32}, {0}, {1}},
       "bbii"},
      {"attention of sequences without tokens",
       "%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %positions: "
       "tensor<?xi32>, %sequences: tensor<?xi32>) -> tensor<?x64xbf16>",
       "%y, %lse = nn.attention %q, %k, %k, %positions, %sequences {heads = 4 "
       ": i64, kv_heads = 2 : i64, scale = 0.25 : f32, kv_block = 64 : i64, "
       "window = 0 : i64}\n"
       " : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32> "
       "-> tensor<?x4xf32>\n"
       "return %y : tensor<?x64xbf16>",
       {{0, 64}, {0, 32}, {0}, {3}},
       "bbii"},
      {"paged attention",
       "%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %positions: "
       "tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>, "
       "%kc: tensor<?x2x16x64xbf16> "
       "{nn.state = \"key_cache:0\"}, %vc: tensor<?x2x64x16xbf16> {nn.state = "
       "\"value_cache:0\"}) -> (tensor<?x64xbf16>, tensor<?x2x16x64xbf16>, "
       "tensor<?x2x64x16xbf16>)",
       "%kc1, %vc1 = nn.cache_write %k, %k, %kc, %vc, %positions, %sequences, "
       "%pages\n"
       " : tensor<?x32xbf16>, tensor<?x2x16x64xbf16>, tensor<?x2x64x16xbf16>, "
       "tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>\n"
       "%y = nn.paged_attention %q, %kc1, %vc1, %positions, %sequences, %pages "
       "{heads = 4 : i64, kv_heads = 2 : i64, scale = 0.25 : f32, kv_block = "
       "64 : i64, window = 0 : i64}\n"
       " : tensor<?x64xbf16>, tensor<?x2x16x64xbf16>, tensor<?x2x64x16xbf16>, "
       "tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>\n"
       "return %y, %kc1, %vc1 : tensor<?x64xbf16>, tensor<?x2x16x64xbf16>, "
       "tensor<?x2x64x16xbf16>",
       {{0, 64}, {0, 32}, {0}, {1}, {0, 0}, {3, 2, 16, 64}, {3, 2, 64, 16}},
       "bbiiibb"},
      {"log-probability and its gradient",
       "%logits: tensor<?x100xf32>, %targets: tensor<?xi32>, %temperature: "
       "tensor<?xf32>) -> (tensor<?xf32>, tensor<?x100xf32>)",
       "%logp, %lse, %entropy = nn.log_probability %logits, %targets, "
       "%temperature : tensor<?x100xf32>, tensor<?xi32>, tensor<?xf32>\n"
       "%d = nn.log_probability_grad %logp, %logp, %logits, %targets, "
       "%temperature, %lse, %entropy : tensor<?x100xf32>, tensor<?xi32>, "
       "tensor<?xf32>\n"
       "return %logp, %d : tensor<?xf32>, tensor<?x100xf32>",
       {{0, 100}, {0}, {0}},
       "fif"},
      {"elementwise and swiglu",
       "%x: tensor<?x20xbf16>) -> tensor<?x20xbf16>",
       "%0 = arith.addf %x, %x : tensor<?x20xbf16>\n %y = nn.swiglu %0, %x : "
       "tensor<?x20xbf16>\n return %y : tensor<?x20xbf16>",
       {{0, 20}},
       "b"},
  };
}

std::vector<std::shared_ptr<Device>> devices() {
  SimtOptions unchecked;
  unchecked.checks = SimtOptions::kOff;
  CudaOptions cuda;
  cuda.library = NIBBLE_SIMT_CUDA;
  std::vector<std::shared_ptr<Device>> all;
  for (auto opened : {openSimt({}), openSimt(unchecked), openCuda(cuda)}) {
    EXPECT_TRUE(opened.isOk()) << opened.status().message();
    if (opened.isOk())
      all.push_back(*opened);
  }
  return all;
}

std::vector<Tensor> argumentsOf(const EmptyCase &c, Random &random) {
  std::vector<Tensor> arguments;
  for (size_t i = 0; i < c.shapes.size(); ++i) {
    const Shape &shape = c.shapes[i];
    if (c.dtypes[i] == 'p')
      arguments.push_back(*Tensor::create(DType::kU8, shape));
    else if (c.dtypes[i] == 'i')
      arguments.push_back(random.indices(shape, 1));
    else
      arguments.push_back(random.normal(
          c.dtypes[i] == 'f' ? DType::kF32 : DType::kBF16, shape));
  }
  return arguments;
}

TEST(HopperEmpty, ACallOfNoTokensReturnsNoneAndLeavesTheRest) {
  Random random(1);
  for (const EmptyCase &c : cases()) {
    CompiledForDevice compiled(std::string("func.func @f(") + c.signature +
                               " {\n" + c.body + "\n}");
    for (const std::shared_ptr<Device> &device : devices()) {
      SCOPED_TRACE(c.name + (" on " + device->describe()));
      auto residence = std::make_shared<DeviceResidence>(device);
      auto program = loadDeviceProgram(compiled.deviceProgram(), residence);
      ASSERT_TRUE(program.isOk()) << program.status().message();
      auto function = program->function("f");
      ASSERT_TRUE(function.isOk());
      std::vector<Tensor> arguments = argumentsOf(c, random);
      std::vector<Tensor> before;
      for (size_t i = 0; i < arguments.size(); ++i) {
        before.push_back(copyOf(arguments[i]));
        ASSERT_TRUE(
            function->bind(static_cast<int>(i), arguments[i].view()).isOk());
      }
      // Call often enough for the device to record and replay a graph.
      for (int call = 0; call < 4; ++call) {
        Arena arena;
        auto results = function->call(arena);
        ASSERT_TRUE(results.isOk()) << results.status().message();
        for (const TensorView &result : *results)
          EXPECT_EQ(result.elements(), 0);
      }
      for (size_t i = 0; i < arguments.size(); ++i) {
        ASSERT_TRUE(residence->fetch(arguments[i].view()).isOk());
        EXPECT_EQ(difference(arguments[i], before[i]), "the same")
            << "argument " << i;
        residence->forget(arguments[i].view());
      }
    }
  }
}

} // namespace
