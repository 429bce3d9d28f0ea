// Loads, stores, atomics, address spaces, control flow.
#include "test/runtime/drivers/simt/evaluate.h"

using namespace nibble;
using namespace nibble::test;

namespace {

TEST(SimtMemory, SpacesAndWidths) {
  const char *shared = ".shared .align 16 .b8 tile[64];\n";
  EXPECT_EQ(evaluate32(
                "st.shared.u32 [tile], 0x818283f4;\nld.shared.s8 %r90, [tile];",
                1, shared)[0],
            0xfffffff4u);
  EXPECT_EQ(
      evaluate32(
          "st.shared.u32 [tile], 0x818283f4;\nld.shared.u8 %r90, [tile+1];", 1,
          shared)[0],
      0x83u);
  EXPECT_EQ(
      evaluate64(
          "st.shared.u32 [tile], 0x818283f4;\nld.shared.s16 %rd90, [tile+2];",
          1, shared)[0],
      0xffffffffffff8182u);
  EXPECT_EQ(
      evaluate64(
          "st.shared.v2.b32 [tile+8], {1, 2};\nld.shared.b64 %rd90, [tile+8];",
          1, shared)[0],
      0x200000001u);
  EXPECT_EQ(evaluate32(
                "mov.b16 %rs1, 0x1234;\nst.shared.u8 [tile], "
                "%rs1;\nst.shared.u8 [tile+1], 7;\nld.shared.u16 %r90, [tile];",
                1, shared)[0],
            0x734u);
  // Generic addresses of shared memory.
  EXPECT_EQ(
      evaluate32("mov.u64 %rd1, tile;\ncvta.shared.u64 %rd2, %rd1;\nst.u32 "
                 "[%rd2+4], 99;\nld.shared.u32 %r90, [tile+4];",
                 1, shared)[0],
      99u);
  EXPECT_EQ(
      evaluate32(
          "mov.u64 %rd1, tile;\ncvta.shared.u64 %rd2, %rd1;\nisspacep.shared "
          "%p1, %rd2;\nisspacep.global %p2, %rd2;\n"
          "selp.u32 %r3, 2, 0, %p1;\nselp.u32 %r4, 1, 0, %p2;\nadd.u32 %r90, "
          "%r3, %r4;",
          1, shared)[0],
      2u);
}

TEST(SimtMemory, LocalIsPerThread) {
  auto values = evaluate32(
      ".local .align 8 .b8 depot[16];\nmov.b64 %rd1, depot;\ncvta.local.u64 "
      "%rd2, %rd1;\nst.local.u32 [%rd1+4], %r1;\n"
      "add.u64 %rd3, %rd2, 4;\nld.u32 %r90, [%rd3];",
      64);
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(values[i], i);
}

TEST(SimtMemory, ConstantsAndGlobals) {
  const char *tables = ".const .align 4 .u32 table[4] = {10, 20, 30};\n.global "
                       ".align 8 .u64 pointer[1] = {generic(table)};\n"
                       ".global .align 4 .u32 counter;\n";
  EXPECT_EQ(evaluate32("ld.const.u32 %r90, [table+8];", 1, tables)[0], 30u);
  EXPECT_EQ(evaluate32("ld.const.u32 %r90, [table+12];", 1, tables)[0], 0u);
  EXPECT_EQ(evaluate32("ld.global.u64 %rd1, [pointer];\nld.u32 %r90, [%rd1+4];",
                       1, tables)[0],
            20u);
  EXPECT_EQ(evaluate32("atom.global.add.u32 %r3, [counter], "
                       "5;\natom.global.add.u32 %r90, [counter], 5;",
                       1, tables)[0],
            5u);
}

TEST(SimtMemory, Atomics) {
  struct Case {
    const char *operation;
    uint32_t before, after, result;
  } cases[] = {
      {"atom.shared.add.u32 %r90, [tile], 5;", 7, 12, 7},
      {"atom.shared.min.s32 %r90, [tile], -1;", 7, 0xffffffff, 7},
      {"atom.shared.max.u32 %r90, [tile], 9;", 7, 9, 7},
      {"atom.shared.and.b32 %r90, [tile], 6;", 7, 6, 7},
      {"atom.shared.or.b32 %r90, [tile], 8;", 7, 15, 7},
      {"atom.shared.xor.b32 %r90, [tile], 1;", 7, 6, 7},
      {"atom.shared.exch.b32 %r90, [tile], 1;", 7, 1, 7},
      {"atom.shared.cas.b32 %r90, [tile], 7, 3;", 7, 3, 7},
      {"atom.shared.cas.b32 %r90, [tile], 8, 3;", 7, 7, 7},
      {"atom.shared.inc.u32 %r90, [tile], 7;", 7, 0, 7},
      {"atom.shared.dec.u32 %r90, [tile], 9;", 0, 9, 0},
      {"atom.shared.add.f32 %f90, [tile], 0f3F800000;\nmov.b32 %r90, %f90;",
       0x40000000, 0x40400000, 0x40000000},
      {"red.shared.add.u32 [tile], 5;\nmov.u32 %r90, 7;", 7, 12, 7},
      {"atom.acq_rel.cta.shared::cta.add.u32 %r90, [tile], 5;", 7, 12, 7},
      {"atom.shared.add.noftz.bf16x2 %r90, [tile], 0x3f803f80;", 0x40003f80,
       0x40404000, 0x40003f80},
  };
  for (const Case &c : cases) {
    std::string body =
        "st.shared.u32 [tile], " + std::to_string(c.before) + ";\n" +
        c.operation +
        "\nld.shared.u32 %r91, [tile];\nmov.b64 %rd90, {%r90, %r91};";
    std::string text = c.operation;
    if (text.find("bf16x2") != std::string::npos)
      body = "mov.b32 %r92, 0x3f803f80;\n" +
             body.replace(body.find("0x3f803f80;"), 10, "%r92");
    EXPECT_EQ(evaluate64(body, 1, ".shared .align 16 .b8 tile[64];\n")[0],
              uint64_t{c.after} << 32 | c.result)
        << c.operation;
  }
}

TEST(SimtMemory, EveryBlockAndThreadOnce) {
  Launch launch = blocks(6, 48);
  launch.grid[1] = 3;
  auto values =
      evaluate64("mov.u32 %r3, %ctaid.x;\nmov.u32 %r4, %ctaid.y;\nmov.u32 %r5, "
                 "%nctaid.x;\nmov.u32 %r6, %ntid.x;\n"
                 "mad.lo.u32 %r7, %r4, %r5, %r3;\nmad.lo.u32 %r8, %r7, %r6, "
                 "%r1;\ncvt.u64.u32 %rd90, %r8;",
                 48, "", &launch);
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(values[i], i);
}

TEST(SimtMemory, SpecialRegisters) {
  auto values = evaluate64("mov.u32 %r3, %warpid;\nmov.u32 %r4, "
                           "%lanemask_lt;\nmov.b64 %rd90, {%r3, %r4};",
                           64);
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(values[i], uint64_t{(1u << i % 32) - 1} << 32 | i / 32);
}

// Lanes of one warp take a lock one after the other. The loser has the lowest
// pc and must not starve the winner.
TEST(SimtMemory, LockWithinAWarp) {
  auto values =
      evaluate32("setp.eq.u32 %p1, %r1, 0;\n@%p1 st.shared.u32 [tile], "
                 "0;\n@%p1 st.shared.u32 [tile+4], 0;\nbar.sync 0;\n"
                 "LOCK:\natom.acquire.cta.shared.cas.b32 %r3, [tile], 0, "
                 "1;\nsetp.ne.u32 %p2, %r3, 0;\n@%p2 bra LOCK;\n"
                 "ld.shared.u32 %r4, [tile+4];\nadd.u32 %r4, %r4, "
                 "1;\nst.shared.u32 [tile+4], %r4;\n"
                 "atom.release.cta.shared.exch.b32 %r5, [tile], 0;\nbar.sync "
                 "0;\nld.shared.u32 %r90, [tile+4];",
                 64, ".shared .align 16 .b8 tile[64];\n");
  for (uint64_t value : values)
    EXPECT_EQ(value, 64u);
}

TEST(SimtMemory, BranchTable) {
  auto values =
      evaluate32("and.b32 %r3, %r1, 3;\nTABLE: .branchtargets A, B, C, "
                 "D;\nbrx.idx %r3, TABLE;\nA:\nmov.u32 %r90, 10;\nbra END;\n"
                 "B:\nmov.u32 %r90, 20;\nbra END;\nC:\nmov.u32 %r90, 30;\nbra "
                 "END;\nD:\nmov.u32 %r90, 40;\nEND:\n",
                 32);
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(values[i], 10 * (i % 4 + 1));
}

TEST(SimtMemory, Calls) {
  const char *square =
      ".func (.param .b32 result) square(.param .b32 x)\n{\n.reg .b32 "
      "%a<3>;\nld.param.b32 %a1, [x];\n"
      "mul.lo.s32 %a2, %a1, %a1;\nst.param.b32 [result], %a2;\nret;\n}\n";
  auto values = evaluate32("{\n.param .b32 in;\n.param .b32 out;\nst.param.b32 "
                           "[in], %r1;\ncall.uni (out), square, (in);\n"
                           "ld.param.b32 %r90, [out];\n}",
                           32, square);
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(values[i], i * i);
}

TEST(SimtMemory, NamesWithinBraces) {
  EXPECT_EQ(evaluate32("mov.u32 %r90, 0;\n{\n.reg .u32 x;\nmov.u32 x, 3;\nbra "
                       "SKIP;\nmov.u32 x, 4;\nSKIP:\nadd.u32 "
                       "%r90, %r90, x;\n}\n"
                       "{\n.reg .u32 x;\nmov.u32 x, 5;\nbra SKIP;\nmov.u32 x, "
                       "6;\nSKIP:\nadd.u32 %r90, %r90, x;\n}")[0],
            8u);
}

// --- warps ---

TEST(SimtWarp, Shuffles) {
  auto run = [](const std::string &instruction) {
    return evaluate32(instruction, 32);
  };
  auto up = run("shfl.sync.up.b32 %r90, %r1, 1, 0, -1;");
  auto down = run("shfl.sync.down.b32 %r90|%p1, %r1, 2, 31, -1;");
  auto xored = run("shfl.sync.bfly.b32 %r90, %r1, 5, 31, -1;");
  auto index = run("shfl.sync.idx.b32 %r90, %r1, 3, 0x181f, -1;");
  for (uint32_t i = 0; i < 32; ++i) {
    EXPECT_EQ(up[i], i == 0 ? 0 : i - 1);
    EXPECT_EQ(down[i], i < 30 ? i + 2 : i);
    EXPECT_EQ(xored[i], i ^ 5);
    EXPECT_EQ(index[i], i / 8 * 8 + 3);
  }
}

TEST(SimtWarp, VotesAndReductions) {
  std::string odd = "and.b32 %r3, %r1, 1;\nsetp.ne.u32 %p1, %r3, 0;\n";
  EXPECT_EQ(evaluate32(odd + "vote.sync.ballot.b32 %r90, %p1, -1;", 32)[7],
            0xaaaaaaaau);
  EXPECT_EQ(
      evaluate32(
          odd + "vote.sync.any.pred %p2, %p1, -1;\nselp.u32 %r90, 1, 0, %p2;",
          32)[0],
      1u);
  EXPECT_EQ(
      evaluate32(
          odd + "vote.sync.all.pred %p2, !%p1, -1;\nselp.u32 %r90, 1, 0, %p2;",
          32)[0],
      0u);
  EXPECT_EQ(evaluate32("redux.sync.add.s32 %r90, %r1, -1;", 32)[3], 496u);
  EXPECT_EQ(
      evaluate32("sub.s32 %r3, 5, %r1;\nredux.sync.min.s32 %r90, %r3, -1;",
                 32)[3],
      static_cast<uint32_t>(-26));
  EXPECT_EQ(
      evaluate32("shr.u32 %r3, %r1, 3;\nmatch.any.sync.b32 %r90, %r3, -1;",
                 32)[9],
      0xff00u);
  EXPECT_EQ(
      evaluate32("elect.sync %r3|%p1, -1;\nselp.u32 %r90, 1, 0, %p1;", 32)[0],
      1u);
  EXPECT_EQ(
      evaluate32("elect.sync _|%p1, -1;\nselp.u32 %r90, 1, 0, %p1;", 32)[1],
      0u);
  EXPECT_EQ(evaluate32("activemask.b32 %r90;", 20)[1], 0xfffffu);
}

TEST(SimtWarp, NamedBarriersOfTwoGroups) {
  // Warps 0 and 1 pass a value to warps 2 and 3 by arrive and sync.
  auto values =
      evaluate32("setp.lt.u32 %p1, %r1, 64;\nmov.u32 %r3, tile;\nand.b32 %r4, "
                 "%r1, 63;\nshl.b32 %r4, %r4, "
                 "2;\nadd.u32 %r3, %r3, %r4;\n"
                 "mov.u32 %r90, 0;\n@!%p1 bra READ;\nmul.lo.u32 %r5, %r1, "
                 "3;\nst.shared.u32 [%r3], "
                 "%r5;\nbar.arrive 2, 128;\nbra END;\n"
                 "READ:\nbar.sync 2, 128;\nld.shared.u32 %r90, [%r3];\nEND:",
                 128, ".shared .align 16 .b8 tile[256];\n");
  for (uint32_t i = 64; i < 128; ++i)
    EXPECT_EQ(values[i], 3 * (i - 64));
}

} // namespace
