// A ring of tensor-copy stages. Warp 0 fills it, and the other warps add up blocks of rows.
#include "device.h"

// out[x] = sum over y < rows of in[y][32 * block + x]. The box is 32 x 8.
extern "C" __global__ void __launch_bounds__(64) ring(const __grid_constant__ TensorMap in, float *out, u64 rows) {
  __shared__ alignas(128) float stages[3][8 * 32];
  __shared__ alignas(8) u64 full[3], empty[3];
  u32 steps = (u32)(rows + 7) / 8;
  if (tid() == 0) {
    for (int i = 0; i < 3; ++i) {
      barrierInit(shared(&full[i]), 1);
      barrierInit(shared(&empty[i]), 32);
    }
    barrierFence();
  }
  sync();
  if (tid() < 32) {
    if (tid() == 0) {
      for (u32 i = 0; i < steps; ++i) {
        u32 stage = i % 3;
        if (i >= 3)
          barrierWait(shared(&empty[stage]), (i / 3 + 1) & 1);
        barrierExpect(shared(&full[stage]), 8 * 32 * 4);
        load2d(shared(stages[stage]), &in, 32 * block(), 8 * i, shared(&full[stage]));
      }
    }
  } else {
    float sum = 0;
    for (u32 i = 0; i < steps; ++i) {
      u32 stage = i % 3;
      barrierWait(shared(&full[stage]), i / 3 & 1);
      for (u32 y = 0; y < 8; ++y)
        sum += stages[stage][32 * y + tid() - 32];
      barrierArrive(shared(&empty[stage]));
    }
    out[32 * block() + tid() - 32] = sum;
  }
}
