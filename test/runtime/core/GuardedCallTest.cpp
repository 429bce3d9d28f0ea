// Leaves generated code when memory runs out or an assertion does not hold.
#include "test/runtime/core/program/fake_program.h"

#include "runtime/core/guarded_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

using namespace nibble;
using namespace nibble::test;

namespace {

constexpr int64_t kTooMuch = INT64_MAX;

TEST(GuardedCall, LeavesTheInnermostCall) {
  static int64_t inner, steps;
  inner = steps = 0;
  auto outer = [](void **) {
    inner = callGuarded(
                [](void **) {
                  ++steps;
                  nibble_arena_allocate(64, kTooMuch);
                  steps += 100; // not reached
                },
                nullptr)
                .bytes;
    ++steps;
    nibble_arena_allocate(64, kTooMuch - 1);
    steps += 100; // not reached
  };
  EXPECT_EQ(callGuarded(outer, nullptr).bytes, kTooMuch - 1);
  EXPECT_EQ(inner, kTooMuch);
  EXPECT_EQ(steps, 2);
  EXPECT_FALSE(callGuarded([](void **) {}, nullptr));
}

TEST(GuardedCall, FailsAFunctionAndLeavesItUsable) {
  static bool fails;
  fails = true;
  FakeProgram fake;
  fake.function("f").state("calls", DType::kI32, {1}).body([](FakeCall &call) {
    ++*call.as<int32_t>("calls");
    nibble_arena_allocate(64, 1000);
    if (fails)
      nibble_arena_allocate(64, kTooMuch);
  });
  Program program = fake.program();
  Function function = *program.function("f");
  Tensor calls = *Tensor::create(DType::kI32, {1});
  ASSERT_TRUE(function.bind("calls", calls.view()).isOk());
  Arena arena;
  auto failed = function.call(arena);
  ASSERT_FALSE(failed.isOk());
  EXPECT_EQ(failed.status().code(), Code::kEnvironment);
  EXPECT_EQ(failed.status().message(),
            "program: no memory for 9223372036854775807 bytes in 'f'; let a "
            "call take fewer tokens "
            "(max_tokens, max_tokens_per_call) or use a machine with more");
  EXPECT_GE(arena.liveBytes(), 1000);
  arena.reset();
  EXPECT_EQ(arena.liveBytes(), 0);
  fails = false;
  EXPECT_TRUE(function.call(arena).isOk());
  EXPECT_EQ(*calls.as<int32_t>(), 2);
  // The arena of the failed call is no longer the thread's arena.
  EXPECT_NE(&Arena::current(), &arena);
}

TEST(GuardedCall, FailsAFunctionWhoseAssertionDoesNotHold) {
  FakeProgram fake;
  fake.function("f").state("calls", DType::kI32, {1}).body([](FakeCall &call) {
    if (++*call.as<int32_t>("calls") == 1)
      nibble_assert_failed("m.mlir:3: index out of range");
  });
  Program program = fake.program();
  Function function = *program.function("f");
  Tensor calls = *Tensor::create(DType::kI32, {1});
  ASSERT_TRUE(function.bind("calls", calls.view()).isOk());
  Arena arena;
  auto failed = function.call(arena);
  ASSERT_FALSE(failed.isOk());
  EXPECT_EQ(failed.status().code(), Code::kFailed);
  EXPECT_EQ(failed.status().message(),
            "m.mlir:3: index out of range (an assertion of 'f'); give inputs "
            "for which it holds");
  EXPECT_TRUE(function.call(arena).isOk());
  EXPECT_EQ(*calls.as<int32_t>(), 2);
}

TEST(GuardedCallDeathTest, EndsTheProcessOnceWhereThereIsNoWayOut) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto die = [] {
    onNoWayOut([](EarlyEnd why) {
      std::fprintf(stderr, "no way out for %lld bytes\n",
                   static_cast<long long>(why.bytes));
      // Gives the other threads time to arrive.
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      std::_Exit(4);
    });
    // Threads that a parallel region started have never entered the call.
    static auto body = [](void **) {
      std::vector<std::thread> threads;
      for (int i = 0; i < 4; ++i)
        threads.emplace_back([] { nibble_arena_allocate(64, kTooMuch); });
      for (std::thread &thread : threads)
        thread.join();
    };
    callGuarded([](void **values) { body(values); }, nullptr);
  };
  EXPECT_EXIT(die(), testing::ExitedWithCode(4),
              testing::Eq("no way out for 9223372036854775807 bytes\n"));
}

} // namespace
