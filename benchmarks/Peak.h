// What this machine can do at most, measured: the denominators of every figure.
#pragma once

#include <cstdint>

namespace nibble::benchmarks {

// Float32 operations a second (a fused multiply-add is two) of `threads`
// threads, each on registers only, with the vectors of 512 bits when `wide`,
// else of 256.
double fmaPeak(int threads, bool wide);

// Bytes a second read from memory by `threads` threads, each summing its part
// of a buffer much larger than the caches of a core.
double readBandwidth(int threads);

} // namespace nibble::benchmarks
