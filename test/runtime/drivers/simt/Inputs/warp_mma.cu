// out[16 i][8 j] = a b for bf16 a[m][k] and b[n][k], with one warp per tile: ldmatrix, mma.sync and cp.async.
#include "device.h"

extern "C" __global__ void __launch_bounds__(32) product(const u16 *a, const u16 *b, float *out, u64 n, u64 k) {
  __shared__ alignas(128) u16 at[16][24], bt[8][24]; // rows of 48 bytes
  u32 lane = tid(), j = block() % (u32)(n / 8), i = block() / (u32)(n / 8);
  float d[4] = {0, 0, 0, 0};
  for (u64 step = 0; step < k; step += 16) {
    // 16 rows of A in 32 pieces of 16 bytes, and 8 rows of B in 16.
    u32 row = lane / 2, part = lane % 2;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared(&at[row][8 * part])), "l"(a + (16 * i + row) * k + step + 8 * part) : "memory");
    if (lane < 16)
      asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" ::"r"(shared(&bt[row][8 * part])), "l"(b + (8 * j + row) * k + step + 8 * part) : "memory");
    asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;\nbar.warp.sync -1;" ::: "memory");
    u32 f[4], g[2];
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
                 : "r"(shared(&at[lane % 16][lane / 16 * 8])) : "memory");
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(g[0]), "=r"(g[1])
                 : "r"(shared(&bt[lane % 8][lane / 8 % 2 * 8])) : "memory");
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(f[0]), "r"(f[1]), "r"(f[2]), "r"(f[3]), "r"(g[0]), "r"(g[1]));
    asm volatile("bar.warp.sync -1;" ::: "memory");
  }
  for (u32 r = 0; r < 4; ++r)
    out[(16 * i + lane / 4 + r / 2 * 8) * n + 8 * j + lane % 4 * 2 + r % 2] = d[r];
}
