// Plans of calls: buffers do not overlap, empty launches are left out, and
// calls that do not fit are refused.
#include "runtime/bundle/device/call_plan.h"
#include "runtime/bundle/device/layout.h"
#include "test/runtime/bundle/small_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

std::vector<Shape> shapes(int64_t n) { return {{n}, {n}, {n}}; }

TEST(Layout, NoTwoLivingBuffersOverlap) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<Lifetime> items;
    for (int i = 0; i < 60; ++i) {
      int64_t begin = static_cast<int64_t>(random() % 40);
      items.push_back({static_cast<int64_t>(random() % 3000), begin,
                       begin + 1 + static_cast<int64_t>(random() % 10)});
    }
    std::sort(items.begin(), items.end(),
              [](auto &a, auto &b) { return a.begin < b.begin; });
    int64_t total = layOut(items);
    int64_t sum = 0;
    for (size_t i = 0; i < items.size(); ++i) {
      sum += (items[i].bytes + 255) / 256 * 256;
      EXPECT_EQ(items[i].offset % kBufferAlignment, 0);
      EXPECT_LE(items[i].offset + items[i].bytes, total);
      for (size_t j = 0; j < i; ++j)
        if (items[i].begin < items[j].end && items[j].begin < items[i].end &&
            items[i].bytes && items[j].bytes)
          EXPECT_TRUE(items[i].offset + items[i].bytes <= items[j].offset ||
                      items[j].offset + items[j].bytes <= items[i].offset);
    }
    EXPECT_LT(total, sum); // memory is reused
  }
}

TEST(CallPlan, MemoryIsUsedAgainAndResultsStay) {
  DeviceProgram program = smallProgram();
  auto plan = planCall(program, 0, shapes(1000));
  ASSERT_TRUE(plan.isOk()) << plan.status().message();
  ASSERT_EQ(plan->commands.size(), 4u); // fill, add, add, add
  EXPECT_EQ(plan->inputBytes, 4096);
  EXPECT_EQ(plan->arenaBytes, 3 * 4096); // input, zeros, result
  EXPECT_EQ(plan->commands[1].launch.grid[0], 8u);
  EXPECT_GT(plan->buffers[plan->results[0]].end, 4);
  std::string text = describe(program, 0, *plan);
  EXPECT_THAT(text, HasSubstr("parameters                     4000 bytes"));
  EXPECT_THAT(text, HasSubstr("temporaries, peak              8192 bytes"));
  EXPECT_THAT(text, HasSubstr("total                         20288 bytes"));
}

TEST(CallPlan, NothingToDoIsNoLaunch) {
  auto plan = planCall(smallProgram(), 0, shapes(0));
  ASSERT_TRUE(plan.isOk()) << plan.status().message();
  EXPECT_TRUE(plan->commands.empty());
  EXPECT_EQ(plan->arenaBytes, 0);
}

TEST(CallPlan, RefusesWhatDoesNotFitTogether) {
  DeviceProgram program = smallProgram();
  EXPECT_EQ(planCall(program, 0, std::vector<Shape>{{2, 3}, {2}, {2}})
                .status()
                .code(),
            Code::kUsage);

  program.functions[0].commands[4] = makeCommand(Opcode::kMul, 3, 0, {0, 1});
  auto tooMany = planCall(program, 0, shapes(int64_t{1} << 40));
  EXPECT_EQ(tooMany.status().code(), Code::kBadInput);
  EXPECT_THAT(tooMany.status().message(),
              HasSubstr("'inner': command 7 launches 'add' with"));

  program = smallProgram();
  program.functions[1].commands[1].value = 0;
  EXPECT_THAT(planCall(program, 0, shapes(5)).status().message(),
              HasSubstr("command 3 divides 5 by 0"));

  program = smallProgram();
  program.functions[1].commands[1].value = INT64_MAX;
  program.functions[1].commands[3] = makeCommand(Opcode::kMul, 3, 0, {1, 1});
  EXPECT_THAT(planCall(program, 0, shapes(5)).status().message(),
              HasSubstr("command 3 overflows"));

  program = smallProgram();
  program.functions[1].commands[4].operands = {
      1}; // 128 elements where [5] is passed on
  program.functions[1].results[0].shape = {5};
  program.functions[1].returned = {2};
  program.functions[1].commands.erase(program.functions[1].commands.begin() +
                                      8);
  EXPECT_THAT(planCall(program, 0, shapes(5)).status().message(),
              HasSubstr("result 0 returns F32 [128]"));
}

TEST(CallPlan, ATensorMapStaysInItsBuffer) {
  DeviceProgram program = smallProgram();
  ProgramFunction &main = program.functions[0];
  main.registers = 6;
  main.commands.push_back(makeCommand(Opcode::kConstant, 4, 64));
  main.commands.push_back(makeCommand(Opcode::kConstant, 5, 16));
  Command launch = makeCommand(Opcode::kLaunch, -1, 0, {2, 2, 2});
  CommandArgument map;
  map.kind = CommandArgument::kTensorMap;
  map.map.buffer = 0;
  map.map.elementBytes = 4;
  map.map.extents = {5, 5, 0, 0, 0}; // 16 x 16 elements, rows of 64 bytes
  map.map.strides = {4, 0, 0, 0};
  map.map.box = {8, 8, 0, 0, 0};
  launch.arguments = {map};
  main.commands.push_back(launch);
  ASSERT_TRUE(check(program).isOk()) << check(program).message();
  EXPECT_TRUE(planCall(program, 0, shapes(256)).isOk());
  EXPECT_THAT(planCall(program, 0, shapes(255)).status().message(),
              HasSubstr("tensor map of 1024 bytes from 0 of a buffer of 1020"));
}

// Each of 40 functions calls the next one twice, so a few lines mean 2^40
// commands.
TEST(CallPlan, CallsOfCallsHaveAnEnd) {
  DeviceProgram program;
  for (int i = 0; i < 40; ++i) {
    ProgramFunction function;
    function.name = "f" + std::to_string(i);
    if (i < 39)
      function.commands = {makeCommand(Opcode::kCall, -1, i + 1),
                           makeCommand(Opcode::kCall, -1, i + 1)};
    program.functions.push_back(function);
  }
  ASSERT_TRUE(check(program).isOk());
  EXPECT_THAT(planCall(program, 0, {}).status().message(),
              HasSubstr("too many"));
}

} // namespace
