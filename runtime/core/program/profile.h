// The times of a program's kernels, when the program was compiled to be timed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nibble {

// One kernel, identified by its label: the op and the types of its operands.
struct KernelTime {
  std::string label;
  int64_t calls = 0;
  double seconds = 0; // sum over all calls
  double fastest = 0; // the fastest call
};

// The times since the last call, longest first. Thread-safe.
std::vector<KernelTime> takeProfile();

// The kernels as a table with one line each: share of the total, seconds,
// calls, microseconds of the mean and of the fastest call.
std::string describeProfile(const std::vector<KernelTime> &kernels);

} // namespace nibble
