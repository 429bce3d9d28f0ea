// Compares integer and floating-point instructions with values derived from the
// ISA's definitions.
#include "test/runtime/drivers/simt/evaluate.h"

#include <bit>
#include <cmath>

using namespace nibble;
using namespace nibble::test;

namespace {

struct Case {
  const char *instruction;
  uint64_t expected;
};

TEST(SimtArithmetic, Integers32) {
  const Case cases[] = {
      {"add.s32 %r90, 2147483647, 1;", 0x80000000},
      {"add.sat.s32 %r90, 2147483647, 1;", 0x7fffffff},
      {"sub.u32 %r90, 3, 5;", 0xfffffffe},
      {"sub.sat.s32 %r90, -2147483648, 1;", 0x80000000},
      {"mul.lo.u32 %r90, 0x10001, 0x10001;", 0x20001},
      {"mul.hi.u32 %r90, 0x80000000, 6;", 3},
      {"mul.hi.s32 %r90, -2, 3;", 0xffffffff},
      {"mad.lo.s32 %r90, -3, 7, 30;", 9},
      {"mad.hi.u32 %r90, 0x80000000, 6, 4;", 7},
      {"mul.wide.s16 %r90, -3, 7;", 0xffffffeb},
      {"mul.wide.u16 %r90, 65535, 65535;", 0xfffe0001},
      {"mad.wide.u16 %r90, 65535, 2, 3;", 0x20001},
      {"div.s32 %r90, -7, 2;", 0xfffffffd},
      {"div.u32 %r90, 4000000000, 3;", 1333333333},
      {"rem.s32 %r90, -7, 2;", 0xffffffff},
      {"rem.u32 %r90, 4000000000, 7;", 4000000000u % 7},
      {"min.s32 %r90, -1, 1;", 0xffffffff},
      {"min.u32 %r90, -1, 1;", 1},
      {"max.s32 %r90, -1, 1;", 1},
      {"abs.s32 %r90, -5;", 5},
      {"neg.s32 %r90, 5;", 0xfffffffb},
      {"sad.s32 %r90, -3, 4, 10;", 17},
      {"and.b32 %r90, 12, 10;", 8},
      {"or.b32 %r90, 12, 10;", 14},
      {"xor.b32 %r90, 12, 10;", 6},
      {"not.b32 %r90, 0;", 0xffffffff},
      {"cnot.b32 %r90, 7;", 0},
      {"shl.b32 %r90, 3, 31;", 0x80000000},
      {"shl.b32 %r90, 3, 32;", 0},
      {"shr.u32 %r90, 0x80000000, 4;", 0x08000000},
      {"shr.s32 %r90, 0x80000000, 40;", 0xffffffff},
      {"shf.l.wrap.b32 %r90, 0x12345678, 0xabcdef01, 36;", 0xbcdef011},
      {"shf.r.wrap.b32 %r90, 0x12345678, 0xabcdef01, 8;", 0x01123456},
      {"shf.r.clamp.b32 %r90, 0x12345678, 0xabcdef01, 40;", 0xabcdef01},
      {"shf.l.clamp.b32 %r90, 0x12345678, 0xabcdef01, 40;", 0x12345678},
      {"lop3.b32 %r90, 0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa, 0x96;",
       0xf0f0f0f0 ^ 0xcccccccc ^ 0xaaaaaaaa},
      {"lop3.b32 %r90, 0xff00ff00, 0x12345678, 0x9abcdef0, 0xca;",
       (0xff00ff00 & 0x12345678) | (~0xff00ff00u & 0x9abcdef0)},
      {"prmt.b32 %r90, 0x33221100, 0x77665544, 0x7604;", 0x77660044},
      {"prmt.b32 %r90, 0x33228100, 0x77665544, 0x0009;", 0x000000ff},
      {"prmt.b32.f4e %r90, 0x33221100, 0x77665544, 1;", 0x44332211},
      {"bfe.u32 %r90, 0xabcd1234, 8, 12;", 0xd12},
      {"bfe.s32 %r90, 0x0000f000, 12, 4;", 0xffffffff},
      {"bfe.s32 %r90, 0x80000000, 28, 20;", 0xfffffff8},
      {"bfi.b32 %r90, 0xff, 0x12345678, 8, 4;", 0x12345f78},
      {"bmsk.clamp.b32 %r90, 4, 8;", 0xff0},
      {"popc.b32 %r90, 0xf0f0;", 8},
      {"clz.b32 %r90, 0x00ffffff;", 8},
      {"brev.b32 %r90, 1;", 0x80000000},
      {"bfind.u32 %r90, 0x1000;", 12},
      {"bfind.s32 %r90, -1;", 0xffffffff},
      {"bfind.shiftamt.u32 %r90, 0x1000;", 19},
      {"dp4a.u32.u32 %r90, 0x01020304, 0x05060708, 100;",
       100 + 5 + 12 + 21 + 32},
      {"dp4a.s32.s32 %r90, 0xff000000, 0x02000000, 0;", 0xfffffffe},
      {"slct.u32.s32 %r90, 1, 2, -1;", 2},
      {"mov.b32 %r3, 0x00050003;\nmov.b32 %r4, 0x00020009;\nmin.u16x2 %r90, "
       "%r3, %r4;",
       0x00020003},
      {"mov.b32 %r3, 0x0001ffff;\nmov.b32 %r4, 0xffff0001;\nadd.u16x2 %r90, "
       "%r3, %r4;",
       0},
      {"cvt.u32.u64 %r90, 0x123456789;", 0x23456789},
      {"cvt.s32.s8 %r90, 0x80;", 0xffffff80},
      {"cvt.sat.u8.s32 %r90, 300;", 255},
      {"cvt.sat.s8.s32 %r90, -300;", 0xffffff80},
      {"cvt.rzi.s32.f32 %r90, 0fC0200000;", 0xfffffffe}, // -2.5
      {"cvt.rni.s32.f32 %r90, 0f40200000;", 2},          // 2.5 to even
      {"cvt.rmi.s32.f32 %r90, 0fC0200000;", 0xfffffffd},
      {"cvt.rpi.s32.f32 %r90, 0f40200000;", 3},
      {"cvt.rzi.u32.f32 %r90, 0fC0200000;", 0},
      {"cvt.rzi.s32.f32 %r90, 0f7FC00000;", 0},
      {"cvt.rzi.s32.f32 %r90, 0f7F800000;", 0x7fffffff},
  };
  for (const Case &c : cases)
    EXPECT_EQ(evaluate32(c.instruction)[0], c.expected) << c.instruction;
}

TEST(SimtArithmetic, Integers64) {
  const Case cases[] = {
      {"mul.wide.s32 %rd90, -3, 7;", static_cast<uint64_t>(-21)},
      {"mul.wide.u32 %rd90, 0xffffffff, 0xffffffff;", 0xfffffffe00000001u},
      {"mad.wide.s32 %rd90, -3, 7, 1;", static_cast<uint64_t>(-20)},
      {"mul.hi.u64 %rd90, 0x8000000000000000, 6;", 3},
      {"mul.lo.s64 %rd90, -3, 7;", static_cast<uint64_t>(-21)},
      {"shr.s64 %rd90, 0x8000000000000000, 63;", ~uint64_t{0}},
      {"shl.b64 %rd90, 1, 63;", uint64_t{1} << 63},
      {"bfe.u64 %rd90, 0xabcdef0123456789, 8, 40;",
       0xef01234567 & 0xffffffffff},
      {"mov.b64 %rd90, {0x11111111, 0x22222222};", 0x2222222211111111},
      {"mov.b64 %rd90, {1, 2, 3, 4};", 0x0004000300020001},
      {"cvt.s64.s32 %rd90, -2;", static_cast<uint64_t>(-2)},
      {"cvt.u64.u32 %rd90, 0xfffffffe;", 0xfffffffe},
      {"brev.b64 %rd90, 1;", uint64_t{1} << 63},
      {"div.u64 %rd90, 1000000000000, 7;", 142857142857},
  };
  for (const Case &c : cases)
    EXPECT_EQ(evaluate64(c.instruction)[0], c.expected) << c.instruction;
  EXPECT_EQ(
      evaluate64("cvt.f64.f32 %fd1, 0f3FC00000;\nmov.b64 %rd90, %fd1;")[0],
      std::bit_cast<uint64_t>(1.5));
  EXPECT_EQ(evaluate64("mov.b64 %rd1, 0x0004000300020001;\nmov.b64 {%rs1, "
                       "%rs2, %rs3, %rs4}, %rd1;\nmov.b64 {%r3, %r4}, %rd1;\n"
                       "cvt.u64.u16 %rd2, %rs3;\ncvt.u64.u32 %rd3, "
                       "%r4;\nadd.s64 %rd90, %rd2, %rd3;")[0],
            3u + 0x00040003u);
}

float fromBits(uint32_t bits) { return std::bit_cast<float>(bits); }

TEST(SimtArithmetic, Float32) {
  auto hex = [](float x) {
    char text[16];
    std::snprintf(text, sizeof text, "0f%08X", std::bit_cast<uint32_t>(x));
    return std::string(text);
  };
  const float a = 1.2345678f;
  const float b = -7.654321f;
  const float c = 3.1415927f;
  auto run = [&](const std::string &op, std::initializer_list<float> operands) {
    std::string text = op + " %f90";
    for (float x : operands)
      text += ", " + hex(x);
    return evaluateFloat(text + ";");
  };
  EXPECT_EQ(run("add.rn.f32", {a, b}), a + b);
  EXPECT_EQ(run("sub.f32", {a, b}), a - b);
  EXPECT_EQ(run("mul.rn.f32", {a, b}), a * b);
  EXPECT_EQ(run("fma.rn.f32", {a, b, c}), std::fma(a, b, c));
  EXPECT_EQ(run("div.rn.f32", {a, b}), a / b);
  EXPECT_EQ(run("sqrt.rn.f32", {c}), std::sqrt(c));
  EXPECT_EQ(run("rcp.rn.f32", {c}), 1.0f / c);
  EXPECT_EQ(run("ex2.approx.ftz.f32", {3.0f}), 8.0f);
  EXPECT_EQ(run("lg2.approx.f32", {8.0f}), 3.0f);
  EXPECT_EQ(run("rsqrt.approx.f32", {4.0f}), 0.5f);
  EXPECT_EQ(run("neg.f32", {a}), -a);
  EXPECT_EQ(run("abs.f32", {b}), -b);
  EXPECT_EQ(run("copysign.f32", {b, a}), -a);
  EXPECT_EQ(run("min.f32", {NAN, a}), a);
  EXPECT_EQ(run("max.f32", {a, b}), a);
  EXPECT_TRUE(std::signbit(run("min.f32", {0.0f, -0.0f})));
  EXPECT_EQ(std::bit_cast<uint32_t>(run("max.NaN.f32", {NAN, a})), 0x7fffffffu);
  EXPECT_EQ(std::bit_cast<uint32_t>(run("add.f32", {INFINITY, -INFINITY})),
            0x7fffffffu);
  // Denormals are flushed only with .ftz.
  EXPECT_EQ(run("add.f32", {1e-40f, 0.0f}), 1e-40f);
  EXPECT_EQ(run("add.ftz.f32", {1e-40f, 0.0f}), 0.0f);
  EXPECT_TRUE(std::signbit(run("mul.ftz.f32", {-1e-30f, 1e-15f})));
  EXPECT_EQ(run("cvt.rzi.f32.f32", {-2.7f}), -2.0f);
  EXPECT_EQ(run("cvt.sat.f32.f32", {-2.7f}), 0.0f);
  EXPECT_EQ(evaluateFloat("cvt.rn.f32.s32 %f90, 16777217;"), 16777216.0f);
  EXPECT_EQ(evaluateFloat("cvt.rz.f32.u32 %f90, 0xffffffff;"),
            fromBits(0x4f7fffff));
  EXPECT_EQ(evaluateFloat("cvt.rp.f32.s32 %f90, 16777217;"), 16777218.0f);
  EXPECT_EQ(evaluateFloat("cvt.rn.f32.u64 %f90, 0x8000008000000001;"),
            9223373136366403584.0f);
  EXPECT_EQ(evaluateFloat("cvt.rn.f32.f64 %f90, 0d3FF0000010000001;"),
            fromBits(0x3f800001));
}

TEST(SimtArithmetic, Float64AndIntegers) {
  auto hex = [](double x) {
    char text[24];
    std::snprintf(text, sizeof text, "0d%016llX",
                  static_cast<unsigned long long>(std::bit_cast<uint64_t>(x)));
    return std::string(text);
  };
  auto run = [&](const std::string &op,
                 std::initializer_list<double> operands) {
    std::string text = op + " %fd90";
    for (double x : operands)
      text += ", " + hex(x);
    return std::bit_cast<double>(
        evaluate64(text + ";\nmov.b64 %rd90, %fd90;")[0]);
  };
  const double a = 1.23456789012345678;
  const double b = -7.6543210987654321;
  const double c = 3.1415926535897932;
  EXPECT_EQ(run("add.rn.f64", {a, b}), a + b);
  EXPECT_EQ(run("sub.rn.f64", {a, b}), a - b);
  EXPECT_EQ(run("mul.rn.f64", {a, b}), a * b);
  EXPECT_EQ(run("fma.rn.f64", {a, b, c}), std::fma(a, b, c));
  EXPECT_EQ(run("div.rn.f64", {a, b}), a / b);
  EXPECT_EQ(run("max.f64", {std::nan(""), a}), a);
  EXPECT_EQ(run("min.f64", {a, b}), b);
  EXPECT_EQ(run("cvt.rzi.f64.f64", {b}), -7.0);
  auto toInteger = [&](double x) {
    return evaluate64("cvt.rzi.u64.f64 %rd90, " + hex(x) + ";")[0];
  };
  EXPECT_EQ(toInteger(0x1p63 + 0x1p11), (uint64_t{1} << 63) + 2048);
  EXPECT_EQ(toInteger(2.999), 2u);
  EXPECT_EQ(toInteger(-1.0), 0u);
  auto fromInteger = [](const std::string &type, const std::string &x) {
    return std::bit_cast<double>(evaluate64("cvt.rn.f64." + type + " %fd90, " +
                                            x + ";\nmov.b64 %rd90, %fd90;")[0]);
  };
  EXPECT_EQ(fromInteger("u64", "0xffffffffffffffff"), 0x1p64);
  EXPECT_EQ(fromInteger("u64", "0x0020000000000001"), 0x1p53); // to even
  EXPECT_EQ(fromInteger("s64", "-3"), -3.0);
  EXPECT_EQ(evaluate64("setp.gt.f64 %p1, " + hex(std::nan("")) + ", " + hex(a) +
                       ";\nselp.b64 %rd90, 1, 2, %p1;")[0],
            2u);
}

// 64-bit sums in shared memory, in any order of the lanes.
TEST(SimtArithmetic, AtomicsOf64Bits) {
  for (uint64_t sum : evaluate64("setp.eq.u32 %p1, %r1, 0;\n@%p1 st.shared.u64 "
                                 "[total], 0x80000000;\nbar.sync 0;\n"
                                 "cvt.u64.u32 %rd1, %r1;\natom.shared.add.u64 "
                                 "%rd2, [total], %rd1;\nbar.sync 0;\n"
                                 "ld.shared.u64 %rd90, [total];",
                                 128, ".shared .align 8 .b64 total;"))
    EXPECT_EQ(sum, 0x80000000u + 127 * 64);
}

TEST(SimtArithmetic, Float16Formats) {
  // A tie goes to even.
  EXPECT_EQ(evaluate16("cvt.rn.bf16.f32 %rs90, 0f3F808000;"), 0x3f80u);
  EXPECT_EQ(evaluate16("cvt.rn.bf16.f32 %rs90, 0f3F818000;"), 0x3f82u);
  EXPECT_EQ(evaluate16("cvt.rz.bf16.f32 %rs90, 0f3F81FFFF;"), 0x3f81u);
  EXPECT_EQ(evaluate16("cvt.rn.relu.bf16.f32 %rs90, 0fBF800000;"), 0u);
  EXPECT_EQ(evaluate16("cvt.rn.f16.f32 %rs90, 0f3FC00000;"), 0x3e00u);
  EXPECT_EQ(evaluate16("cvt.rn.f16.f32 %rs90, 0f477FF000;"), 0x7c00u); // 65520
  EXPECT_EQ(evaluate16("cvt.rn.f16.f32 %rs90, 0f33800000;"), 0x0001u); // 2^-24
  EXPECT_EQ(evaluate32("cvt.rn.bf16x2.f32 %r90, 0f40000000, 0f3F800000;")[0],
            0x40003f80u);
  EXPECT_EQ(evaluate32("cvt.rn.f16x2.f32 %r90, 0f40000000, 0f3F800000;")[0],
            0x40003c00u);
  EXPECT_EQ(evaluateFloat("mov.b16 %rs1, 0x3fc0;\ncvt.f32.bf16 %f90, %rs1;"),
            1.5f);
  EXPECT_EQ(evaluateFloat("mov.b16 %rs1, 0x3e00;\ncvt.f32.f16 %f90, %rs1;"),
            1.5f);
  std::string two =
      "mov.b32 %r3, 0x40003f80;\nmov.b32 %r4, 0x40403fc0;\nmov.b32 %r5, "
      "0x3f803f80;\n"; // {1, 2}, {1.5, 3}, {1, 1}
  EXPECT_EQ(evaluate32(two + "add.rn.bf16x2 %r90, %r3, %r4;")[0],
            0x40a04020u); // {2.5, 5}
  EXPECT_EQ(evaluate32(two + "sub.rn.bf16x2 %r90, %r4, %r3;")[0], 0x3f803f00u);
  EXPECT_EQ(evaluate32(two + "mul.rn.bf16x2 %r90, %r3, %r4;")[0], 0x40c03fc0u);
  EXPECT_EQ(evaluate32(two + "fma.rn.bf16x2 %r90, %r3, %r4, %r5;")[0],
            0x40e04020u);
  EXPECT_EQ(evaluate32(two + "neg.bf16x2 %r90, %r3;")[0], 0xc000bf80u);
  EXPECT_EQ(evaluate32(two + "max.bf16x2 %r90, %r3, %r4;")[0], 0x40403fc0u);
  // One rounding: 1.5 * 1.0078125 = 1.51171875 is a tie between 0x3fc1 and
  // 0x3fc2, and 2^-40 decides.
  EXPECT_EQ(evaluate16("mov.b16 %rs1, 0x3fc0;\nmov.b16 %rs2, 0x3f81;\nmov.b16 "
                       "%rs3, 0x2b80;\nfma.rn.bf16 %rs90, %rs1, %rs2, %rs3;"),
            0x3fc2u);
  EXPECT_EQ(evaluate16("mov.b16 %rs1, 0x3fc0;\nmov.b16 %rs2, 0x3f81;\nmov.b16 "
                       "%rs3, 0xab80;\nfma.rn.bf16 %rs90, %rs1, %rs2, %rs3;"),
            0x3fc1u);
  EXPECT_EQ(
      evaluate32("mov.b32 %r3, 0x40003c00;\nadd.rn.f16x2 %r90, %r3, %r3;")[0],
      0x44004000u);
}

TEST(SimtArithmetic, Float64) {
  EXPECT_EQ(std::bit_cast<double>(
                evaluate64("fma.rn.f64 %fd1, 0d3FF8000000000000, "
                           "0d4000000000000000, 0d3FF0000000000000;\n"
                           "mov.b64 %rd90, %fd1;")[0]),
            4.0);
  EXPECT_EQ(std::bit_cast<double>(
                evaluate64("div.rn.f64 %fd1, 0d3FF0000000000000, "
                           "0d4008000000000000;\nmov.b64 %rd90, %fd1;")[0]),
            1.0 / 3.0);
}

TEST(SimtArithmetic, ComparisonsAndSelections) {
  auto holds = [](const std::string &setp) {
    return evaluate32(setp + "\nselp.u32 %r90, 1, 0, %p1;")[0] == 1;
  };
  EXPECT_TRUE(holds("setp.lt.s32 %p1, -1, 1;"));
  EXPECT_FALSE(holds("setp.lt.u32 %p1, -1, 1;"));
  EXPECT_TRUE(holds("setp.hi.u32 %p1, -1, 1;"));
  EXPECT_TRUE(holds("setp.eq.b64 %p1, 0x100000000, 0x100000000;"));
  EXPECT_FALSE(holds("setp.lt.f32 %p1, 0f7FC00000, 0f3F800000;"));
  EXPECT_TRUE(holds("setp.ltu.f32 %p1, 0f7FC00000, 0f3F800000;"));
  EXPECT_FALSE(holds("setp.ne.f32 %p1, 0f7FC00000, 0f3F800000;"));
  EXPECT_TRUE(holds("setp.neu.f32 %p1, 0f7FC00000, 0f3F800000;"));
  EXPECT_TRUE(holds("setp.nan.f32 %p1, 0f7FC00000, 0f3F800000;"));
  EXPECT_FALSE(holds("setp.num.f32 %p1, 0f7FC00000, 0f3F800000;"));
  EXPECT_TRUE(holds("setp.eq.ftz.f32 %p1, 0f00000001, 0f00000000;"));
  EXPECT_TRUE(holds("mov.b16 %rs1, 0x3f80;\nmov.b16 %rs2, "
                    "0x4000;\nsetp.lt.bf16 %p1, %rs1, %rs2;"));
  EXPECT_TRUE(holds("setp.lt.s32 %p2, 1, 0;\nsetp.gt.and.s32 %p3|%p1, 0, 1, "
                    "%p2;\nnot.pred %p1, %p1;"));
  EXPECT_TRUE(
      holds("setp.lt.s32 %p2, 1, 0;\nsetp.lt.and.s32 %p1, 0, 1, !%p2;"));
  EXPECT_TRUE(holds("setp.lt.s32 %p2, 0, 1;\nsetp.lt.s32 %p3, 1, 0;\nxor.pred "
                    "%p1, %p2, %p3;"));
  EXPECT_EQ(evaluate32("set.lt.u32.s32 %r90, 0, 1;")[0], 0xffffffffu);
  EXPECT_TRUE(holds("testp.infinite.f32 %p1, 0f7F800000;"));
}

} // namespace
