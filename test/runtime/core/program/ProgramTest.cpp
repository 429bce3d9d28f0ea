// Calls by name, and tables or arguments that do not fit.
#include "test/runtime/core/program/fake_program.h"

#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

void addScale(FakeProgram &fake) {
  fake.function("scale")
      .input("x", DType::kF32, {-1, 3})
      .input("factor", DType::kF32, {})
      .state("calls", DType::kI32, {1})
      .result("sum", DType::kF32, {})
      .result("y", DType::kF32, {-1, 3})
      .body([](FakeCall &call) {
        TensorView x = call.argument("x");
        float *y = call.result("y", x.shape).as<float>();
        float *sum = call.result("sum", {}).as<float>();
        for (int64_t i = 0; i < x.elements(); ++i)
          *sum += y[i] = x.as<float>()[i] * *call.as<float>("factor");
        ++*call.as<int32_t>("calls");
      });
  fake.function("nothing").body([](FakeCall &) {});
}

TEST(Program, CallsByName) {
  FakeProgram fake;
  addScale(fake);
  Program program = fake.program();
  Function scale = *program.function("scale");
  Tensor x = *Tensor::create(DType::kF32, {2, 3});
  Tensor factor = *Tensor::create(DType::kF32, {});
  Tensor calls = *Tensor::create(DType::kI32, {1});
  for (int i = 0; i < 6; ++i)
    x.as<float>()[i] = static_cast<float>(i);
  *factor.as<float>() = 2;
  ASSERT_TRUE(scale.bind("x", x.view()).isOk());
  ASSERT_TRUE(scale.bind("factor", factor.view()).isOk());
  ASSERT_TRUE(scale.bind("calls", calls.view()).isOk());
  Arena arena;
  for (int i = 1; i <= 3; ++i) {
    auto results = scale.call(arena);
    ASSERT_TRUE(results.isOk()) << results.status().message();
    ASSERT_EQ(results->size(), 2u);
    EXPECT_EQ(*(*results)[scale.result("sum")].as<float>(), 30);
    EXPECT_EQ((*results)[scale.result("y")].shape, (Shape{2, 3}));
    EXPECT_EQ((*results)[scale.result("y")].as<float>()[5], 10);
    EXPECT_EQ(*calls.as<int32_t>(), i);
    arena.reset();
  }
  EXPECT_EQ(arena.systemAllocations(), 2);
  EXPECT_TRUE(program.function("nothing")->call(arena)->empty());
}

TEST(Program, BindSaysWhatDoesNotFit) {
  FakeProgram fake;
  addScale(fake);
  Program program = fake.program();
  Function scale = *program.function("scale");
  auto expect = [&](const char *name, DType dtype, Shape shape,
                    const char *message) {
    Tensor tensor = *Tensor::create(dtype, std::move(shape));
    Status status = scale.bind(name, tensor.view());
    EXPECT_EQ(status.code(), Code::kUsage);
    EXPECT_EQ(status.message(), message);
  };
  expect("z", DType::kF32, {1},
         "program: function 'scale' has no argument 'z'; it takes x, factor, "
         "calls");
  expect("x", DType::kBF16, {2, 3},
         "program: argument 'x' of 'scale' takes F32 [-1, 3], not BF16 [2, 3]; "
         "give one of that type");
  expect("x", DType::kF32, {2, 4},
         "program: argument 'x' of 'scale' takes F32 [-1, 3], not F32 [2, 4]; "
         "give one of that type");
  expect("x", DType::kF32, {3},
         "program: argument 'x' of 'scale' takes F32 [-1, 3], not F32 [3]; "
         "give one of that type");
  EXPECT_FALSE(
      scale.bind("x", TensorView{DType::kF32, {2, 3}, nullptr}).isOk());
  EXPECT_FALSE(scale.bind(3, TensorView{}).isOk());
  Arena arena;
  EXPECT_EQ(scale.call(arena).status().message(),
            "program: argument 'x' of 'scale' was never bound; bind it before "
            "the call");
  EXPECT_EQ(program.function("train").status().message(),
            "program: no function 'train'; it has scale, nothing");
}

TEST(Program, RefusesAnotherVersionAndBrokenTables) {
  FakeProgram fake;
  addScale(fake);
  nibble_program table = fake.table();
  table.abi_version = 7;
  EXPECT_EQ(Program::create(table, nullptr).status().code(),
            Code::kEnvironment);
  table = fake.table();
  std::vector<nibble_function> functions(
      table.functions, table.functions + table.function_count);
  table.functions = functions.data();
  std::vector<nibble_value_info> arguments(functions[0].arguments,
                                           functions[0].arguments + 3);
  functions[0].arguments = arguments.data();
  ASSERT_TRUE(Program::create(table, nullptr).isOk());
  arguments[1].rank = NIBBLE_MAX_RANK + 1;
  EXPECT_EQ(Program::create(table, nullptr).status().code(), Code::kBadInput);
  arguments[1].rank = 0;
  arguments[1].dtype = 99;
  EXPECT_EQ(Program::create(table, nullptr).status().code(), Code::kBadInput);
  functions[0].entry = nullptr;
  EXPECT_EQ(Program::create(table, nullptr).status().code(), Code::kBadInput);
}

TEST(Program, RefusesAResultThatIsNotWhatTheTableSays) {
  FakeProgram fake;
  fake.function("f").result("y", DType::kF32, {4}).body([](FakeCall &call) {
    call.result("y", {5});
  });
  Arena arena;
  EXPECT_EQ(fake.program().function("f")->call(arena).status().message(),
            "program: result 'y' of 'f' came back as [5] where the table says "
            "[4]; compile it again");
}

TEST(Program, KeepsItsOwnerAlive) {
  FakeProgram fake;
  addScale(fake);
  auto owner = std::make_shared<int>(0);
  std::weak_ptr<int> watch = owner;
  {
    Function function =
        *Program::create(fake.table(), std::move(owner))->function("nothing");
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

} // namespace
