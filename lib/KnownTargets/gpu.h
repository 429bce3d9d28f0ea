// The GPUs that kernels are written for, with every fact that the compiler,
// reports, drivers and the simulator use. A new GPU is a row of kGpuTargets,
// and of kGpuArchitectures when its instructions are new.
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
  int ptxVersion = 0;       // of the PTX that we write: 83 is PTX ISA 8.3

  // Limits.
  int64_t threadsOfBlock = 0;
  int64_t blocksOfCluster = 0;
  int64_t sharedBytesOfBlock = 0; // static and dynamic
  int64_t registersOfSM = 0;      // of 32 bits
  int64_t registersOfThread = 0;
  int64_t parameterBytes = 0; // of a kernel (PTX ISA 8.1, kernel parameters)
  // Operations of an SM's matrix units on bf16 per clock; a multiply-add counts
  // as two (NVIDIA H100 Tensor Core GPU Architecture).
  double matrixOperationsPerClock = 0;
  // Transfers on a data line per memory clock.
  double transfersPerMemoryClock = 0;

  // Whether it has the instructions that the kernels of passes/LowerToHopper
  // use.
  bool hasWarpgroupMatrix = false; // wgmma
  bool hasTensorCopies = false;    // cp.async.bulk, with mbarriers
  bool hasClusters = false;        // mapa, multicast
  bool hasRegisterMoves = false;   // setmaxnreg

  // Registers that an SM has for each thread when `blocks` blocks of `threads`
  // threads share it. Allocation is in units of eight. The result may exceed
  // registersOfThread.
  constexpr int64_t registersFor(int64_t threads, int64_t blocks) const {
    return registersOfSM / blocks / threads / 8 * 8;
  }
};

// One GPU product.
struct GpuTarget {
  std::string_view name;
  const GpuArchitecture *architecture = nullptr;
  int64_t sms = 0;         // multiprocessors
  double clockHertz = 0;   // highest clock of an SM
  int64_t memoryBytes = 0; // from the data sheet
  // Measured on random data: bytes copied per second (read plus written), and
  // bf16 operations of the matrix units per second.
  double copyBytesPerSecond = 0;
  double matrixOperationsPerSecond = 0;

  // Peak rate of the matrix units, at the highest clock.
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

// Null when there is none with that name.
constexpr const GpuTarget *findGpuTarget(std::string_view name) {
  for (const GpuTarget *target : kGpuTargets)
    if (target->name == name)
      return target;
  return nullptr;
}

// Null when there are no kernels for that compute capability.
constexpr const GpuArchitecture *findGpuArchitecture(int major, int minor) {
  for (const GpuArchitecture *architecture : kGpuArchitectures)
    if (architecture->major == major && architecture->minor == minor)
      return architecture;
  return nullptr;
}

static_assert(kH200.matrixOperationsPerSecond < kH200.peakMatrixOperations(),
              "what is measured is below what the clock allows");

} // namespace nibble
