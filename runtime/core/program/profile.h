// How long the kernels of a program take, when it was compiled to be timed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nibble {

// One kernel, by its label: the op and the types of its operands.
struct KernelTime {
  std::string label;
  int64_t calls = 0;
  double seconds = 0; // of all calls
  double fastest = 0; // of one call
};

// What was timed since the last call of this, longest first. Thread-safe.
std::vector<KernelTime> takeProfile();

// The kernels as a table, one line each: share of the sum, seconds, calls,
// microseconds of the mean and the fastest call.
std::string describeProfile(const std::vector<KernelTime> &kernels);

} // namespace nibble
