// The arena: alignment, reuse, and impossibly large sizes.
#include "runtime/core/arena.h"

#include "include/nibble/ABI.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

using nibble::Arena;

namespace {

TEST(Arena, AlignsEveryBlock) {
  Arena arena;
  for (int64_t bytes = 0; bytes < 5000; ++bytes) {
    void *pointer = arena.allocate(16, bytes);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(pointer) % 64, 0u) << bytes;
    // The sanitizer build detects a block that is too small.
    std::memset(pointer, 1, bytes);
    if (bytes % 3)
      arena.release(pointer);
  }
  for (int64_t alignment : {128, 4096, 1 << 20})
    EXPECT_EQ(reinterpret_cast<uintptr_t>(arena.allocate(alignment, 100)) %
                  alignment,
              0u);
}

TEST(Arena, SteadyStateTakesNothingFromTheSystem) {
  Arena arena;
  auto round = [&](int64_t shift) {
    std::vector<void *> blocks;
    for (int64_t bytes : {100, 4000, 70000, 3000000})
      blocks.push_back(arena.allocate(64, bytes + shift));
    for (void *block : blocks)
      arena.release(block);
  };
  round(0);
  int64_t before = arena.systemAllocations();
  EXPECT_EQ(before, 4);
  // Sizes of one class share their blocks.
  for (int i = 0; i < 100; ++i)
    round(i % 4);
  EXPECT_EQ(arena.systemAllocations(), before);
  EXPECT_EQ(arena.liveBytes(), 0);
  EXPECT_GE(arena.peakBytes(), 100 + 4000 + 70000 + 3000000);
  EXPECT_LE(arena.reservedBytes(),
            (100 + 4000 + 70000) * 9 / 8 + 4 * 64 + (4 << 20));
}

TEST(Arena, ResetTakesEveryBlockBack) {
  Arena arena;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i)
      arena.allocate(64, 1000);
    EXPECT_GE(arena.liveBytes(), 10000);
    arena.reset();
    EXPECT_EQ(arena.liveBytes(), 0);
  }
  EXPECT_EQ(arena.systemAllocations(), 10);
}

TEST(Arena, RefusesASizeThatNoMachineHas) {
  Arena arena;
  EXPECT_EQ(arena.allocate(64, INT64_MAX), nullptr);
  EXPECT_EQ(arena.allocate(64, -1), nullptr);
}

TEST(Arena, ScopeChoosesTheArenaOfGeneratedCode) {
  Arena outer, inner;
  Arena::Scope a(outer);
  void *first = nibble_arena_allocate(64, 100);
  {
    Arena::Scope b(inner);
    nibble_arena_release(nibble_arena_allocate(64, 200));
    nibble_arena_release(first); // returns to the arena it came from
  }
  EXPECT_EQ(outer.systemAllocations(), 1);
  EXPECT_EQ(inner.systemAllocations(), 1);
  EXPECT_EQ(outer.liveBytes(), 0);
  nibble_arena_release(nullptr);
}

TEST(Arena, TakesThreads) {
  Arena arena;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&arena, t] {
      Arena::Scope scope(arena);
      for (int i = 0; i < 2000; ++i) {
        void *pointer = nibble_arena_allocate(64, 1 + i % 700);
        std::memset(pointer, t, 1 + i % 700);
        nibble_arena_release(pointer);
      }
    });
  for (auto &thread : threads)
    thread.join();
  EXPECT_EQ(arena.liveBytes(), 0);
}

} // namespace
