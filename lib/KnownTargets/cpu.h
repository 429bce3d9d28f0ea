// The CPUs that code can be compiled for. lib/Target/Host asks the machine when
// it compiles for itself. The rows here are for code that runs elsewhere, and
// for tools that compile without asking a machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nibble {

// The facts of a CPU that kernels are tuned for. They decide tiles and
// instructions, never bits.
struct CpuTarget {
  std::string name;            // as LLVM names it
  int64_t vectorRegisters = 0; // architectural
  int64_t vectorFloats = 0;    // float32 in one: 8 (AVX2) or 16 (AVX-512)
  int64_t l1Bytes = 0;         // data cache of a core
  int64_t l2Bytes = 0;         // second cache of a core

  bool operator==(const CpuTarget &) const = default;
};

// The levels of the x86-64 psABI. They specify no caches: these sizes are
// defaults where the machine does not report its own.
inline const CpuTarget kAvx2 = {.name = "x86-64-v3",
                                .vectorRegisters = 16,
                                .vectorFloats = 8,
                                .l1Bytes = 32 << 10,
                                .l2Bytes = 1 << 20};
inline const CpuTarget kAvx512 = {.name = "x86-64-v4",
                                  .vectorRegisters = 32,
                                  .vectorFloats = 16,
                                  .l1Bytes = 32 << 10,
                                  .l2Bytes = 1 << 20};

inline const CpuTarget *const kCpuTargets[] = {&kAvx2, &kAvx512};

// Null when there is none with that name.
inline const CpuTarget *findCpuTarget(std::string_view name) {
  for (const CpuTarget *target : kCpuTargets)
    if (target->name == name)
      return target;
  return nullptr;
}

} // namespace nibble
