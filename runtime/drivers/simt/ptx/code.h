// A decoded kernel: dense instructions over a warp's register file.
//
// A register is an array of 32 lanes in the file, at a byte offset, with 2, 4
// or 8 bytes per lane. A predicate is one 32-bit mask. Constants, special
// registers and addresses of variables are registers that are filled before a
// warp starts. An operand is therefore always an offset.
#pragma once

#include "lib/KnownTargets/gpu.h"
#include "runtime/drivers/simt/ptx/ptx.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nibble::simt {

using Mask = uint32_t; // one bit per lane
inline constexpr Mask kAllLanes = ~Mask{0};
inline constexpr int kLanes = 32;

struct Warp;
struct Inst;

enum class Outcome : uint8_t {
  kNext,    // done
  kYield,   // done, but lets others run: a failed wait or a sleep
  kBlocked, // done when a barrier releases these lanes
  kRetry,   // not done, because others must come first
  kPark,    // cannot begin before other lanes of the warp arrive
  kFault,   // the launch failed; Cluster::fault has the reason
};

using Handler = Outcome (*)(Warp &, const Inst &, Mask);

enum class Flow : uint8_t { kHandler, kBranch, kBranchTable, kExit };

enum class Space : uint8_t {
  kGeneric,
  kGlobal,
  kShared,
  kSharedCluster,
  kLocal,
  kParam,
  kConst
};

// Offsets of a vector's or a fragment's registers; kNone stands for _.
inline constexpr uint32_t kNone = ~uint32_t{0};

struct Inst {
  Handler run = nullptr;
  Flow flow = Flow::kHandler;
  bool predicateNegated = false;
  bool convergent = false; // all live lanes of the warp must arrive together
  uint8_t width = 0;       // bytes of an element in memory, or of the operation
  // Bytes per lane in the register that is loaded or stored.
  uint8_t lanesWidth = 0;
  uint8_t count = 1; // number of elements
  bool isSigned = false;
  bool isMatrix = false; // wgmma, which may touch registers of a pending one
  Space space = Space::kGeneric;
  uint32_t predicate = kNone;
  uint32_t dst = kNone, dst2 = kNone;
  uint32_t a = kNone, b = kNone, c = kNone, d = kNone;
  uint32_t target = 0; // an instruction, or the first entry of the branch table
  uint32_t mode = 0;   // variant of the instruction
  uint32_t list = 0, listSize = 0; // range in Code::lists
  int64_t offset = 0;              // added to an address
  uint32_t line = 0;
  // Range in Code::lists of the registers read or written, to check for pending
  // wgmma.
  uint32_t touched = 0, touchedSize = 0;
};

// The value that fills a register before a warp starts.
struct Preset {
  enum Kind : uint8_t {
    kConstant,
    kTidX,
    kTidY,
    kTidZ,
    kNtidX,
    kNtidY,
    kNtidZ,
    kCtaidX,
    kCtaidY,
    kCtaidZ,
    kNctaidX,
    kNctaidY,
    kNctaidZ,
    kLane,
    kWarp,
    kWarps,
    kClusterRank,
    kClusterSize,
    kClusterIdX,
    kClusters,
    kSharedBytes,
    kTotalSharedBytes,
    kMaskEq,
    kMaskLt,
    kMaskLe,
    kMaskGt,
    kMaskGe,
    kSm,
    kGrid,
  } kind = kConstant;
  uint8_t width = 4;
  uint32_t offset = 0;
  uint64_t value = 0;
};

struct Parameter {
  uint32_t offset = 0, bytes = 0;
};

struct Code {
  std::string name;
  std::shared_ptr<Module> source;
  std::vector<Inst> instructions;
  std::vector<uint32_t> lists;
  std::vector<uint32_t> branchTable;
  std::vector<Preset> presets;
  uint32_t fileBytes = 0; // bytes of a warp's register file
  std::vector<Parameter> parameters;
  uint32_t parameterBytes = 0;
  uint32_t staticSharedBytes = 0;
  uint32_t dynamicAlign = 16;
  uint32_t localBytes = 0; // per thread
  uint32_t requiredThreads = 0, maxThreads = 0, clusterSize = 0,
           blocksPerSM = 0;
};

// Addresses as a kernel sees them. Global memory is the host's. A shared
// address within its window has 32 bits, with the offset in the low 24. Above
// them stands 0 for the own block, or 1 + rank for a block of the cluster.
inline constexpr uint64_t kSharedWindow = uint64_t{1} << 48;
inline constexpr uint64_t kLocalWindow = uint64_t{2} << 48;
inline constexpr uint64_t kParamWindow = uint64_t{3} << 48;
inline constexpr int kWindowBits = 48;
// The first KiB of shared memory is reserved for the system, as on the device.
inline constexpr uint32_t kSharedBase = 1024;

// The simulated GPU. Its limits are enforced, and kernels read its figures.
inline constexpr const GpuTarget &kSimulatedGpu = kH200;
inline constexpr const GpuArchitecture &kArchitecture =
    *kSimulatedGpu.architecture;

} // namespace nibble::simt
