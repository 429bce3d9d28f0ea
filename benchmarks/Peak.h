// The measured limits of this machine, to which every figure is compared.
#pragma once

#include <cstdint>

namespace nibble::benchmarks {

// Float32 operations per second of `threads` threads that work in registers
// only. A fused multiply-add counts as two. Vectors have 512 bits when `wide`,
// else 256.
double fmaPeak(int threads, bool wide);

// Bytes per second that `threads` threads read from memory. Each sums its part
// of a buffer much larger than the caches of a core.
double readBandwidth(int threads);

} // namespace nibble::benchmarks
