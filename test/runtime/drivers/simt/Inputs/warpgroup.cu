// out[64][128] = a b. wgmma runs with both operands in shared memory (K-major and MN-major, 128-byte swizzle), and with A in registers.
#include "device.h"

INLINE void productK(float *d, u64 a, u64 b, u32 keep) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\nwgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
               "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, %64, %65, p, 1, 1, 0, 0;\n}"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
               : "l"(a), "l"(b), "r"(keep));
}
INLINE void productMn(float *d, u64 a, u64 b, u32 keep) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\nwgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
               "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, %64, %65, p, 1, 1, 1, 1;\n}"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
               : "l"(a), "l"(b), "r"(keep));
}
INLINE void productRegisters(float *d, const u32 *a, u64 b, u32 keep) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %69, 0;\nwgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
               "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, {%64, %65, %66, %67}, %68, p, 1, 1, 0;\n}"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(keep));
}

INLINE void fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
INLINE void commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
INLINE void wait() { asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory"); }
// Descriptor of a tile with a 128-byte swizzle.
INLINE u64 descriptor(u32 start, u32 leading, u32 stride) {
  return (u64)(start >> 4 & 0x3fff) | (u64)(leading >> 4) << 16 | (u64)(stride >> 4) << 32 | 1ull << 62;
}
INLINE void store(const float *d, float *out) {
  u32 warp = tid() / 32, lane = tid() % 32;
#pragma unroll
  for (u32 i = 0; i < 64; ++i)
    out[(16 * warp + lane / 4 + i / 2 % 2 * 8) * 128 + i / 4 * 8 + lane % 4 * 2 + i % 2] = d[i];
}

// a[64][k] and b[128][k] are stored row by row.
extern "C" __global__ void __launch_bounds__(128)
kMajor(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, float *out, u64 k) {
  extern __shared__ __attribute__((aligned(1024))) unsigned char tiles[];
  __shared__ alignas(8) u64 full;
  u32 at = shared(tiles), bt = at + 8192;
  if (tid() == 0) {
    barrierInit(shared(&full), 1);
    barrierFence();
  }
  sync();
  float d[64];
#pragma unroll
  for (u32 i = 0; i < 64; ++i)
    d[i] = 0;
  for (u32 step = 0; step < (u32)k / 64; ++step) {
    if (tid() == 0) {
      barrierExpect(shared(&full), 8192 + 16384);
      load2d(at, &a, 64 * step, 0, shared(&full));
      load2d(bt, &b, 64 * step, 0, shared(&full));
    }
    barrierWait(shared(&full), step & 1);
    fence();
#pragma unroll
    for (u32 i = 0; i < 4; ++i)
      productK(d, descriptor(at + 32 * i, 16, 1024), descriptor(bt + 32 * i, 16, 1024), 1);
    commit();
    wait();
    sync();
  }
  store(d, out);
}

// a[k][64] and b[k][128] are stored row by row, so M and N run fastest.
extern "C" __global__ void __launch_bounds__(128)
mnMajor(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, float *out, u64 k) {
  extern __shared__ __attribute__((aligned(1024))) unsigned char tiles[];
  __shared__ alignas(8) u64 full;
  u32 at = shared(tiles), bt = at + 8192;
  if (tid() == 0) {
    barrierInit(shared(&full), 1);
    barrierFence();
  }
  sync();
  float d[64];
#pragma unroll
  for (u32 i = 0; i < 64; ++i)
    d[i] = 0;
  for (u32 step = 0; step < (u32)k / 64; ++step) {
    if (tid() == 0) {
      barrierExpect(shared(&full), 8192 + 16384);
      load2d(at, &a, 0, 64 * step, shared(&full));
      load2d(bt, &b, 0, 64 * step, shared(&full));
      load2d(bt + 8192, &b, 64, 64 * step, shared(&full));
    }
    barrierWait(shared(&full), step & 1);
    fence();
#pragma unroll
    for (u32 i = 0; i < 4; ++i)
      productMn(d, descriptor(at + 2048 * i, 8192, 1024), descriptor(bt + 2048 * i, 8192, 1024), 1);
    commit();
    wait();
    sync();
  }
  store(d, out);
}

// A is loaded from global memory to registers; b as in kMajor.
extern "C" __global__ void __launch_bounds__(128)
registers(const u32 *a, const __grid_constant__ TensorMap b, float *out, u64 k) {
  extern __shared__ __attribute__((aligned(1024))) unsigned char tiles[];
  __shared__ alignas(8) u64 full;
  u32 bt = shared(tiles);
  if (tid() == 0) {
    barrierInit(shared(&full), 1);
    barrierFence();
  }
  sync();
  float d[64];
#pragma unroll
  for (u32 i = 0; i < 64; ++i)
    d[i] = 0;
  u32 warp = tid() / 32, lane = tid() % 32;
  const u32 *row = a + (16 * warp + lane / 4) * (k / 2) + lane % 4;
  for (u32 step = 0; step < (u32)k / 64; ++step) {
    u32 fragments[4][4];
#pragma unroll
    for (u32 i = 0; i < 4; ++i)
#pragma unroll
      for (u32 j = 0; j < 4; ++j)
        fragments[i][j] = row[j % 2 * 8 * (k / 2) + 32 * step + 8 * i + j / 2 * 4];
    if (tid() == 0) {
      barrierExpect(shared(&full), 16384);
      load2d(bt, &b, 64 * step, 0, shared(&full));
    }
    barrierWait(shared(&full), step & 1);
    fence();
#pragma unroll
    for (u32 i = 0; i < 4; ++i)
      productRegisters(d, fragments[i], descriptor(bt + 32 * i, 16, 1024), 1);
    commit();
    wait();
    sync();
  }
  store(d, out);
}

// Writes the output tile through shared memory and a tensor copy: an ordinary store, a proxy fence, a barrier, the copy.
extern "C" __global__ void __launch_bounds__(128) doubled(const float *in, const __grid_constant__ TensorMap out) {
  __shared__ alignas(128) float tile[32 * 32];
  for (u32 i = tid(); i < 1024; i += 128)
    tile[i] = 2 * in[1024 * block() + i];
  proxyFence();
  sync();
  if (tid() == 0) {
    store2d(&out, 0, 32 * block(), shared(tile));
    bulkWait();
  }
}
