// Tests compute-sanitizer's racecheck on a stage of shared memory that one lane releases for its warp, as the kernels of packed linears do.
// Warp 1 reads the stage with ordinary loads; warp 0 waits, and then a bulk copy overwrites it.
//
//   racecheck_limits 0   the lanes meet at bar.warp.sync, then lane 0 arrives     in order by the ISA
//   racecheck_limits 1   every lane arrives                                       in order by the ISA
//   racecheck_limits 2   lane 0 arrives, nothing orders the other lanes           a race
//
// Case 0 is in order by the PTX ISA ("Memory Consistency Model"). bar.warp.sync orders the memory accesses of the participating lanes, so
// each lane's load precedes lane 0's arrival, which releases. The copy is issued after the wait, which acquires. A tool that reports 0 like
// 2 does not follow that order, so it cannot judge those kernels. simt follows the order.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr int kStageBytes = 512; // 16 bytes per lane
constexpr int kRounds = 64;

enum Release { kAfterWarpSync = 0, kByEveryLane = 1, kUnordered = 2 };

__device__ uint32_t sharedAddress(const void *pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

__device__ void wait(uint32_t barrier, uint32_t parity) {
  asm volatile("{\n.reg .pred done;\nAGAIN: mbarrier.try_wait.parity.shared.b64 done, [%0], %1;\n@!done bra AGAIN;\n}" ::"r"(
                   barrier),
               "r"(parity)
               : "memory");
}

template <Release kRelease> __global__ void ring(const uint4 *in, uint4 *out) {
  __shared__ alignas(128) uint4 stage[kStageBytes / sizeof(uint4)];
  __shared__ alignas(8) uint64_t fullBarrier, emptyBarrier;
  uint32_t full = sharedAddress(&fullBarrier), empty = sharedAddress(&emptyBarrier), place = sharedAddress(stage);
  if (threadIdx.x == 0) {
    asm volatile("mbarrier.init.shared.b64 [%0], 1;" ::"r"(full));
    asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(empty), "r"(kRelease == kByEveryLane ? 32 : 1));
    asm volatile("fence.proxy.async.shared::cta;");
  }
  __syncthreads();
  uint32_t lane = threadIdx.x % 32;
  if (threadIdx.x == 0) {
    for (int i = 0; i < kRounds; ++i) {
      if (i > 0)
        wait(empty, (i - 1) & 1);
      asm volatile("{.reg .b64 state; mbarrier.arrive.expect_tx.shared.b64 state, [%0], %1;}" ::"r"(full), "n"(kStageBytes)
                   : "memory");
      asm volatile(
          "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(place),
          "l"(in + i * (kStageBytes / sizeof(uint4))), "n"(kStageBytes), "r"(full)
          : "memory");
    }
  } else if (threadIdx.x >= 32) {
    uint4 sum = {};
    for (int i = 0; i < kRounds; ++i) {
      wait(full, i & 1);
      uint4 v;
      asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                   : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                   : "r"(place + lane * 16)
                   : "memory");
      sum.x += v.x, sum.y += v.y, sum.z += v.z, sum.w += v.w;
      if (kRelease == kAfterWarpSync)
        asm volatile("bar.warp.sync -1;" ::: "memory");
      if (kRelease == kByEveryLane || lane == 0)
        asm volatile("{.reg .b64 state; mbarrier.arrive.shared.b64 state, [%0];}" ::"r"(empty) : "memory");
    }
    out[lane] = sum;
  }
}

} // namespace

int main(int argc, char **argv) {
  int release = argc == 2 ? std::atoi(argv[1]) : -1;
  uint4 *in = nullptr, *out = nullptr;
  if (release < kAfterWarpSync || release > kUnordered) {
    std::fprintf(stderr, "usage: racecheck_limits 0|1|2\n");
    return 2;
  }
  if (cudaMalloc(&in, kRounds * kStageBytes) != cudaSuccess || cudaMalloc(&out, kStageBytes) != cudaSuccess ||
      cudaMemset(in, 1, kRounds * kStageBytes) != cudaSuccess)
    return 4;
  if (release == kAfterWarpSync)
    ring<kAfterWarpSync><<<1, 64>>>(in, out);
  else if (release == kByEveryLane)
    ring<kByEveryLane><<<1, 64>>>(in, out);
  else
    ring<kUnordered><<<1, 64>>>(in, out);
  return cudaDeviceSynchronize() == cudaSuccess ? 0 : 1;
}
