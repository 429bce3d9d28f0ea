// Shared by the .cu files here. They need no CUDA headers. The texts beside
// them were made by
//   clang++-22 -x cuda --cuda-device-only --cuda-gpu-arch=sm_90a -nocudainc
//   -nocudalib -Xclang -target-feature -Xclang +ptx83 -O2 -S
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __grid_constant__ __attribute__((grid_constant))
#define __launch_bounds__(n) __attribute__((launch_bounds(n)))
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned short u16;
struct alignas(64) TensorMap {
  u64 opaque[16];
};
#define INLINE static inline __device__ __attribute__((always_inline))
INLINE u32 tid() { return __nvvm_read_ptx_sreg_tid_x(); }
INLINE u32 block() { return __nvvm_read_ptx_sreg_ctaid_x(); }
INLINE void sync() { __nvvm_bar_sync(0); }
INLINE u32 shared(const void *p) {
  return (u32)(u64)(__attribute__((address_space(3))) const void *)p;
}
INLINE void barrierInit(u32 b, u32 count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(b), "r"(count)
               : "memory");
}
INLINE void barrierFence() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
INLINE void proxyFence() { asm volatile("fence.proxy.async;" ::: "memory"); }
INLINE void barrierArrive(u32 b) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(b) : "memory");
}
INLINE void barrierExpect(u32 b, u32 bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(b),
      "r"(bytes)
      : "memory");
}
INLINE void barrierWait(u32 b, u32 parity) {
  asm volatile(
      "{\n.reg .pred p;\nWAIT:\nmbarrier.try_wait.parity.shared::cta.b64 p, "
      "[%0], %1;\n@p bra DONE;\nbra WAIT;\nDONE:\n}" ::"r"(b),
      "r"(parity)
      : "memory");
}
INLINE void load2d(u32 to, const TensorMap *map, int x, int y, u32 b) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::"
               "complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(to),
               "l"(map), "r"(x), "r"(y), "r"(b)
               : "memory");
}
INLINE void store2d(const TensorMap *map, int x, int y, u32 from) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group "
               "[%0, {%1, %2}], [%3];" ::"l"(map),
               "r"(x), "r"(y), "r"(from)
               : "memory");
}
INLINE void bulkWait() {
  asm volatile("cp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;" ::
                   : "memory");
}
