// Measures this machine's fused multiply-adds per second and bytes per second.
#include "benchmarks/Peak.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

namespace nibble::benchmarks {

namespace {

using Wide = float __attribute__((vector_size(64)));
using Half = float __attribute__((vector_size(32)));
using Integers = int64_t __attribute__((vector_size(64)));

double secondsNow() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Twelve independent chains of fused multiply-adds hide the latency of two
// units with four to five cycles each.
constexpr int64_t kRounds = 4'000'000;
constexpr int kChains = 12;

template <typename Vector>
__attribute__((always_inline)) inline float chains(float start) {
  Vector sums[kChains];
  Vector factor = start - (Vector){};
  Vector term = start * 0.5f - (Vector){};
  for (int i = 0; i < kChains; ++i)
    sums[i] = factor * static_cast<float>(i);
  for (int64_t round = 0; round < kRounds; ++round) {
#pragma clang loop unroll(full)
    for (int i = 0; i < kChains; ++i)
      sums[i] = __builtin_elementwise_fma(sums[i], factor, term);
  }
  float total = 0;
  for (int i = 0; i < kChains; ++i)
    total += sums[i][0];
  return total;
}

__attribute__((target("avx512f,fma"))) float chains512(float start) {
  return chains<Wide>(start);
}
__attribute__((target("avx2,fma"))) float chains256(float start) {
  return chains<Half>(start);
}

__attribute__((target("avx512f"))) int64_t sum512(const Integers *data,
                                                  int64_t count) {
  Integers sums[8] = {};
  for (int64_t i = 0; i + 8 <= count; i += 8)
    for (int j = 0; j < 8; ++j)
      sums[j] += data[i + j];
  int64_t total = 0;
  for (auto &sum : sums)
    for (int lane = 0; lane < 8; ++lane)
      total += sum[lane];
  return total;
}

int64_t sumPlain(const Integers *data, int64_t count) {
  int64_t total = 0;
  for (int64_t i = 0; i < count; ++i)
    total += data[i][0] + data[i][7];
  return total;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2,
                   values.end());
  return values[values.size() / 2];
}

// Median of `runs` measurements of `work`, done by all threads together.
template <typename Body>
double medianRate(int threads, int runs, double work, Body body) {
  std::vector<double> rates;
  // Storing the result keeps the computation alive.
  std::vector<float> results(threads);
  for (int run = 0; run < runs; ++run) {
    double begin = secondsNow();
    std::vector<std::thread> others;
    for (int thread = 1; thread < threads; ++thread)
      others.emplace_back([&, thread] { results[thread] += body(thread); });
    results[0] += body(0);
    for (std::thread &other : others)
      other.join();
    rates.push_back(work / (secondsNow() - begin));
  }
  return results[0] == 0.125f ? 0 : median(rates);
}

} // namespace

double fmaPeak(int threads, bool wide) {
  return medianRate(
      threads, 7, 2.0 * kRounds * kChains * (wide ? 16 : 8) * threads,
      [&](int) { return wide ? chains512(0.5f) : chains256(0.5f); });
}

double readBandwidth(int threads) {
  // Vectors of 64 bytes, 1 GiB in total.
  constexpr int64_t kVectors = int64_t{1} << 24;
  bool wide = __builtin_cpu_supports("avx512f");
  std::vector<Integers> buffer(kVectors, Integers{1, 2, 3, 4, 5, 6, 7, 8});
  int64_t share = kVectors / threads;
  return medianRate(threads, 5, 64.0 * static_cast<double>(share * threads),
                    [&](int thread) {
                      const Integers *mine = buffer.data() + share * thread;
                      return static_cast<float>(wide ? sum512(mine, share)
                                                     : sumPlain(mine, share));
                    });
}

} // namespace nibble::benchmarks
