// A warp-specialized matrix product with the structure of the compiler's kernels. Warp 4 fills a ring by tensor copies. The warpgroup of
// warps 0-3 multiplies, with A in registers. It decodes A while the previous product is still running.
#include "device.h"

INLINE void product(float *d, const u32 *a, u64 b, u32 keep) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %69, 0;\nwgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
               "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, {%64, %65, %66, %67}, %68, p, 1, 1, 0;\n}"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(keep));
}

INLINE void fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
INLINE void commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
INLINE u64 descriptor(u32 start) { return (u64)(start >> 4 & 0x3fff) | 1ull << 16 | 64ull << 32 | 1ull << 62; }

// Decodes two INT4 codes, at bits 0-3 and 16-19, into a bf16 pair of code - 8. 0x4300 | code is 128 + code.
INLINE u32 dequantize(u32 codes) {
  u32 magic = (codes & 0x000f000f) | 0x43004300, result;
  asm("sub.rn.bf16x2 %0, %1, %2;" : "=r"(result) : "r"(magic), "r"(0x43084308));
  return result;
}

// out[64][128] = a b. codes[k / 64][thread][4] hold A's fragments, one word for 16 elements of k. Register r takes the nibbles r and r + 4.
// b[128][k] is stored row by row.
extern "C" __global__ void __launch_bounds__(256)
pipeline(const u32 *codes, const __grid_constant__ TensorMap b, float *out, u64 k) {
  extern __shared__ __attribute__((aligned(1024))) unsigned char tiles[];
  __shared__ alignas(8) u64 full[2], empty[2];
  u32 steps = (u32)k / 64, base = shared(tiles);
  if (tid() == 0) {
    for (u32 i = 0; i < 2; ++i) {
      barrierInit(shared(&full[i]), 1);
      barrierInit(shared(&empty[i]), 4);
    }
    barrierFence();
  }
  sync();
  if (tid() >= 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (tid() == 128)
      for (u32 i = 0; i < steps; ++i) {
        if (i >= 2)
          barrierWait(shared(&empty[i % 2]), (i / 2 + 1) & 1);
        barrierExpect(shared(&full[i % 2]), 16384);
        load2d(base + i % 2 * 16384, &b, 64 * i, 0, shared(&full[i % 2]));
      }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
    float d[64];
#pragma unroll
    for (u32 i = 0; i < 64; ++i)
      d[i] = 0;
    for (u32 i = 0; i < steps; ++i) {
      const u32 *own = codes + (i * 128 + tid()) * 4;
      u32 words[4] = {own[0], own[1], own[2], own[3]}, fragments[4][4];
      barrierWait(shared(&full[i % 2]), i / 2 & 1);
#pragma unroll
      for (u32 j = 0; j < 4; ++j) {
#pragma unroll
        for (u32 r = 0; r < 4; ++r)
          fragments[j][r] = dequantize(words[j] >> 4 * r);
        fence();
        product(d, fragments[j], descriptor(base + i % 2 * 16384 + 32 * j), 1);
        commit();
      }
      asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
      if (tid() % 32 == 0)
        barrierArrive(shared(&empty[i % 2]));
    }
    u32 warp = tid() / 32, lane = tid() % 32;
#pragma unroll
    for (u32 i = 0; i < 64; ++i)
      out[(16 * warp + lane / 4 + i / 2 % 2 * 8) * 128 + i / 4 * 8 + lane % 4 * 2 + i % 2] = d[i];
  }
}
