// Planted faults: the report of each, and the same kernel without the fault.
#include "test/runtime/drivers/simt/simt_test.h"

using namespace nibble;
using namespace nibble::test;

namespace {

const char *const kShared =
    ".shared .align 128 .b8 tile[4096];\n.shared .align 8 .b64 mbar[4];\n";

// Runs `body` for several seeds with a buffer of 1024 bytes of ones as p0.
// Returns the last status, or the first that is not ok.
Status runBody(const std::string &body, const Launch &launch,
               SimtOptions options = {}, bool written = true) {
  for (options.seed = 1; options.seed <= 12; ++options.seed) {
    Simt simt(options);
    DeviceAddress buffer =
        written ? simt.upload(std::vector<uint32_t>(256, 1), "buffer")
                : simt.allocate<uint32_t>(256, "buffer");
    Status status =
        simt.run(kernelText(1,
                            "ld.param.u64 %rd1, [p0];\nmov.u32 %r1, "
                            "%tid.x;\nmov.u32 %r2, %ctaid.x;\n" +
                                body,
                            kShared),
                 "k", launch, {buffer});
    if (!status.isOk())
      return status;
  }
  return Status::ok();
}

// --- bounds and alignment ---

TEST(SimtFaults, GlobalOutOfBounds) {
  std::string body = "mul.wide.u32 %rd2, %r1, 4;\nadd.s64 %rd3, %rd1, %rd2;\n";
  Status status =
      runBody(body + "st.global.u32 [%rd3+512], %r1;", blocks(1, 256));
  expectFails(status, "`st.global.u32 [%rd3+512], %r1;`: writes 4 bytes of "
                      "global memory at 0x");
  expectFails(status, "thread 128");
  expectFails(status, "kernel k, block (0, 0, 0)");
  expectFails(status, "0 bytes behind the end of 'buffer' (1024 bytes at 0x");
  expectOk(runBody(body + "st.global.u32 [%rd3], %r1;", blocks(1, 256)));
}

TEST(SimtFaults, GlobalMisaligned) {
  expectFails(runBody("ld.global.u32 %r3, [%rd1+2];", blocks(1, 1)),
              "which is not a multiple of 4");
  expectFails(
      runBody("ld.global.v4.u32 {%r3, %r4, %r5, %r6}, [%rd1+8];", blocks(1, 1)),
      "which is not a multiple of 16");
  expectOk(runBody("ld.global.v4.u32 {%r3, %r4, %r5, %r6}, [%rd1+16];",
                   blocks(1, 1)));
}

TEST(SimtFaults, SharedOutOfBounds) {
  expectFails(runBody("st.shared.u32 [tile+5000], %r1;", blocks(1, 1)),
              "outside the block's memory");
  expectFails(
      runBody("mov.u32 %r3, 0;\nst.shared.u32 [%r3], %r1;", blocks(1, 1)),
      "outside the block's memory");
  expectOk(runBody("st.shared.u32 [tile+4092], %r1;", blocks(1, 1)));
}

TEST(SimtFaults, ParametersAreReadOnly) {
  expectFails(
      runBody(
          "mov.b64 %rd2, p0;\ncvta.param.u64 %rd2, %rd2;\nst.u32 [%rd2], %r1;",
          blocks(1, 1)),
      "are read only");
}

// --- memory that nothing wrote ---

TEST(SimtFaults, UnwrittenGlobal) {
  std::string read = "ld.global.u32 %r3, [%rd1+8];";
  Status status = runBody(read, blocks(1, 1), {}, false);
  expectFails(status, "reads global memory that nothing wrote");
  expectFails(status, "byte 8 of 'buffer'");
  expectOk(runBody("st.global.u32 [%rd1+8], %r1;\n" + read, blocks(1, 1), {},
                   false));
}

TEST(SimtFaults, UnwrittenShared) {
  expectFails(runBody("ld.shared.u32 %r3, [tile+8];", blocks(1, 1)),
              "reads shared memory that nothing wrote");
  expectFails(
      runBody("st.shared.u16 [tile+8], 1;\nld.shared.u32 %r3, [tile+8];",
              blocks(1, 1)),
      "reads shared memory that nothing wrote");
  expectOk(runBody("st.shared.u32 [tile+8], %r1;\nld.shared.u32 %r3, [tile+8];",
                   blocks(1, 1)));
}

// --- races ---

std::string neighbour(const std::string &between) {
  return "shl.b32 %r3, %r1, 2;\nmov.u32 %r4, tile;\nadd.u32 %r5, %r4, "
         "%r3;\nst.shared.u32 [%r5], %r1;\n" +
         between +
         "\nxor.b32 %r6, %r3, 128;\nadd.u32 %r7, %r4, %r6;\nld.shared.u32 %r8, "
         "[%r7];";
}

TEST(SimtFaults, SharedRace) {
  Status status = runBody(neighbour(""), blocks(1, 64));
  ASSERT_FALSE(status.isOk());
  // The reader may come before the writer. The bytes are then unwritten, or the
  // writer overwrites what was read.
  bool named =
      status.message().find("race in shared memory") != std::string::npos ||
      status.message().find("that nothing wrote") != std::string::npos;
  EXPECT_TRUE(named) << status.message();
  expectOk(runBody(neighbour("bar.sync 0;"), blocks(1, 64)));
  expectOk(runBody(neighbour("barrier.sync 3, 64;"), blocks(1, 64)));
}

TEST(SimtFaults, SharedRaceWriteAfterRead) {
  std::string body = "setp.eq.u32 %p1, %r1, 0;\n@%p1 st.shared.u32 [tile], "
                     "7;\nbar.sync 0;\nld.shared.u32 %r3, [tile];\n";
  std::string write =
      "setp.eq.u32 %p2, %r1, 32;\n@%p2 st.shared.u32 [tile], 8;";
  expectFails(runBody(body + write, blocks(1, 64)), "race in shared memory");
  expectOk(runBody(body + "bar.sync 0;\n" + write, blocks(1, 64)));
}

TEST(SimtFaults, RaceWithinAWarp) {
  auto text = [](const std::string &between) {
    return "shl.b32 %r3, %r1, 2;\nmov.u32 %r4, tile;\nadd.u32 %r5, %r4, "
           "%r3;\nst.shared.u32 [%r5], %r1;\n" +
           between +
           "\nxor.b32 %r6, %r3, 4;\nadd.u32 %r7, %r4, %r6;\nld.shared.u32 %r8, "
           "[%r7];";
  };
  expectFails(runBody(text(""), blocks(1, 32)), "race in shared memory");
  expectOk(runBody(text("bar.warp.sync -1;"), blocks(1, 32)));
}

TEST(SimtFaults, RaceBetweenBlocks) {
  Status status = runBody("st.global.u32 [%rd1], %r2;", blocks(2, 1));
  expectFails(status, "race between blocks: writes global memory");
  expectFails(status, "of 'buffer', which block ");
  expectOk(runBody("mul.wide.u32 %rd2, %r2, 4;\nadd.s64 %rd3, %rd1, "
                   "%rd2;\nst.global.u32 [%rd3], %r2;",
                   blocks(2, 1)));
  expectOk(runBody("mul.wide.u32 %rd2, %r2, 2;\nadd.s64 %rd3, %rd1, "
                   "%rd2;\ncvt.u16.u32 %rs1, %r2;\nst.global.u16 [%rd3], %rs1;",
                   blocks(2, 1)));
  expectOk(runBody("red.global.add.u32 [%rd1], 1;", blocks(2, 32)));
}

TEST(SimtFaults, AtomicsAreNoRace) {
  std::string zero =
      "setp.eq.u32 %p1, %r1, 0;\n@%p1 st.shared.u32 [tile], 0;\nbar.sync 0;\n";
  expectOk(runBody(zero + "atom.shared.add.u32 %r3, [tile], 1;\nbar.sync "
                          "0;\nld.shared.u32 %r4, [tile];",
                   blocks(1, 128)));
}

// --- the asynchronous proxy ---

const char *const kBulk = "cp.async.bulk.global.shared::cta.bulk_group [%rd1], "
                          "[tile], 16;\ncp.async.bulk.commit_group;\n";

TEST(SimtFaults, MissingProxyFence) {
  std::string write = "st.shared.v4.u32 [tile], {%r1, %r1, %r1, %r1};\n";
  std::string wait = "cp.async.bulk.wait_group 0;";
  Status status = runBody(write + kBulk + wait, blocks(1, 1));
  expectFails(status, "the asynchronous proxy touches shared memory");
  expectFails(status, "no fence.proxy.async stands between them");
  expectOk(
      runBody(write + "fence.proxy.async;\n" + kBulk + wait, blocks(1, 1)));
  expectOk(runBody(write + "fence.proxy.async.shared::cta;\n" + kBulk + wait,
                   blocks(1, 1)));
}

TEST(SimtFaults, OverwrittenWhileRead) {
  std::string begin = std::string("st.shared.v4.u32 [tile], {%r1, %r1, %r1, "
                                  "%r1};\nfence.proxy.async;\n") +
                      kBulk;
  std::string again = "st.shared.u32 [tile], 3;\n";
  expectFails(
      runBody(begin + again + "cp.async.bulk.wait_group 0;", blocks(1, 1)),
      "which nothing waited for");
  expectOk(runBody(begin + "cp.async.bulk.wait_group.read 0;\n" + again,
                   blocks(1, 1)));
}

TEST(SimtFaults, CopyThatNobodyWaitedFor) {
  std::string copy =
      "cp.async.ca.shared.global [tile], [%rd1], 16;\ncp.async.commit_group;\n";
  expectFails(
      runBody(copy + "ld.shared.u32 %r3, [tile];", blocks(1, 1)),
      "an asynchronous operation of warp 0 wrote, which nothing waited for");
  expectOk(runBody(copy + "cp.async.wait_group 0;\nld.shared.u32 %r3, [tile];",
                   blocks(1, 1)));
  expectFails(runBody(copy + "cp.async.ca.shared.global [tile+16], [%rd1+16], "
                             "16;\ncp.async.commit_group;\ncp.async.wait_group "
                             "1;\nld.shared.u32 %r3, [tile+16];",
                      blocks(1, 1)),
              "which nothing waited for");
}

TEST(SimtFaults, AsyncStoreThatNobodyWaitedFor) {
  std::string store =
      "mbarrier.init.shared::cta.b64 [mbar], "
      "1;\nfence.mbarrier_init.release.cluster;\n"
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [mbar], 4;\nmov.u32 %r3, "
      "tile;\nmov.u32 %r4, mbar;\n"
      "mov.u32 %r7, %cluster_ctarank;\nmapa.shared::cluster.u32 %r5, %r3, "
      "%r7;\nmapa.shared::cluster.u32 %r6, %r4, %r7;\n"
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%r5], %r1, "
      "[%r6];\n";
  std::string wait = "W:\nmbarrier.try_wait.parity.shared::cta.b64 %p2, [%r4], "
                     "0;\n@!%p2 bra W;\n",
              load = "ld.shared.u32 %r3, [tile];";
  expectFails(
      runBody(store + load, blocks(2, 1, 0, 2)),
      "an asynchronous operation of warp 0 wrote, which nothing waited for");
  expectOk(runBody(store + wait + load, blocks(2, 1, 0, 2)));
  expectFails(runBody(store + wait + load, blocks(1, 1)),
              "stores asynchronously in a kernel without a cluster");
}

// --- waits ---

TEST(SimtFaults, WaitThatNeverCompletes) {
  std::string init = "setp.eq.u32 %p1, %r1, 0;\n@%p1 "
                     "mbarrier.init.shared::cta.b64 [mbar], 2;\nbar.sync 0;\n";
  std::string wait = "LOOP:\nmbarrier.try_wait.parity.shared::cta.b64 %p2, "
                     "[mbar], 0;\n@!%p2 bra LOOP;";
  Status status = runBody(
      init + "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [mbar], 64;\n" +
          wait,
      blocks(1, 32));
  expectFails(status, "never ends: everybody waits");
  expectFails(status, "phase 0, 1 of 2 arrivals and 64 bytes pending");
  expectFails(status,
              "`mbarrier.try_wait.parity.shared::cta.b64 %p2, [mbar], 0;`");
  expectOk(runBody(init +
                       "setp.lt.u32 %p3, %r1, 2;\n@%p3 "
                       "mbarrier.arrive.shared::cta.b64 _, [mbar];\n" +
                       wait,
                   blocks(1, 32)));
}

TEST(SimtFaults, TooManyArrivals) {
  std::string init = "setp.eq.u32 %p1, %r1, 0;\n@%p1 "
                     "mbarrier.init.shared::cta.b64 [mbar], 2;\nbar.sync 0;\n";
  expectFails(
      runBody(init + "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, "
                     "[mbar], 64;\n@!%p1 "
                     "mbarrier.arrive.shared::cta.b64 _, [mbar];",
              blocks(1, 4)),
      "more arrivals at the mbarrier than the 2 that phase 0 waits for");
}

TEST(SimtFaults, BarrierOfAnotherSize) {
  std::string body = "setp.lt.u32 %p1, %r1, 32;\n@%p1 bra LOW;\nbar.sync 1, "
                     "64;\nbra END;\nLOW:\nbar.sync 1, ";
  expectFails(runBody(body + "96;\nEND:", blocks(1, 96)),
              "barrier 1 is to wait for");
  expectOk(runBody(body + "64;\nEND:", blocks(1, 64)));
}

TEST(SimtFaults, BarrierThatSomeLeftOut) {
  Status status =
      runBody("setp.lt.u32 %p1, %r1, 32;\n@%p1 bra END;\nbar.sync 0;\nEND:",
              blocks(1, 96));
  expectFails(status, "never ends: everybody waits");
  expectFails(status, "barrier 0 of block rank 0 has 64 of 96 threads");
}

TEST(SimtFaults, DivergentBarrier) {
  Status status = runBody("setp.lt.u32 %p1, %r1, 16;\n@%p1 bra LOW;\nbar.sync "
                          "0;\nbra END;\nLOW:\nbar.sync 0;\nEND:",
                          blocks(1, 32));
  expectFails(status, "diverged: lanes of a warp wait for each other");
  expectFails(
      status,
      "16 threads from 16 wait for the other lanes of the warp at PTX line");
}

TEST(SimtFaults, ShuffleWithoutItsMembers) {
  expectFails(runBody("setp.lt.u32 %p1, %r1, 16;\n@%p1 bra "
                      "END;\nshfl.sync.idx.b32 %r3, %r1, 0, 31, -1;\nbra.uni "
                      "OUT;\nEND:\nbar.warp.sync -1;\nOUT:",
                      blocks(1, 32)),
              "diverged");
  expectFails(
      runBody("setp.lt.u32 %p1, %r1, 16;\n@%p1 bra END;\nshfl.sync.idx.b32 "
              "%r3, %r1, 0, 31, 0xffff0000;\nEND:",
              blocks(1, 32)),
      "reads the value of lane 0, which does not take part");
  expectOk(
      runBody("setp.lt.u32 %p1, %r1, 16;\n@%p1 bra END;\nshfl.sync.idx.b32 "
              "%r3, %r1, 16, 31, 0xffff0000;\nEND:",
              blocks(1, 32)));
}

TEST(SimtFaults, EndlessLoop) {
  SimtOptions options;
  options.spinLimit = 100000;
  expectFails(
      runBody("LOOP:\nadd.u32 %r3, %r3, 1;\nbra LOOP;", blocks(1, 32), options),
      "never ends: nothing was stored");
}

TEST(SimtFaults, LockThatNobodyGivesBack) {
  SimtOptions options;
  options.spinLimit = 100000;
  expectFails(runBody("LOOP:\natom.global.cas.b32 %r3, [%rd1], 0, "
                      "1;\nsetp.ne.u32 %p1, %r3, 0;\n@%p1 bra LOOP;",
                      blocks(1, 2), options),
              "never ends");
}

TEST(SimtFaults, Trap) {
  expectFails(runBody("setp.eq.u32 %p1, %r1, 5;\n@%p1 trap;", blocks(1, 32)),
              "thread 5");
}

// --- mbarriers as objects ---

TEST(SimtFaults, MBarrierMisuse) {
  expectFails(
      runBody("mbarrier.arrive.shared::cta.b64 _, [mbar];", blocks(1, 1)),
      "there is no valid mbarrier");
  expectFails(runBody("mbarrier.init.shared::cta.b64 [mbar], 1;\nst.shared.u32 "
                      "[mbar+4], 0;",
                      blocks(1, 1)),
              "as if it were ordinary memory");
  expectFails(
      runBody("setp.eq.u32 %p1, %r1, 0;\n@%p1 mbarrier.init.shared::cta.b64 "
              "[mbar], 64;\n@!%p1 nanosleep.u32 "
              "1;\nmbarrier.arrive.shared::cta.b64 _, [mbar];",
              blocks(1, 64)),
      "mbarrier");
}

// --- wgmma ---

std::string product(const std::string &before, const std::string &between,
                    const std::string &after) {
  std::string body = "mov.u32 %r3, tile;\nshl.b32 %r4, %r1, 4;\nadd.u32 %r3, "
                     "%r3, %r4;\nst.shared.v4.u32 [%r3], {0, 0, 0, 0};\n"
                     "st.shared.v4.u32 [%r3+2048], {0, 0, 0, 0};\n" +
                     before +
                     "\nmov.f32 %f0, 0f00000000;\nmov.f32 %f1, %f0;\nmov.f32 "
                     "%f2, %f0;\nmov.f32 %f3, %f0;\n"
                     "mov.u32 %r5, tile;\nshr.u32 %r5, %r5, 4;\ncvt.u64.u32 "
                     "%rd2, %r5;\nor.b64 %rd2, %rd2, 0x0000001000080000;\n" +
                     between +
                     "\nwgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 "
                     "{%f0, %f1, %f2, %f3}, %rd2, %rd2, 1, 1, 1, 0, 0;\n"
                     "wgmma.commit_group.sync.aligned;\n" +
                     after;
  return body;
}

TEST(SimtFaults, WgmmaOrder) {
  const std::string fence = "fence.proxy.async;\nbar.sync 0;",
                    begin = "wgmma.fence.sync.aligned;",
                    wait = "wgmma.wait_group.sync.aligned 0;";
  expectOk(runBody(product(fence, begin, wait + "\nadd.f32 %f4, %f0, %f1;"),
                   blocks(1, 128)));
  expectFails(runBody(product("bar.sync 0;", begin, wait), blocks(1, 128)),
              "no fence.proxy.async");
  expectFails(runBody(product(fence, "", wait), blocks(1, 128)),
              "no wgmma.fence");
  expectFails(runBody(product(fence, begin, "add.f32 %f4, %f0, %f1;\n" + wait),
                      blocks(1, 128)),
              "touches a register of a wgmma that nothing has waited for");
  expectFails(
      runBody(product(fence, begin, "st.shared.u32 [tile], 0;\n" + wait),
              blocks(1, 128)),
      "race in shared memory");
  SimtOptions options;
  options.pendingRegisters = false;
  expectOk(runBody(product(fence, begin, "add.f32 %f4, %f0, %f1;\n" + wait),
                   blocks(1, 128), options));
}

// --- launches ---

TEST(SimtFaults, Registers) {
  expectFails(runBody("setmaxnreg.dec.sync.aligned.u32 240;", blocks(1, 512)),
              "there are 65536");
  expectOk(runBody("setmaxnreg.dec.sync.aligned.u32 40;", blocks(1, 512)));
}

} // namespace
