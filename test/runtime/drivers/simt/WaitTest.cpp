// Waits between lanes, warps and blocks. A wait that only looks endless
// completes, and an endless one is reported.
#include "runtime/drivers/simt/quiescence.h"
#include "test/runtime/drivers/simt/simt_test.h"

#include <atomic>
#include <cstdlib>
#include <functional>
#include <thread>

using namespace nibble;
using namespace nibble::test;

namespace {

const std::string kBegin =
    "ld.param.u64 %rd1, [p0];\nmov.u32 %r0, %ctaid.x;\nmov.u32 %r1, "
    "%tid.x;\nsetp.eq.u32 %p0, %r0, 0;\n";

// Runs `body` on a buffer of 64 zeroes and returns the buffer. %rd1 is the
// buffer, %r0 the block, %r1 the thread, and %p0 marks block 0.
Status runWaits(const std::string &body, const Launch &launch,
                const SimtOptions &options,
                std::vector<uint32_t> *result = nullptr) {
  Simt simt(options);
  DeviceAddress buffer = simt.upload(std::vector<uint32_t>(64, 0), "buffer");
  Status status = simt.run(
      kernelText(
          1, kBegin + body,
          ".shared .align 16 .b8 tile[256];\n.shared .align 8 .b64 mbar;"),
      "k", launch, {buffer});
  if (result != nullptr)
    *result = simt.download<uint32_t>(buffer, 64);
  return status;
}

void forOptions(const std::function<void(const SimtOptions &)> &check) {
  for (SimtOptions::Checks checks : {SimtOptions::kFull, SimtOptions::kOff})
    for (int threads : {1, 2, 3})
      for (uint64_t seed : {1, 2, 3}) {
        SCOPED_TRACE(testing::Message() << "checks " << checks << ", threads "
                                        << threads << ", seed " << seed);
        check({.seed = seed, .threads = threads, .checks = checks});
      }
}

// --- the verdict by itself ---

// A worker between two blocks has not declared that it waits. The other's wait
// is therefore not endless, however long the first one takes.
TEST(SimtQuiescence, AWorkerBetweenTwoBlocksCounts) {
  simt::Quiescence quiescence;
  quiescence.begin(2);
  uint64_t since = quiescence.changes();
  bool forEver = true;
  std::thread waits([&] { forEver = quiescence.waitsForEver(since); });
  // Publishes what the first block wrote; the second block begins.
  quiescence.publish();
  waits.join();
  EXPECT_FALSE(forEver);
}

// An observation from before the last change is void, even when all others
// wait.
TEST(SimtQuiescence, AnOldObservationIsVoid) {
  simt::Quiescence quiescence;
  quiescence.begin(1);
  uint64_t before = quiescence.changes();
  quiescence.publish();
  EXPECT_FALSE(quiescence.waitsForEver(before));
  EXPECT_TRUE(quiescence.waitsForEver(quiescence.changes()));
}

// The last one that leaves or waits gives the verdict to all.
TEST(SimtQuiescence, AllWaitOrHaveLeft) {
  for (bool leaves : {false, true}) {
    simt::Quiescence quiescence;
    quiescence.begin(3);
    std::atomic<int> verdicts{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
      threads.emplace_back(
          [&] { verdicts += quiescence.waitsForEver(quiescence.changes()); });
    if (leaves)
      quiescence.leave();
    else
      verdicts += quiescence.waitsForEver(quiescence.changes());
    for (std::thread &thread : threads)
      thread.join();
    EXPECT_EQ(verdicts, leaves ? 2 : 3);
  }
}

// Many workers pass a turn around. Each declares that it waits as often as it
// can.
TEST(SimtQuiescence, NoVerdictWhileATurnGoesAround) {
  constexpr int kWorkers = 4;
  constexpr int kRounds = 2000;
  simt::Quiescence quiescence;
  quiescence.begin(kWorkers);
  std::atomic<int> turn{0}, verdicts{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kWorkers; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds;) {
        uint64_t since = quiescence.changes();
        if (turn.load(std::memory_order_relaxed) % kWorkers == i) {
          turn.store(turn.load(std::memory_order_relaxed) + 1,
                     std::memory_order_relaxed);
          quiescence.publish();
          ++round;
        } else if (quiescence.waitsForEver(since)) {
          ++verdicts;
          break;
        }
      }
      quiescence.leave();
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(verdicts, 0);
  EXPECT_EQ(turn, kWorkers * kRounds);
}

// --- waits that end ---

// Each block waits for its turn and passes it on to the next. Returns the last
// turn, or why there is none.
Result<uint32_t> takeTurns(uint32_t grid, uint32_t sharedBytes,
                           const SimtOptions &options) {
  std::vector<uint32_t> result;
  NIBBLE_TRY(runWaits("LOOP:\nld.acquire.gpu.global.u32 %r2, "
                      "[%rd1];\nsetp.ne.u32 %p1, %r2, %r0;\n@%p1 nanosleep.u32 "
                      "100;\n@%p1 bra LOOP;\nadd.u32 %r2, %r2, "
                      "1;\nst.release.gpu.global.u32 [%rd1], %r2;",
                      blocks(grid, 1, sharedBytes), options, &result));
  return result[0];
}

void expectTurns(uint32_t grid, uint32_t sharedBytes,
                 const SimtOptions &options) {
  Result<uint32_t> turns = takeTurns(grid, sharedBytes, options);
  ASSERT_TRUE(turns.isOk()) << turns.status().message();
  EXPECT_EQ(*turns, grid);
}

// A block may wait for an earlier block, if both have been started.
TEST(SimtDevice, BlockWaitsForTheOneBefore) {
  for (int threads : {1, 2, 3})
    expectTurns(200, 0, {.threads = threads});
}

// The next block starts slowly, because all of its shared memory has to be
// initialized. In the meantime every running block waits.
TEST(SimtWaits, ABlockThatStartsLate) {
  for (int threads : {1, 2, 3})
    expectTurns(16, 220 * 1024, {.threads = threads});
}

// A block spins in a short loop while the block before it works for long in its
// own shared memory. "Long" is measured in instructions of the loop.
TEST(SimtWaits, ABlockThatIsLongAtWork) {
  for (const char *poll : {"ld.acquire.gpu.global.u32 %r2, [%rd1];",
                           "ld.volatile.global.u32 %r2, [%rd1];",
                           "ld.relaxed.gpu.global.u32 %r2, [%rd1];",
                           "atom.global.or.b32 %r2, [%rd1], 0;",
                           "atom.global.cas.b32 %r2, [%rd1], 1, 1;"}) {
    std::string body =
        std::string("@%p0 bra WORK;\nLOOP:\n") + poll +
        "\nsetp.eq.u32 %p1, %r2, 0;\n@%p1 bra LOOP;\nst.global.u32 [%rd1+4], "
        "%r2;\nbra END;\n"
        "WORK:\nadd.u32 %r3, %r3, 1;\nst.shared.u32 [tile], %r3;\nsetp.lt.u32 "
        "%p2, %r3, 60000;\n"
        "@%p2 bra WORK;\nst.release.gpu.global.u32 [%rd1], 1;\nEND:";
    for (SimtOptions::Checks checks : {SimtOptions::kFull, SimtOptions::kOff}) {
      std::vector<uint32_t> result;
      expectOk(runWaits(body, blocks(2, 1),
                        {.threads = 2, .checks = checks, .spinLimit = 2000},
                        &result));
      EXPECT_EQ(result[1], 1u) << poll;
    }
  }
}

// A wait with an end of its own: a number of sleeps, or a time limit.
TEST(SimtWaits, ManySleeps) {
  forOptions([](const SimtOptions &options) {
    std::vector<uint32_t> result;
    expectOk(runWaits("LOOP:\nnanosleep.u32 100;\nadd.u32 %r2, %r2, "
                      "1;\nsetp.lt.u32 %p1, %r2, 3000;\n@%p1 bra "
                      "LOOP;\n@%p0 st.global.u32 [%rd1], %r2;",
                      blocks(2, 40), options, &result));
    EXPECT_EQ(result[0], 3000u);
    expectOk(runWaits(
        "mov.u32 %r2, %clock;\nLOOP:\nnanosleep.u32 100;\nmov.u32 %r3, "
        "%clock;\nsub.u32 %r3, %r3, "
        "%r2;\nsetp.lt.u32 %p1, %r3, 20000;\nmov.u32 %r3, 0;\n@%p1 bra LOOP;",
        blocks(2, 40), options));
  });
}

// Lanes wait in loops of their own for another part of the warp, whose code
// comes later in the text.
TEST(SimtWaits, LanesFurtherDown) {
  for (const char *sleep : {"nanosleep.u32 20;", ""}) {
    std::string loop = std::string("\nld.volatile.global.u32 %r2, "
                                   "[%rd1];\nsetp.eq.u32 %p1, %r2, 0;\n") +
                       sleep;
    for (int i = 0; i < 8; ++i)
      loop += "\nadd.u32 %r3, %r1, 1;";
    std::string body =
        "setp.eq.u32 %p2, %r1, 1;\n@%p2 bra SECOND;\nsetp.eq.u32 %p3, %r1, "
        "2;\n@%p3 bra THIRD;\nFIRST:" +
        loop + "\n@%p1 bra FIRST;\nbra END;\nSECOND:" + loop +
        "\n@%p1 bra SECOND;\nbra END;\nTHIRD:\nst.volatile.global.u32 [%rd1], "
        "7;\nEND:";
    forOptions([&](SimtOptions options) {
      options.spinLimit = 100000;
      std::vector<uint32_t> result;
      expectOk(runWaits(body, blocks(1, 3), options, &result));
      EXPECT_EQ(result[0], 7u);
    });
  }
}

// --- waits that do not ---

struct Endless {
  const char *name, *body, *report;
};

// No spin limit helps here. Each wait is reported because nothing can change
// any more.
const Endless kEndless[] = {
    {"a flag that nobody sets",
     "LOOP:\nld.acquire.gpu.global.u32 %r2, [%rd1];\nsetp.eq.u32 %p1, %r2, "
     "0;\n@%p1 bra LOOP;",
     "never ends: everybody waits"},
    {"a flag, with sleeps",
     "LOOP:\nld.volatile.global.u32 %r2, [%rd1];\nsetp.eq.u32 %p1, %r2, "
     "0;\n@%p1 nanosleep.u32 20;\n@%p1 bra LOOP;",
     "never ends: everybody waits"},
    {"sleeps that grow up to a limit",
     "mov.u32 %r3, 32;\nLOOP:\nnanosleep.u32 %r3;\nshl.b32 %r3, %r3, "
     "1;\nmin.u32 %r3, %r3, 4096;\n"
     "ld.volatile.global.u32 %r2, [%rd1];\nsetp.eq.u32 %p1, %r2, 0;\n@%p1 bra "
     "LOOP;",
     "never ends: everybody waits"},
    {"a lock that nobody gives back",
     "LOOP:\natom.global.cas.b32 %r3, [%rd1], 0, 1;\nsetp.ne.u32 %p1, %r3, "
     "0;\n@%p1 bra LOOP;",
     "never ends: everybody waits"},
    {"a lock that is swapped for itself",
     "LOOP:\natom.global.exch.b32 %r3, [%rd1], 1;\nsetp.ne.u32 %p1, %r3, "
     "0;\n@%p1 bra LOOP;",
     "never ends: everybody waits"},
    {"a loop that stores the same again",
     "shl.b32 %r4, %r1, 2;\nmov.u32 %r5, tile;\nadd.u32 %r4, %r4, "
     "%r5;\nLOOP:\nst.volatile.global.u32 [%rd1+64], "
     "5;\nst.shared.u32 [%r4], 5;\nld.volatile.global.u32 %r2, "
     "[%rd1];\nsetp.eq.u32 %p1, %r2, 0;\n@%p1 bra LOOP;",
     "never ends: everybody waits"},
    {"a loop without an end", "LOOP:\nbra LOOP;",
     "never ends: everybody waits"},
    {"blocks that wait for each other",
     "mul.wide.u32 %rd2, %r0, 4;\nadd.s64 %rd2, %rd2, %rd1;\nxor.b32 %r4, %r0, "
     "1;\nmul.wide.u32 %rd3, %r4, 4;\n"
     "add.s64 %rd3, %rd3, %rd1;\nLOOP:\nld.acquire.gpu.global.u32 %r2, "
     "[%rd3];\nsetp.eq.u32 %p1, %r2, 0;\n"
     "@%p1 bra LOOP;\nst.release.gpu.global.u32 [%rd2], 1;",
     "never ends: everybody waits"},
    {"lanes in loops of their own",
     "setp.eq.u32 %p2, %r1, 1;\n@%p2 bra "
     "SECOND;\nFIRST:\nld.volatile.global.u32 %r2, [%rd1];\nsetp.eq.u32 %p1, "
     "%r2, "
     "0;\n@%p1 bra FIRST;\nbra END;\nSECOND:\nld.volatile.global.u32 %r2, "
     "[%rd1+4];\nadd.u32 %r3, %r1, 1;\n"
     "setp.eq.u32 %p1, %r2, 0;\n@%p1 bra SECOND;\nEND:",
     "never ends: everybody waits"},
    {"a barrier that a block leaves out",
     "setp.lt.u32 %p1, %r1, 32;\n@%p1 bra END;\nbar.sync 0;\nEND:",
     "never ends: everybody waits"},
    {"a warp that comes to two barriers",
     "mov.u32 %r2, %laneid;\nsetp.lt.u32 %p1, %r2, 16;\n@%p1 bra "
     "END;\nbar.sync 0;\nEND:\nbar.sync 0;",
     "diverged: lanes of a warp wait for each other"},
    {"an mbarrier without arrivals",
     "setp.eq.u32 %p2, %r1, 0;\n@%p2 mbarrier.init.shared::cta.b64 [mbar], "
     "1;\nbar.sync 0;\nLOOP:\n"
     "mbarrier.try_wait.parity.shared::cta.b64 %p1, [mbar], 0;\n@!%p1 bra "
     "LOOP;",
     "never ends: everybody waits"},
};

TEST(SimtWaits, EndlessOnesAreReported) {
  for (const Endless &endless : kEndless) {
    SCOPED_TRACE(endless.name);
    for (SimtOptions::Checks checks : {SimtOptions::kFull, SimtOptions::kOff})
      for (int threads : {1, 3})
        expectFails(runWaits(endless.body, blocks(6, 64),
                             {.threads = threads,
                              .checks = checks,
                              .spinLimit = ~uint64_t{0}}),
                    endless.report);
  }
}

// The other blocks continue and finish first.
TEST(SimtWaits, OneEndlessBlockAmongOthers) {
  std::string body = "@!%p0 bra WORK;\nLOOP:\nld.acquire.gpu.global.u32 %r2, "
                     "[%rd1+128];\nsetp.eq.u32 %p1, %r2, 0;\n"
                     "@%p1 bra LOOP;\nWORK:\nred.global.add.u32 [%rd1], 1;";
  for (int threads : {2, 3}) {
    std::vector<uint32_t> result;
    Status status =
        runWaits(body, blocks(40, 1),
                 {.threads = threads, .spinLimit = ~uint64_t{0}}, &result);
    expectFails(status, "never ends: everybody waits");
    expectFails(status, "block (0, 0, 0)");
    EXPECT_EQ(result[0], 39u);
  }
}

// The report is not that of a block that waits for a failed one.
TEST(SimtWaits, AFaultIsReportedBeforeThoseWhoWaitForIt) {
  std::string body = "@!%p0 bra WORK;\nLOOP:\nld.acquire.gpu.global.u32 %r2, "
                     "[%rd1];\nsetp.eq.u32 %p1, %r2, 0;\n"
                     "@%p1 bra LOOP;\nbra END;\nWORK:\ntrap;\nEND:";
  for (SimtOptions::Checks checks : {SimtOptions::kFull, SimtOptions::kOff}) {
    Status status =
        runWaits(body, blocks(2, 1),
                 {.threads = 2, .checks = checks, .spinLimit = ~uint64_t{0}});
    expectFails(status, "block (1, 0, 0)");
    expectFails(status, "the kernel stopped itself");
  }
}

// Blocks wait for later blocks, which begin only when these end: a barrier of
// the whole grid with fewer host threads.
TEST(SimtWaits, ForBlocksThatHaveNotBegun) {
  std::string body =
      "red.global.add.u32 [%rd1], 1;\nLOOP:\nld.acquire.gpu.global.u32 %r2, "
      "[%rd1];\nsetp.ne.u32 %p1, "
      "%r2, 5;\n@%p1 bra LOOP;";
  for (int threads : {1, 2, 4}) {
    Status status = runWaits(body, blocks(5, 1), {.threads = threads});
    expectFails(status, "never ends: everybody waits");
    expectFails(status,
                std::to_string(5 - threads) + " of 5 blocks have not begun");
  }
  expectOk(runWaits(body, blocks(5, 1), {.threads = 5}));
}

// --- under load ---

// Threads that keep the host's cores busy.
class Load {
public:
  explicit Load(int count) {
    for (int i = 0; i < count; ++i)
      threads_.emplace_back([this] {
        while (!ends_.load(std::memory_order_relaxed))
          ;
      });
  }
  ~Load() {
    ends_ = true;
    for (std::thread &thread : threads_)
      thread.join();
  }

private:
  std::atomic<bool> ends_{false};
  std::vector<std::thread> threads_;
};

TEST(SimtWaits, OneBlockAfterTheOtherUnderLoad) {
  int runs = std::getenv("NIBBLE_LONG") ? 10000 : 20;
  int failures = 0;
  Load load(4);
  std::string first;
  for (int i = 0; i < runs; ++i)
    for (int threads : {1, 2, 3}) {
      Result<uint32_t> turns = takeTurns(
          200, 0, {.seed = static_cast<uint64_t>(i), .threads = threads});
      if (turns.isOk() && *turns == 200)
        continue;
      ++failures;
      if (first.empty())
        first = turns.isOk() ? std::to_string(*turns) + " turns of 200"
                             : turns.status().message();
    }
  EXPECT_EQ(failures, 0) << "of " << 3 * runs
                         << " launches; the first: " << first;
}

} // namespace
