// The optimizer's update of several parameters at once. Its bits are those of
// the formula and of lib/Numerics, and it takes few launches.
#include "test/passes/LowerToHopper/DeviceProgram.h"
#include "test/passes/LowerToHost/OpCases.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace nibble::test {
namespace {

using numerics::Layout;

struct Parameter {
  Shape shape;
  std::string scheme; // empty when it is not quantized
};

// The update that nibble-build-update makes for a device, and its expected
// results, which are all state.
struct Update {
  OpCase op;
  std::vector<Tensor> expected;
};

std::string typeOf(const Shape &shape, const char *element) {
  return fmt::format("tensor<{}x{}>", fmt::join(shape, "x"), element);
}

Update makeUpdate(const std::vector<Parameter> &parameters, const char *element,
                  Random &random) {
  Update update;
  std::vector<std::string> inputs = {
      "%h: tensor<8xf32> {nn.input = \"hyper\"}"};
  std::vector<std::string> results;
  std::vector<std::string> values;
  std::vector<std::string> ops;
  std::vector<std::string> types;
  auto add = [&](const std::string &kind, size_t number,
                 const std::string &type, Tensor before, Tensor after) {
    inputs.push_back(fmt::format("%{0}{1}: {2} {{nn.state = \"{0}:{1}\"}}",
                                 kind, number, type));
    update.op.arguments.push_back(std::move(before));
    if (kind == "gradient")
      return;
    update.op.inPlace.push_back(
        {static_cast<int>(update.op.arguments.size()) - 1,
         static_cast<int>(update.expected.size())});
    update.expected.push_back(std::move(after));
    results.push_back(
        fmt::format("{} {{nn.output = \"{}:{}\"}}", type, kind, number));
    values.push_back(fmt::format("%new_{}{}", kind, number));
    types.push_back(type);
  };
  DType dtype = element[0] == 'b' ? DType::kBF16 : DType::kF32;
  for (const auto &[number, parameter] : llvm::enumerate(parameters)) {
    AdamWCase c = adamWCase(dtype, parameter.shape, random);
    if (number == 0)
      update.op.arguments.push_back(copyOf(c.arguments[4]));
    std::string wide = typeOf(parameter.shape, "f32");
    std::string narrow = typeOf(parameter.shape, element);
    Tensor weight = copyOf(c.expected[3]);
    for (int i = 0; i < 3; ++i)
      add(i == 0 ? "master" : fmt::format("moment{}_", i), number, wide,
          std::move(c.arguments[i]), std::move(c.expected[i]));
    add("gradient", number, wide, std::move(c.arguments[3]), Tensor());
    add("weight", number, narrow, *Tensor::create(dtype, parameter.shape),
        std::move(c.expected[3]));
    ops.push_back(
        fmt::format("  %new_master{0}, %new_moment1_{0}, %new_moment2_{0}, "
                    "%new_weight{0} = nn.adamw %master{0}, "
                    "%moment1_{0}, %moment2_{0}, %gradient{0}, %h : {1}, "
                    "tensor<8xf32> -> {2}",
                    number, wide, narrow));
    if (parameter.scheme.empty())
      continue;
    QuantizeCase quantized{parameter.shape[0], parameter.shape[1],
                           parameter.scheme};
    Tensor rounded =
        makeTensor(DType::kBF16, parameter.shape, valuesOf(weight));
    Tensor slab = quantized.slabOf(rounded, Layout::kHopper);
    add("packed", number, quantized.packed(Layout::kHopper),
        *Tensor::create(DType::kU8, slab.shape()), copyOf(slab));
    ops.push_back(fmt::format(
        "  %new_packed{0} = qat.quantize %new_weight{0} : {1} -> {2}", number,
        narrow, types.back()));
  }
  update.op.name = fmt::format("update of {} parameters", parameters.size());
  update.op.source = fmt::format(
      "func.func @f({}) -> ({}) {{\n{}\n  return {} : {}\n}}\n",
      fmt::join(inputs, ", "), fmt::join(results, ", "), fmt::join(ops, "\n"),
      fmt::join(values, ", "), fmt::join(types, ", "));
  return update;
}

// Names of the kernels that a function launches.
std::vector<std::string> launchesOf(const CompiledForDevice &program,
                                    std::string_view function) {
  std::vector<std::string> names;
  const DeviceProgram &compiled = program.deviceProgram();
  for (const ProgramFunction &one : compiled.functions)
    if (one.name == function)
      for (const Command &command : one.commands)
        if (command.opcode == Opcode::kLaunch)
          names.push_back(compiled.kernels[command.value].name);
  return names;
}

void expectUpdated(const Update &update, size_t launches) {
  CompiledForDevice program(update.op.source);
  std::vector<std::string> names = launchesOf(program, "f");
  EXPECT_EQ(names.size(), launches)
      << fmt::format("{}", fmt::join(names, ", "));
  checkExactlyOnDevice(program, update.op, update.expected);
}

// A single update rounds every operation once.
TEST(HopperUpdate, AdamWIsTheFormula) {
  Random random(6);
  for (const char *element : {"bf16", "f32"})
    for (const Shape &shape : {Shape{5, 48}, Shape{3, 7}, Shape{33}})
      expectUpdated(makeUpdate({{shape, ""}}, element, random), 1);
}

TEST(HopperUpdate, AllParametersInFewLaunches) {
  const std::string int4 = "<int4, group_size = 32>";
  Random random(11);
  // The cases are steps of parameters that do not end in whole slabs; steps
  // with slabs of 64x128 and of 128x256; slabs of 33x96.
  for (const char *element : {"bf16", "f32"})
    expectUpdated(makeUpdate({{{64}, ""},
                              {{64, 128}, int4},
                              {{7}, ""},
                              {{128, 256}, int4},
                              {{64, 128}, int4},
                              {{33, 96}, int4},
                              {{33, 96}, int4},
                              {{5, 48}, ""},
                              {{64, 128}, int4}},
                             element, random),
                  4);
}

TEST(HopperUpdate, EverySchemeInFewLaunches) {
  Random random(12);
  // The launches are the steps, then for each scheme the scales that many
  // threads share (if any) and the packed weights.
  expectUpdated(makeUpdate({{{64, 128}, "<int4, group_size = 0>"},
                            {{64, 128}, "<int4, group_size = 0>"},
                            {{24, 96}, "<int8, group_size = 32>"},
                            {{24, 96}, "<int8, group_size = 32>"},
                            {{130, 140}, "<fp8, group_size = 128>"},
                            {{130, 140}, "<fp8, group_size = 128>"},
                            {{24, 96}, "<mxfp4, group_size = 32>"},
                            {{24, 96}, "<mxfp4, group_size = 32>"}},
                           "bf16", random),
                1 + 2 + 1 + 2 + 1);
}

// Each parameter takes 6 or 7 values, so the table exceeds the 32764 bytes of a
// kernel's parameters.
TEST(HopperUpdate, MoreParametersThanATableHolds) {
  Random random(13);
  std::vector<Parameter> same(700, {{4}, ""});
  std::vector<Parameter> different;
  for (int64_t i = 0; i < 700; ++i)
    different.push_back({{1 + i}, ""});
  expectUpdated(makeUpdate(same, "bf16", random), 2);
  expectUpdated(makeUpdate(different, "bf16", random), 2);
}

// A step that continues from the result of another one.
TEST(HopperUpdate, StepsOfOneParameterStayInOrder) {
  Random random(14);
  Update one = makeUpdate({{{5, 48}, ""}}, "bf16", random);
  CompiledForDevice once(one.op.source);
  CompiledForDevice twice(R"mlir(
func.func @f(%h: tensor<8xf32> {nn.input = "hyper"}, %p: tensor<5x48xf32> {nn.state = "master:w"},
    %m: tensor<5x48xf32> {nn.state = "moment1:w"}, %v: tensor<5x48xf32> {nn.state = "moment2:w"},
    %g: tensor<5x48xf32> {nn.state = "gradient:w"}, %w: tensor<5x48xbf16> {nn.state = "weight:w"})
    -> (tensor<5x48xf32> {nn.output = "master:w"}, tensor<5x48xf32> {nn.output = "moment1:w"},
        tensor<5x48xf32> {nn.output = "moment2:w"}, tensor<5x48xbf16> {nn.output = "weight:w"}) {
  %p1, %m1, %v1, %w1 = nn.adamw %p, %m, %v, %g, %h : tensor<5x48xf32>, tensor<8xf32> -> tensor<5x48xbf16>
  %p2, %m2, %v2, %w2 = nn.adamw %p1, %m1, %v1, %g, %h : tensor<5x48xf32>, tensor<8xf32> -> tensor<5x48xbf16>
  return %p2, %m2, %v2, %w2 : tensor<5x48xf32>, tensor<5x48xf32>, tensor<5x48xf32>, tensor<5x48xbf16>
})mlir");
  std::vector<Tensor> first = runOnDevice(once, one.op);
  std::vector<Tensor> both = runOnDevice(twice, one.op);
  for (auto [argument, result] : one.op.inPlace)
    one.op.arguments[argument] = copyOf(first[result]);
  std::vector<Tensor> second = runOnDevice(once, one.op);
  for (size_t i = 0; i < both.size(); ++i)
    EXPECT_EQ(differentBytes(both[i], second[i]), 0) << "result " << i;
  EXPECT_NE(differentBytes(both[0], first[0]), 0);
}

// Many tensors are summed one after another: the same bits, in three launches.
TEST(HopperUpdate, SquareSumOfManyIsAChain) {
  Random random(15);
  std::vector<Tensor> tensors;
  std::vector<const Tensor *> pointers;
  std::string arguments;
  std::string names;
  std::string types;
  std::string chain;
  std::string last = "%s";
  for (int i = 0; i < 70; ++i) {
    int64_t count = i % 7 == 0 ? 20000 + i : i % 5 == 0 ? 0 : 3 * i;
    tensors.push_back(random.normal(DType::kF32, {count}));
    std::string type = fmt::format("tensor<{}xf32>", count);
    arguments += fmt::format(", %x{}: {}", i, type);
    names += fmt::format(", %x{}", i);
    types += ", " + type;
    chain +=
        fmt::format("  %y{0} = nn.square_sum {1}, %x{0} : tensor<f32>, {2}\n",
                    i, last, type);
    last = fmt::format("%y{}", i);
  }
  std::string head = "(%s: tensor<f32> {nn.state = \"norm\"}" + arguments +
                     ") -> tensor<f32> {\n";
  CompiledForDevice program(
      "func.func @all" + head + "  %y = nn.square_sum %s" + names +
      " : tensor<f32>" + types +
      "\n  return %y : tensor<f32>\n}\nfunc.func @chain" + head + chain +
      "  return " + last + " : tensor<f32>\n}");
  Tensor all = makeTensor(DType::kF32, {}, {2.5});
  Tensor one = copyOf(all);
  for (const Tensor &tensor : tensors)
    pointers.push_back(&tensor);
  pointers.insert(pointers.begin(), &all);
  program.call("all", pointers);
  pointers[0] = &one;
  program.call("chain", pointers);
  EXPECT_EQ(all.as<float>()[0], one.as<float>()[0]);
  EXPECT_GT(all.as<float>()[0], 100000.0f);
  EXPECT_EQ(launchesOf(program, "all").size(), 3u);
}

} // namespace
} // namespace nibble::test
