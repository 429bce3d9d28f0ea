// mbarriers, asynchronous copies and clusters, each under many orders of
// completion.
#include "test/runtime/drivers/simt/simt_test.h"

using namespace nibble;
using namespace nibble::test;

namespace {

const char *const kAsyncShared =
    ".shared .align 128 .b8 tile[1024];\n.shared .align 8 .b64 mbar[4];\n";

// p0 holds 256 words 0, 1, 2, ...; p1 holds 256 results.
std::vector<uint32_t> runSeeds(const std::string &body, const Launch &launch) {
  std::vector<uint32_t> first;
  for (uint64_t seed = 0; seed < 16; ++seed) {
    SimtOptions options;
    options.seed = seed;
    options.checks = seed == 0 ? SimtOptions::kOff : SimtOptions::kFull;
    Simt simt(options);
    std::vector<uint32_t> in(256);
    for (uint32_t i = 0; i < 256; ++i)
      in[i] = i;
    DeviceAddress out = simt.upload(std::vector<uint32_t>(256, 0xdead));
    std::string text =
        kernelText(2,
                   "ld.param.u64 %rd1, [p0];\nld.param.u64 %rd2, "
                   "[p1];\nmov.u32 %r1, %tid.x;\nmov.u32 %r2, %ctaid.x;\n"
                   "mov.u32 %r3, tile;\nshl.b32 %r4, %r1, 2;\nadd.u32 %r5, "
                   "%r3, %r4;\ncvt.u64.u32 %rd4, %r4;\nadd.s64 "
                   "%rd5, %rd1, %rd4;\n"
                   "add.s64 %rd6, %rd2, %rd4;\nmov.u32 %r6, mbar;\nsetp.eq.u32 "
                   "%p1, %r1, 0;\n" +
                       body,
                   kAsyncShared);
    Status status = simt.run(text, "k", launch, {simt.upload(in), out});
    EXPECT_TRUE(status.isOk()) << "seed " << seed << ": " << status.message();
    if (!status.isOk())
      return {};
    auto result = simt.download<uint32_t>(out, 256);
    if (seed == 0)
      first = result;
    EXPECT_EQ(result, first) << "seed " << seed;
  }
  return first;
}

const std::string kInit = "@%p1 mbarrier.init.shared::cta.b64 [mbar], 1;\n@%p1 "
                          "fence.mbarrier_init.release.cluster;\nbar.sync 0;\n";
std::string waitFor(const std::string &parity, const std::string &label = "W") {
  return label + ":\nmbarrier.try_wait.parity.shared::cta.b64 %p2, [%r6], " +
         parity + ";\n@!%p2 bra " + label + ";\n";
}

TEST(SimtAsync, BulkCopyToShared) {
  auto result = runSeeds(
      kInit +
          "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [mbar], 512;\n"
          "@%p1 "
          "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
          "[%r3], [%rd1+128], 256, [%r6];\n"
          "@%p1 "
          "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
          "[%r3+256], [%rd1+512], 256, "
          "[%r6];\n" +
          waitFor("0") +
          "ld.shared.u32 %r7, [%r5];\nst.global.u32 [%rd6], %r7;",
      blocks(1, 128));
  ASSERT_EQ(result.size(), 256u);
  for (uint32_t i = 0; i < 128; ++i)
    EXPECT_EQ(result[i], i < 64 ? 32 + i : 128 + i - 64);
}

TEST(SimtAsync, BulkCopyToGlobal) {
  auto result =
      runSeeds("mul.lo.u32 %r7, %r1, 7;\nst.shared.u32 [%r5], "
               "%r7;\nfence.proxy.async;\nbar.sync 0;\n"
               "@%p1 cp.async.bulk.global.shared::cta.bulk_group [%rd2], "
               "[%r3], 256;\n@%p1 cp.async.bulk.commit_group;\n"
               "@%p1 cp.async.bulk.wait_group 0;",
               blocks(1, 64));
  ASSERT_EQ(result.size(), 256u);
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(result[i], 7 * i);
  EXPECT_EQ(result[64], 0xdeadu);
}

// Sizes, zero fill, and an arrival when the copies are complete.
TEST(SimtAsync, CopyPerThread) {
  auto result = runSeeds(
      "@%p1 mbarrier.init.shared::cta.b64 [mbar], 64;\nbar.sync 0;\nand.b32 "
      "%r7, %r1, 4;\n"
      "cp.async.ca.shared.global [%r5], [%rd5], 4, "
      "%r7;\ncp.async.mbarrier.arrive.noinc.shared.b64 [%r6];\n" +
          waitFor("0") +
          "xor.b32 %r8, %r4, 128;\nadd.u32 %r9, %r3, %r8;\nld.shared.u32 %r10, "
          "[%r9];\nst.global.u32 [%rd6], %r10;",
      blocks(1, 64));
  ASSERT_EQ(result.size(), 256u);
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(result[i], (i ^ 32) & 4 ? i ^ 32 : 0);
}

TEST(SimtAsync, GroupsCompleteInOrder) {
  auto result = runSeeds(
      "cp.async.ca.shared.global [%r5], [%rd5], 4;\ncp.async.commit_group;\n"
      "cp.async.ca.shared.global [%r5+512], [%rd5+512], "
      "4;\ncp.async.commit_group;\ncp.async.wait_group 1;\n"
      "ld.shared.u32 %r7, [%r5];\nst.global.u32 [%rd6], "
      "%r7;\ncp.async.wait_all;\nld.shared.u32 %r7, [%r5+512];\n"
      "st.global.u32 [%rd6+512], %r7;",
      blocks(1, 128));
  ASSERT_EQ(result.size(), 256u);
  for (uint32_t i = 0; i < 256; ++i)
    EXPECT_EQ(result[i], i);
}

// Phases by state: all 64 threads arrive twice, then one drops out.
TEST(SimtAsync, PhasesAndState) {
  auto result = runSeeds(
      "@%p1 mbarrier.init.shared::cta.b64 [mbar], 64;\nbar.sync 0;\n"
      "mbarrier.arrive.shared::cta.b64 %rd7, "
      "[%r6];\nA:\nmbarrier.test_wait.shared::cta.b64 %p2, [%r6], %rd7;\n@!%p2 "
      "bra A;\n"
      "setp.eq.u32 %p3, %r1, 63;\n@%p3 mbarrier.arrive_drop.shared::cta.b64 _, "
      "[%r6];\n@%p3 bra OUT;\n"
      "mbarrier.arrive.shared::cta.b64 %rd7, [%r6];\n" +
          waitFor("1", "B") +
          "mbarrier.arrive.shared::cta.b64 %rd7, "
          "[%r6];\nmbarrier.pending_count.b64 %r7, %rd7;\n" +
          waitFor("0", "C") +
          "setp.gt.u32 %p4, %r7, 0;\nselp.u32 %r8, 1, 0, %p4;\nst.global.u32 "
          "[%rd6], %r8;\nOUT:",
      blocks(1, 64));
  ASSERT_EQ(result.size(), 256u);
  for (uint32_t i = 0; i < 63; ++i)
    EXPECT_EQ(result[i], 1u);
  EXPECT_EQ(result[63], 0xdeadu);
}

// --- clusters ---

TEST(SimtCluster, RemoteSharedMemory) {
  // Every block reads what its neighbour wrote.
  auto result = runSeeds("mad.lo.u32 %r7, %r2, 100, %r1;\nst.shared.u32 [%r5], "
                         "%r7;\nbarrier.cluster.arrive.release.aligned;\n"
                         "barrier.cluster.wait.acquire.aligned;\nmov.u32 %r8, "
                         "%cluster_ctarank;\nxor.b32 %r8, %r8, 1;\n"
                         "mapa.shared::cluster.u32 %r9, %r5, "
                         "%r8;\nld.shared::cluster.u32 %r10, [%r9];\n"
                         "barrier.cluster.arrive.aligned;\nbarrier.cluster."
                         "wait.aligned;\nmad.lo.u32 %r11, %r2, 32, %r1;\n"
                         "mul.wide.u32 %rd7, %r11, 4;\nadd.s64 %rd8, %rd2, "
                         "%rd7;\nst.global.u32 [%rd8], %r10;",
                         blocks(4, 32, 0, 2));
  ASSERT_EQ(result.size(), 256u);
  for (uint32_t i = 0; i < 128; ++i)
    EXPECT_EQ(result[i], (i / 32 ^ 1) * 100 + i % 32);
}

TEST(SimtCluster, Multicast) {
  auto result =
      runSeeds("@%p1 mbarrier.init.shared::cta.b64 [mbar], 1;\n@%p1 "
               "fence.mbarrier_init.release.cluster;\n@%p1 "
               "mbarrier.arrive.expect_tx.shared::cta.b64 _, [mbar], 128;\n"
               "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;"
               "\nmov.u32 %r8, "
               "%cluster_ctarank;\nsetp.eq.u32 %p3, %r8, 1;\n"
               "and.pred %p3, %p3, %p1;\nmov.b16 %rs1, 3;\n"
               "@%p3 "
               "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
               "bytes.multicast::cluster [%r3], "
               "[%rd1+64], 128, [%r6], %rs1;\n" +
                   waitFor("0") +
                   "ld.shared.u32 %r10, [%r5];\nmad.lo.u32 %r11, %r2, 32, "
                   "%r1;\nmul.wide.u32 %rd7, %r11, 4;\n"
                   "add.s64 %rd8, %rd2, %rd7;\nst.global.u32 [%rd8], "
                   "%r10;\nbarrier.cluster.arrive.aligned;\nbarrier.cluster."
                   "wait.aligned;",
               blocks(2, 32, 0, 2));
  ASSERT_EQ(result.size(), 256u);
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(result[i], 16 + i % 32);
}

// Every block sends pairs to its neighbour, whose mbarrier counts their bytes.
TEST(SimtCluster, AsyncStore) {
  auto send = [](const std::string &waiting) {
    return "@%p1 mbarrier.init.shared::cta.b64 [mbar], 1;\n@%p1 "
           "fence.mbarrier_init.release.cluster;\n"
           "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [mbar], 256;\n"
           "barrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait."
           "aligned;\nmov.u32 %r8, %cluster_ctarank;\n"
           "xor.b32 %r8, %r8, 1;\nmapa.shared::cluster.u32 %r9, %r3, "
           "%r8;\nmapa.shared::cluster.u32 %r10, %r6, %r8;\n"
           "shl.b32 %r11, %r1, 3;\nadd.s32 %r9, %r9, %r11;\nmad.lo.u32 %r11, "
           "%r2, 100, %r1;\n"
           "st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 "
           "[%r9], {%r11, %r1}, [%r10];\n" +
           waiting +
           "shl.b32 %r11, %r1, 3;\nadd.s32 %r9, %r3, %r11;\nld.shared.v2.u32 "
           "{%r7, %r8}, [%r9];\nadd.s32 %r7, %r7, %r8;\n"
           "mad.lo.u32 %r11, %r2, 32, %r1;\nmul.wide.u32 %rd7, %r11, "
           "4;\nadd.s64 %rd8, %rd2, %rd7;\n"
           "st.global.u32 [%rd8], "
           "%r7;\nbarrier.cluster.arrive.aligned;\nbarrier.cluster.wait."
           "aligned;";
  };
  auto result = runSeeds(send(waitFor("0")), blocks(2, 32, 0, 2));
  ASSERT_EQ(result.size(), 256u);
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(result[i], (i / 32 ^ 1) * 100 + 2 * (i % 32));
}

TEST(SimtCluster, RemoteArrival) {
  // The 32 threads of block 1 arrive at the barrier of block 0, which waits for
  // them.
  auto result = runSeeds(
      "@%p1 mbarrier.init.shared::cta.b64 [mbar], 32;\n@%p1 "
      "fence.mbarrier_init.release.cluster;\n"
      "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\nmov.u32 "
      "%r8, %cluster_ctarank;\n"
      "setp.eq.u32 %p3, %r8, 0;\n@%p3 bra WAITING;\nmapa.shared::cluster.u32 "
      "%r9, %r6, 0;\n"
      "mapa.shared::cluster.u32 %r10, %r5, 0;\nst.shared::cluster.u32 [%r10], "
      "%r1;\n"
      "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r9];\nbra "
      "END;\nWAITING:\n" +
          waitFor("0") +
          "ld.shared.u32 %r10, [%r5];\nst.global.u32 [%rd6], %r10;\nEND:\n"
          "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;",
      blocks(2, 32, 0, 2));
  ASSERT_EQ(result.size(), 256u);
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(result[i], i);
}

} // namespace
