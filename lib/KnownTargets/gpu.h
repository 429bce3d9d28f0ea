// The GPUs that kernels are written for: every fact about one that the
// compiler, the reports, the drivers or the simulator use. A new GPU is a row
// of kGpuTargets, and of kGpuArchitectures when its instructions are new.
#pragma once

#include <cstdint>
#include <string_view>

namespace nibble {

// What the GPUs of one architecture have in common: instructions and limits
// (CUDA C++ Programming Guide, "Technical Specifications per Compute
// Capability").
struct GpuArchitecture {
  std::string_view chip;    // as `.target` of PTX and ptxas name it
  int major = 0, minor = 0; // compute capability
  int ptxVersion = 0;       // 83 is PTX ISA 8.3: the version of what we write

  // The most there may be.
  int64_t threadsOfBlock = 0;
  int64_t blocksOfCluster = 0;
  int64_t sharedBytesOfBlock = 0; // static and dynamic
  int64_t registersOfSM = 0;      // of 32 bits
  int64_t registersOfThread = 0;
  int64_t parameterBytes = 0; // of a kernel (PTX ISA 8.1, kernel parameters)
  // Operations of the matrix units of an SM on bf16 in one clock, two for each
  // multiply-add (NVIDIA H100 Tensor Core GPU Architecture).
  double matrixOperationsPerClock = 0;
  // Transfers of a data line in one clock of the memory.
  double transfersPerMemoryClock = 0;

  // Whether it has the instructions that the kernels of
  // passes/LowerToHopper are made of.
  bool hasWarpgroupMatrix = false; // wgmma
  bool hasTensorCopies = false;    // cp.async.bulk, with mbarriers
  bool hasClusters = false;        // mapa, multicast
  bool hasRegisterMoves = false;   // setmaxnreg

  // What an SM has for each thread, when `blocks` blocks of `threads` threads
  // share it; it hands registers out by eights. May be above
  // registersOfThread.
  constexpr int64_t registersFor(int64_t threads, int64_t blocks) const {
    return registersOfSM / blocks / threads / 8 * 8;
  }
};

// One product.
struct GpuTarget {
  std::string_view name;
  const GpuArchitecture *architecture = nullptr;
  int64_t sms = 0;         // multiprocessors
  double clockHertz = 0;   // of an SM, the highest
  int64_t memoryBytes = 0; // of the data sheet
  // As measured on random data: bytes copied in a second, read plus written,
  // and operations of the matrix units on bf16.
  double copyBytesPerSecond = 0;
  double matrixOperationsPerSecond = 0;

  // What the matrix units could do at the highest clock.
  constexpr double peakMatrixOperations() const {
    return static_cast<double>(sms) * clockHertz *
           architecture->matrixOperationsPerClock;
  }
};

inline constexpr GpuArchitecture kSm90a = {
    .chip = "sm_90a",
    .major = 9,
    .minor = 0,
    .ptxVersion = 83,
    .threadsOfBlock = 1024,
    .blocksOfCluster = 16,
    .sharedBytesOfBlock = 227 << 10,
    .registersOfSM = 65536,
    .registersOfThread = 255,
    .parameterBytes = 32764,
    .matrixOperationsPerClock = 4096,
    .transfersPerMemoryClock = 2,
    .hasWarpgroupMatrix = true,
    .hasTensorCopies = true,
    .hasClusters = true,
    .hasRegisterMoves = true,
};

inline constexpr GpuTarget kH200 = {
    .name = "h200",
    .architecture = &kSm90a,
    .sms = 132,
    .clockHertz = 1.98e9,
    .memoryBytes = 141'000'000'000,
    .copyBytesPerSecond = 4.3e12,
    .matrixOperationsPerSecond = 790e12,
};

inline constexpr const GpuArchitecture *kGpuArchitectures[] = {&kSm90a};
inline constexpr const GpuTarget *kGpuTargets[] = {&kH200};

// Null when there is none of that name.
constexpr const GpuTarget *findGpuTarget(std::string_view name) {
  for (const GpuTarget *target : kGpuTargets)
    if (target->name == name)
      return target;
  return nullptr;
}

// Null when no kernels are written for that compute capability.
constexpr const GpuArchitecture *findGpuArchitecture(int major, int minor) {
  for (const GpuArchitecture *architecture : kGpuArchitectures)
    if (architecture->major == major && architecture->minor == minor)
      return architecture;
  return nullptr;
}

static_assert(kH200.matrixOperationsPerSecond < kH200.peakMatrixOperations(),
              "what is measured is below what the clock allows");

} // namespace nibble
