// The layouts that a wgmma descriptor can name. The tests lay out images of
// shared memory by the ISA's canonical layouts and multiply them.
#include "lib/Numerics/bf16.h"
#include "test/runtime/drivers/simt/simt_test.h"

using namespace nibble;
using namespace nibble::test;

namespace {

struct Layout {
  uint32_t swizzle; // in bytes
  bool mnMajor;
};

struct Shape {
  uint32_t n;
  Layout a, b;
  bool half = false, negateA = false, negateB = false, accumulate = false;
};

struct Operand {
  uint32_t leading = 0, stride = 0, bytes = 0; // fields of the descriptor
};

// Distances between the pieces of a tile of `rows` x 16, packed without gaps.
Operand pack(const Layout &layout, uint32_t rows) {
  Operand operand;
  operand.bytes = rows * 32;
  if (!layout.mnMajor) {
    if (layout.swizzle == 0) { // pieces of 8 rows x 16 bytes, first along k
      operand.leading = 128;
      operand.stride = 256;
    } else { // rows of `swizzle` bytes, 32 of which are used
      operand.stride = 8 * layout.swizzle;
      operand.bytes = rows * layout.swizzle;
    }
  } else if (layout.swizzle == 0) {
    operand.stride = 256;
    operand.leading = 128;
  } else { // 8 rows of k, with `swizzle` bytes of mn each
    operand.stride = 8 * layout.swizzle;
    operand.leading = 16 * layout.swizzle;
    operand.bytes =
        (rows * 2 + layout.swizzle - 1) / layout.swizzle * 16 * layout.swizzle;
  }
  return operand;
}

uint32_t place(const Layout &layout, const Operand &operand, uint32_t row,
               uint32_t k) {
  uint32_t at = 0;
  if (layout.swizzle == 0) {
    uint32_t inner =
        layout.mnMajor ? row % 8 * 2 + k % 8 * 16 : row % 8 * 16 + k % 8 * 2;
    return inner + row / 8 * operand.stride + k / 8 * operand.leading;
  }
  uint32_t width = layout.swizzle / 2; // in elements
  at = layout.mnMajor
           ? row / width * operand.leading + k / 8 * operand.stride +
                 k % 8 * layout.swizzle + row % width * 2
           : row / 8 * operand.stride + row % 8 * layout.swizzle + k * 2;
  // 16-byte pieces are exchanged according to the number of the 128-byte line,
  // within the swizzle's width.
  return at ^ ((at >> 7 & (layout.swizzle / 16 - 1)) << 4);
}

// 0, 1, 2, 3 and 4 as IEEE binary16.
uint16_t halfOf(int value) {
  constexpr uint16_t magnitudes[] = {0, 0x3c00, 0x4000, 0x4200, 0x4400};
  return static_cast<uint16_t>(magnitudes[value < 0 ? -value : value] |
                               (value < 0 ? 0x8000 : 0));
}

std::string hexOf(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx",
                static_cast<unsigned long long>(value));
  return text;
}

std::string descriptorText(const char *reg, const Layout &layout,
                           const Operand &operand, uint32_t offset) {
  uint64_t mode = layout.swizzle == 128  ? 1
                  : layout.swizzle == 64 ? 2
                  : layout.swizzle == 32 ? 3
                                         : 0;
  uint64_t bits = uint64_t{operand.leading >> 4} << 16 |
                  uint64_t{operand.stride >> 4} << 32 | mode << 62;
  return "mov.u32 %r3, tile;\nadd.u32 %r3, %r3, " + std::to_string(offset) +
         ";\nshr.u32 %r3, %r3, 4;\nand.b32 %r3, %r3, 0x3fff;\ncvt.u64.u32 " +
         reg + ", %r3;\nor.b64 " + reg + ", " + reg + ", " + hexOf(bits) +
         ";\n";
}

void check(const Shape &shape) {
  const uint32_t n = shape.n;
  const uint32_t registers = n / 2;
  Operand a = pack(shape.a, 64);
  Operand b = pack(shape.b, n);
  const uint32_t bAt = (a.bytes + 1023) / 1024 * 1024;
  const uint32_t bytes = (bAt + b.bytes + 2047) / 2048 * 2048;
  std::vector<uint16_t> image(bytes / 2, 0);
  std::vector<float> av(64 * 16);
  std::vector<float> bv(n * 16);
  uint32_t state = n + shape.a.swizzle;
  auto fill = [&](std::vector<float> &values, const Layout &layout,
                  const Operand &operand, uint32_t offset) {
    for (uint32_t i = 0; i < values.size(); ++i) {
      state = state * 1664525 + 1013904223;
      int value = static_cast<int>(state >> 24) % 9 - 4;
      values[i] = static_cast<float>(value);
      uint16_t bits = numerics::bf16FromFloat(values[i]);
      if (shape.half)
        bits = halfOf(value);
      image[(offset + place(layout, operand, i / 16, i % 16)) / 2] = bits;
    }
  };
  fill(av, shape.a, a, 0);
  fill(bv, shape.b, b, bAt);

  std::string list;
  for (uint32_t i = 0; i < registers; ++i)
    list += (i ? ", %d" : "%d") + std::to_string(i);
  std::string body = ".reg .f32 %d<" + std::to_string(registers) +
                     ">;\nld.param.u64 %rd1, [p0];\nld.param.u64 %rd2, "
                     "[p1];\nmov.u32 %r1, %tid.x;\n"
                     "shl.b32 %r2, %r1, 4;\nmov.u32 %r4, tile;\nadd.u32 %r4, "
                     "%r4, %r2;\ncvt.u64.u32 %rd3, "
                     "%r2;\nadd.s64 %rd3, %rd3, %rd1;\n";
  for (uint32_t at = 0; at < bytes; at += 2048)
    body += "ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd3+" +
            std::to_string(at) + "];\nst.shared.v4.u32 [%r4+" +
            std::to_string(at) + "], {%r5, %r6, %r7, %r8};\n";
  body += "fence.proxy.async;\nbar.sync 0;\n";
  for (uint32_t i = 0; i < registers; ++i)
    body += "mov.f32 %d" + std::to_string(i) + ", 0f40400000;\n"; // 3
  std::string type = shape.half ? "f16" : "bf16";
  body += descriptorText("%rd4", shape.a, a, 0) +
          descriptorText("%rd5", shape.b, b, bAt) + "setp.eq.u32 %p1, 0, " +
          (shape.accumulate ? "0" : "1") +
          ";\nwgmma.fence.sync.aligned;\nwgmma.mma_async.sync.aligned.m64n" +
          std::to_string(n) + "k16.f32." + type + "." + type + " {" + list +
          "}, %rd4, %rd5, %p1, " + (shape.negateA ? "-1" : "1") + ", " +
          (shape.negateB ? "-1" : "1") + ", " + (shape.a.mnMajor ? "1" : "0") +
          ", " + (shape.b.mnMajor ? "1" : "0") +
          ";\nwgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned "
          "0;\nmul.wide.u32 %rd6, %r1, " +
          std::to_string(4 * registers) + ";\nadd.s64 %rd6, %rd6, %rd2;\n";
  for (uint32_t i = 0; i < registers; ++i)
    body += "st.global.f32 [%rd6+" + std::to_string(4 * i) + "], %d" +
            std::to_string(i) + ";\n";

  Simt simt;
  DeviceAddress out = simt.allocate<float>(128 * registers);
  expectOk(simt.run(kernelText(2, body,
                               ".shared .align 1024 .b8 tile[" +
                                   std::to_string(bytes) + "];\n"),
                    "k", blocks(1, 128), {simt.upload(image), out}));
  auto result = simt.download<float>(out, 128 * registers);
  int wrong = 0;
  for (uint32_t thread = 0; thread < 128; ++thread)
    for (uint32_t i = 0; i < registers; ++i) {
      uint32_t row = thread / 32 * 16 + thread % 32 / 4 + i / 2 % 2 * 8;
      uint32_t column = i / 4 * 8 + thread % 4 * 2 + i % 2;
      float sum = 0;
      for (uint32_t k = 0; k < 16; ++k)
        sum += av[row * 16 + k] * bv[column * 16 + k];
      sum = shape.negateA != shape.negateB ? -sum : sum;
      wrong += result[thread * registers + i] !=
               sum + (shape.accumulate ? 3.0f : 0.0f);
    }
  EXPECT_EQ(wrong, 0) << "n " << n << " a " << shape.a.swizzle
                      << (shape.a.mnMajor ? " mn" : " k") << " b "
                      << shape.b.swizzle << (shape.b.mnMajor ? " mn" : " k");
}

TEST(SimtLayout, EveryLayout) {
  for (uint32_t swizzleA : {0u, 32u, 64u, 128u})
    for (bool mnA : {false, true})
      for (uint32_t swizzleB : {0u, 32u, 64u, 128u})
        for (bool mnB : {false, true})
          check({64, {swizzleA, mnA}, {swizzleB, mnB}});
}

TEST(SimtLayout, EveryN) {
  for (uint32_t n = 8; n <= 256; n += 8)
    check({n, {128, false}, {n % 16 ? 0u : 32u, false}});
}

TEST(SimtLayout, HalfSignsAndAccumulation) {
  for (bool half : {false, true})
    for (bool accumulate : {false, true})
      for (int negate = 0; negate < 4; ++negate)
        check({32,
               {128, false},
               {64, true},
               half,
               (negate & 1) != 0,
               (negate & 2) != 0,
               accumulate});
}

} // namespace
