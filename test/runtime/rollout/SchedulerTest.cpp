// Pages and schedules: sharing, preemption, and the end of every load.
#include "runtime/rollout/scheduler.h"
#include "runtime/core/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <set>

using namespace nibble;

namespace {

TEST(PagePool, CountsHolders) {
  PagePool pool(2);
  int32_t a = pool.take(), b = pool.take();
  EXPECT_EQ(pool.take(), -1);
  pool.retain(a);
  pool.release(a);
  EXPECT_EQ(pool.free(), 0);
  pool.release(a);
  EXPECT_EQ(pool.free(), 1);
  EXPECT_EQ(pool.take(), a);
  pool.release(b);
  EXPECT_EQ(pool.peakUsed(), 2);
}

TEST(Scheduler, SplitsALongPromptAndKeepsTheBudget) {
  PagePool pool(10);
  Scheduler scheduler({8, 4, 4}, pool);
  ScheduledSequence a{.priority = 0, .length = 11};
  ScheduledSequence b{.priority = 1, .length = 9};
  scheduler.add(b);
  scheduler.add(a);
  Plan plan = scheduler.next();
  ASSERT_EQ(plan.tokens.size(), 1u);
  EXPECT_EQ(plan.tokens[0].sequence, &a);
  EXPECT_EQ(plan.tokens[0].count, 8);
  EXPECT_FALSE(plan.tokens[0].last);
  a.computed = 8;
  plan = scheduler.next();
  ASSERT_EQ(plan.tokens.size(), 2u);
  EXPECT_EQ(plan.tokens[0].count, 3);
  EXPECT_TRUE(plan.tokens[0].last);
  EXPECT_EQ(plan.tokens[1].sequence, &b);
  EXPECT_EQ(plan.tokens[1].count, 5);
}

TEST(Scheduler, SharedPagesAreCopiedBeforeTheyAreWritten) {
  PagePool pool(10);
  Scheduler scheduler({100, 10, 4}, pool);
  ScheduledSequence a{.priority = 0, .length = 6};
  ScheduledSequence b{.priority = 1, .length = 7};
  ScheduledSequence c{.priority = 2, .length = 7};
  scheduler.add(a);
  EXPECT_EQ(scheduler.next().tokens.size(), 1u);
  a.computed = 6;
  a.length = 7;
  scheduler.addSharing(b, a);
  scheduler.addSharing(c, a);
  EXPECT_EQ(pool.free(), 8); // three sequences on two pages
  auto before = a.pages;
  Plan plan = scheduler.next();
  ASSERT_EQ(plan.tokens.size(), 3u);
  // The last holder of the page writes into it.
  EXPECT_EQ(plan.copies.size(), 2u);
  EXPECT_EQ(pool.free(), 6);
  EXPECT_EQ(a.pages[0], before[0]);
  EXPECT_EQ(b.pages[0], before[0]);
  EXPECT_EQ((std::set<int32_t>{a.pages[1], b.pages[1], c.pages[1]}.size()), 3u);
  scheduler.remove(a);
  scheduler.remove(b);
  scheduler.remove(c);
  EXPECT_EQ(pool.free(), 10);
}

TEST(Scheduler, TheOldestAlwaysGetsOn) {
  PagePool pool(3);
  Scheduler scheduler({100, 10, 4}, pool);
  ScheduledSequence a{.priority = 0, .length = 4};
  ScheduledSequence b{.priority = 1, .length = 3};
  scheduler.add(a);
  scheduler.add(b);
  for (int i = 0; i < 8; ++i) {
    Plan plan = scheduler.next();
    ASSERT_FALSE(plan.tokens.empty());
    ASSERT_EQ(plan.tokens[0].sequence, &a);
    for (auto &planned : plan.tokens) {
      planned.sequence->computed += planned.count;
      if (planned.last)
        ++planned.sequence->length;
    }
  }
  EXPECT_EQ(a.length, 12);
  EXPECT_GE(scheduler.preemptions(), 1);
  EXPECT_EQ(b.computed, 0);
}

// Random loads in a pool that is just large enough for one sequence. Every load
// ends, no page is lost, and no page has two writers.
TEST(Scheduler, EveryLoadEnds) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    uint64_t counter = 0;
    auto random = [&](uint64_t bound) {
      return toBelow(randomBits(seed, RandomStream::kTask, 0, 0, counter++),
                     bound);
    };
    int64_t pages = 6 + static_cast<int64_t>(random(6));
    PagePool pool(pages);
    Scheduler scheduler({static_cast<int64_t>(1 + random(12)),
                         static_cast<int64_t>(1 + random(5)), 4},
                        pool);
    std::deque<ScheduledSequence> all;
    std::vector<int64_t> target;
    std::vector<ScheduledSequence *> leaders;
    for (int group = 0; group < 5; ++group) {
      ScheduledSequence &leader = all.emplace_back();
      leader.priority = group * 10;
      leader.length = 1 + static_cast<int64_t>(random(10));
      target.push_back(leader.length + 1 + static_cast<int64_t>(random(9)));
      leaders.push_back(&leader);
      scheduler.add(leader);
    }
    std::vector<bool> forked(5);
    size_t alive = 5;
    int calls = 0;
    while (alive > 0) {
      ASSERT_LT(++calls, 10000) << seed;
      Plan plan = scheduler.next();
      ASSERT_FALSE(plan.tokens.empty()) << seed;
      std::set<int32_t> written;
      for (auto &planned : plan.tokens)
        for (int64_t page = planned.begin / 4;
             page <= (planned.begin + planned.count - 1) / 4; ++page) {
          ASSERT_EQ(pool.holders(planned.sequence->pages[page]), 1) << seed;
          ASSERT_TRUE(written.insert(planned.sequence->pages[page]).second)
              << seed;
        }
      for (auto &planned : plan.tokens) {
        ScheduledSequence &sequence = *planned.sequence;
        sequence.computed += planned.count;
        if (!planned.last)
          continue;
        int64_t group = sequence.priority / 10;
        if (sequence.priority % 10 == 0 && !forked[group]) {
          forked[group] = true;
          for (int i = 1; i < 4; ++i) {
            ScheduledSequence &sibling = all.emplace_back();
            sibling.priority = sequence.priority + i;
            sibling.length = sequence.length + 1;
            scheduler.addSharing(sibling, sequence);
            ++alive;
          }
        }
        if (++sequence.length > target[group]) {
          scheduler.remove(sequence);
          --alive;
        }
      }
    }
    ASSERT_EQ(pool.free(), pages) << seed;
  }
}

} // namespace
