// Adds up the times of kernels and prints them as a table.
#include "runtime/core/program/profile.h"

#include "include/nibble/ABI.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <unordered_map>

namespace nibble {

namespace {

struct Times {
  std::mutex mutex;
  std::unordered_map<std::string, KernelTime> kernels;
};

Times &times() {
  static Times instance;
  return instance;
}

} // namespace

std::vector<KernelTime> takeProfile() {
  std::unordered_map<std::string, KernelTime> taken;
  {
    std::lock_guard lock(times().mutex);
    taken.swap(times().kernels);
  }
  std::vector<KernelTime> kernels;
  for (auto &[label, time] : taken)
    kernels.push_back(std::move(time));
  std::sort(kernels.begin(), kernels.end(),
            [](const KernelTime &a, const KernelTime &b) {
              return a.seconds != b.seconds ? a.seconds > b.seconds
                                            : a.label < b.label;
            });
  return kernels;
}

std::string describeProfile(const std::vector<KernelTime> &kernels) {
  double total = 0;
  for (const KernelTime &kernel : kernels)
    total += kernel.seconds;
  std::string text =
      fmt::format("{:>6} {:>10} {:>8} {:>10} {:>10}  kernel\n", "share",
                  "seconds", "calls", "mean us", "fastest us");
  for (const KernelTime &kernel : kernels)
    text += fmt::format(
        "{:5.1f}% {:10.6f} {:8} {:10.2f} {:10.2f}  {}\n",
        total > 0 ? 100 * kernel.seconds / total : 0.0, kernel.seconds,
        kernel.calls, 1e6 * kernel.seconds / static_cast<double>(kernel.calls),
        1e6 * kernel.fastest, kernel.label);
  return text;
}

} // namespace nibble

extern "C" int64_t nibble_profile_begin() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

extern "C" void nibble_profile_end(const char *label, int64_t began) {
  double seconds = 1e-9 * static_cast<double>(nibble_profile_begin() - began);
  nibble::Times &all = nibble::times();
  std::lock_guard lock(all.mutex);
  nibble::KernelTime &kernel = all.kernels[label];
  if (kernel.calls == 0)
    kernel = {label, 0, 0, seconds};
  ++kernel.calls;
  kernel.seconds += seconds;
  kernel.fastest = std::min(kernel.fastest, seconds);
}
