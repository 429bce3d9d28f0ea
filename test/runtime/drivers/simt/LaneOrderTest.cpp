// Tests the order between lanes of a warp when some of them arrive, wait or
// fence for others. Each planted fault stands beside the same kernel without
// it.
#include "test/runtime/drivers/simt/simt_test.h"

using namespace nibble;
using namespace nibble::test;

namespace {

const char *const kOrderShared =
    ".shared .align 128 .b8 tile[1024];\n.shared .align 8 .b64 mbar[2];\n";

// Runs `body` under several seeds with 1024 bytes of ones as p0 (%rd1). %r1 is
// the thread, %r2 the lane, %p1 thread 0, and %r4 its 16 bytes of the tile.
// Returns the last status, or the first that is not ok.
Status runBody(const std::string &body, uint32_t threads) {
  SimtOptions options;
  for (options.seed = 1; options.seed <= 12; ++options.seed) {
    Simt simt(options);
    DeviceAddress buffer = simt.upload(std::vector<uint32_t>(256, 1), "buffer");
    std::string begin =
        "ld.param.u64 %rd1, [p0];\nmov.u32 %r1, %tid.x;\nmov.u32 %r2, "
        "%laneid;\nsetp.eq.u32 %p1, %r1, 0;\n"
        "mov.u32 %r4, tile;\nshl.b32 %r3, %r2, 4;\nadd.u32 %r4, %r4, %r3;\n";
    Status status = simt.run(kernelText(1, begin + body, kOrderShared), "k",
                             blocks(1, threads), {buffer});
    if (!status.isOk())
      return status;
  }
  return Status::ok();
}

std::string waitFor(const std::string &label, const std::string &barrier,
                    const std::string &parity) {
  return label + ":\nmbarrier.try_wait.parity.shared::cta.b64 %p3, [" +
         barrier + "], " + parity + ";\n@!%p3 bra " + label + ";\n";
}

// A ring of one stage, used three times: thread 0 copies, warp 1 reads. `wait`
// waits for the copy (parity %r6), `release` returns the stage, and `arrivals`
// is the number of arrivals for that.
std::string ring(const std::string &wait, const std::string &release,
                 const std::string &arrivals = "1") {
  return "@%p1 mbarrier.init.shared::cta.b64 [mbar], 1;\n@%p1 "
         "mbarrier.init.shared::cta.b64 [mbar+8], " +
         arrivals +
         ";\nbar.sync 0;\nmov.u32 %r5, 0;\nsetp.ge.u32 %p2, %r1, 32;\n@%p2 bra "
         "CONSUME;\n@!%p1 bra END;\n"
         "PRODUCE:\nand.b32 %r6, %r5, 1;\nxor.b32 %r7, %r6, 1;\n" +
         waitFor("EMPTY", "mbar+8", "%r7") +
         "mbarrier.arrive.expect_tx.shared::cta.b64 _, [mbar], 512;\n"
         "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
         "[tile], [%rd1], 512, [mbar];\n"
         "add.u32 %r5, %r5, 1;\nsetp.lt.u32 %p4, %r5, 3;\n@%p4 bra "
         "PRODUCE;\nbra END;\n"
         "CONSUME:\nsetp.eq.u32 %p5, %r2, 0;\nNEXT:\nand.b32 %r6, %r5, 1;\n" +
         wait + "ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r4];\n" +
         release +
         "add.u32 %r5, %r5, 1;\nsetp.lt.u32 %p4, %r5, 3;\n@%p4 bra NEXT;\nEND:";
}

const std::string kAllWait = waitFor("FULL", "mbar", "%r6");
const std::string kOneArrives =
    "@%p5 mbarrier.arrive.shared::cta.b64 _, [mbar+8];\n";

// One lane returns the stage for its warp. Only a barrier of the warp orders
// the other lanes' reads before that.
TEST(SimtLaneOrder, OneLaneArrivesForTheWarp) {
  Status status = runBody(ring(kAllWait, kOneArrives), 64);
  expectFails(status, "thread 0, PTX line");
  expectFails(status, "race in shared memory at 0x410: overwrites what thread "
                      "33 reads, without a barrier between them");
  expectOk(runBody(ring(kAllWait, "bar.warp.sync -1;\n" + kOneArrives), 64));
  expectOk(runBody(ring(kAllWait, "bar.sync 1, 32;\n" + kOneArrives), 64));
  expectOk(runBody(
      ring(kAllWait, "mbarrier.arrive.shared::cta.b64 _, [mbar+8];\n", "32"),
      64));
}

// Instructions that lanes execute together, but that do not order memory.
TEST(SimtLaneOrder, ShufflesAndVotesOrderNoMemory) {
  for (const char *meeting :
       {"shfl.sync.idx.b32 %r14, %r10, 0, 31, -1;\n",
        "vote.sync.all.pred %p6, %p5, -1;\n",
        "match.any.sync.b32 %r14, %r10, -1;\n",
        "redux.sync.add.u32 %r14, %r10, -1;\n", "elect.sync %r14|%p6, -1;\n"})
    expectFails(runBody(ring(kAllWait, meeting + kOneArrives), 64),
                "race in shared memory");
}

// A barrier of half the warp orders that half.
TEST(SimtLaneOrder, BarrierOfSomeLanes) {
  std::string half = "setp.lt.u32 %p6, %r2, 16;\n@%p6 bar.warp.sync 0xffff;\n";
  expectFails(runBody(ring(kAllWait, half + kOneArrives), 64),
              "race in shared memory");
  std::string other =
      "@!%p6 bar.warp.sync 0xffff0000;\nsetp.eq.u32 %p7, %r2, 16;\n@%p7 "
      "mbarrier.arrive.shared::cta.b64 _, [mbar+8];\n";
  expectOk(runBody(ring(kAllWait, half + other + kOneArrives, "2"), 64));
}

// After one lane has waited, the other lanes see the data only when something
// orders them.
TEST(SimtLaneOrder, OneLaneWaitsForTheWarp) {
  std::string wait = "@!%p5 bra WAITED;\n" + kAllWait + "WAITED:\n";
  std::string release = "bar.warp.sync -1;\n" + kOneArrives;
  // Reports bytes not yet copied, or a race.
  EXPECT_FALSE(runBody(ring(wait, release), 64).isOk());
  expectOk(runBody(ring(wait + "bar.warp.sync -1;\n", release), 64));
}

// A fence covers what its own lane has written and knows.
TEST(SimtLaneOrder, OneLaneFencesForTheWarp) {
  std::string write = "st.shared.v4.u32 [%r4], {%r1, %r1, %r1, %r1};\n";
  std::string copy =
      "@%p1 cp.async.bulk.global.shared::cta.bulk_group [%rd1], [tile], "
      "512;\n@%p1 "
      "cp.async.bulk.commit_group;\n@%p1 cp.async.bulk.wait_group 0;";
  std::string one = "@%p1 fence.proxy.async;\n", all = "fence.proxy.async;\n",
              meet = "bar.warp.sync -1;\n";
  expectFails(runBody(write + one + meet + copy, 32),
              "no fence.proxy.async stands between them");
  expectFails(runBody(write + all + copy, 32), "race in shared memory");
  expectOk(runBody(write + meet + one + copy, 32));
  expectOk(runBody(write + all + meet + copy, 32));
}

// Only an mbarrier orders the lanes.
TEST(SimtLaneOrder, LanesMeetAtAnMBarrier) {
  std::string begin =
      "@%p1 mbarrier.init.shared::cta.b64 [mbar], 31;\nbar.sync 0;\n"
      "st.shared.v4.u32 [%r4], {%r1, %r1, %r1, %r1};\n";
  std::string arrive = "@!%p1 mbarrier.arrive.shared::cta.b64 _, [mbar];\n";
  std::string end = "ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [tile+496];";
  std::string wait = waitFor("FULL", "mbar", "0");
  expectFails(runBody(begin + arrive + "@!%p1 bra END;\n" + end + "\nEND:", 32),
              "race in shared memory");
  expectOk(
      runBody(begin + arrive + "@!%p1 bra END;\n" + wait + end + "\nEND:", 32));
}

} // namespace
