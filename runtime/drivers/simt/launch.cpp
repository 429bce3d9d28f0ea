// Runs the clusters of a grid on host threads.
#include "runtime/drivers/simt/launch.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

namespace nibble::simt {

namespace {

struct Freed {
  void operator()(void *memory) const { std::free(memory); }
};
using Bytes = std::unique_ptr<uint8_t[], Freed>;

Bytes allocateBytes(size_t bytes) {
  return Bytes(
      static_cast<uint8_t *>(std::aligned_alloc(64, (bytes + 127) / 64 * 64)));
}

uint64_t presetValue(const Preset &preset, const Warp &warp, uint32_t lane) {
  const LaunchState &launch = *warp.cluster->launch;
  const Block &block = *warp.block;
  uint32_t below = (Mask{1} << lane) - 1;
  switch (preset.kind) {
  case Preset::kConstant:
    return preset.value;
  case Preset::kTidX:
    return warp.thread(lane);
  case Preset::kTidY:
  case Preset::kTidZ:
    return 0;
  case Preset::kNtidX:
    return launch.shape.threads;
  case Preset::kNtidY:
  case Preset::kNtidZ:
    return 1;
  case Preset::kCtaidX:
  case Preset::kCtaidY:
  case Preset::kCtaidZ:
    return block.id[preset.kind - Preset::kCtaidX];
  case Preset::kNctaidX:
  case Preset::kNctaidY:
  case Preset::kNctaidZ:
    return launch.shape.grid[preset.kind - Preset::kNctaidX];
  case Preset::kLane:
    return lane;
  case Preset::kWarp:
    return warp.index;
  case Preset::kWarps:
    return block.warps.size();
  case Preset::kClusterRank:
    return block.rank;
  case Preset::kClusterSize:
    return launch.clusterSize;
  case Preset::kClusterIdX:
    return block.id[0] / launch.clusterSize;
  case Preset::kClusters:
    return launch.shape.grid[0] / launch.clusterSize;
  case Preset::kSharedBytes:
    return launch.shape.sharedBytes;
  case Preset::kTotalSharedBytes:
    return launch.shape.sharedBytes + launch.code->staticSharedBytes;
  case Preset::kMaskEq:
    return below + 1;
  case Preset::kMaskLt:
    return below;
  case Preset::kMaskLe:
    return below | (below + 1);
  case Preset::kMaskGt:
    return ~(below | (below + 1));
  case Preset::kMaskGe:
    return ~below;
  case Preset::kSm:
    return warp.cluster->index % kSimulatedGpu.sms;
  case Preset::kGrid:
    return launch.serial;
  }
  return 0;
}

// The memory of one host thread, which runs one cluster after the other.
class Worker {
public:
  explicit Worker(LaunchState &launch) : launch_(launch) {
    const Code &code = *launch.code;
    warpsPerBlock_ = (launch.shape.threads + kLanes - 1) / kLanes;
    fileBytes_ = (code.fileBytes + 63) / 64 * 64;
    uint32_t dynamic =
        (kSharedBase + code.staticSharedBytes + code.dynamicAlign - 1) /
        code.dynamicAlign * code.dynamicAlign;
    sharedEnd_ = launch.shape.sharedBytes == 0
                     ? kSharedBase + code.staticSharedBytes
                     : dynamic + launch.shape.sharedBytes;
    files_ = allocateBytes(fileBytes_ * warpsPerBlock_ * launch.clusterSize);
    shared_ = allocateBytes(size_t{sharedEnd_} * launch.clusterSize);
    cluster_.checks = launch.options.checks == SimtOptions::kFull;
    cluster_.launch = &launch;
    for (uint32_t rank = 0; files_ && rank < launch.clusterSize; ++rank) {
      auto block = std::make_unique<Block>();
      block->cluster = &cluster_;
      block->rank = rank;
      block->shared = shared_.get() + size_t{sharedEnd_} * rank;
      block->sharedEnd = sharedEnd_;
      block->warps.resize(warpsPerBlock_);
      for (uint32_t i = 0; i < warpsPerBlock_; ++i) {
        Warp &warp = block->warps[i];
        warp.block = block.get();
        warp.cluster = &cluster_;
        warp.index = i;
        warp.agent = static_cast<uint32_t>(cluster_.warps.size());
        warp.file = files_.get() + fileBytes_ * cluster_.warps.size();
        std::memset(warp.file, 0, fileBytes_);
        warp.local.assign(size_t{code.localBytes} * kLanes, 0);
        cluster_.warps.push_back(&warp);
      }
      cluster_.blocks.push_back(std::move(block));
    }
  }

  // Whether the last run failed because all clusters waited for each other.
  bool waitedForOthers() const { return cluster_.waitedForOthers; }
  bool hasMemory() const { return files_ != nullptr && shared_ != nullptr; }

  Status run(uint32_t index) {
    reset(index);
    Status status = runCluster(cluster_);
    if (cluster_.hasWritten)
      launch_.quiescence.publish();
    for (Warp *warp : cluster_.warps) {
      steps += warp->stepCount;
      lanes += warp->laneCount;
      locals += warp->localCount;
    }
    return status;
  }

  uint64_t steps = 0, lanes = 0, locals = 0;

private:
  void reset(uint32_t index) {
    cluster_.index = index;
    cluster_.random.state = launch_.options.seed * 0x9e3779b97f4a7c15u +
                            launch_.serial * 0xbf58476d1ce4e5b9u + index;
    cluster_.round = cluster_.progress = 0;
    cluster_.pending.clear();
    cluster_.barrier = {};
    cluster_.atomics.clear();
    cluster_.hasStored = cluster_.hasWritten = cluster_.looksOutside =
        cluster_.isWatched = false;
    cluster_.waitedForOthers = false;
    cluster_.ordersGlobal = false;
    cluster_.error = Status::ok();
    uint32_t clustersX = launch_.shape.grid[0] / launch_.clusterSize;
    for (auto &block : cluster_.blocks) {
      block->id[0] = index % clustersX * launch_.clusterSize + block->rank;
      block->id[1] = index / clustersX % launch_.shape.grid[1];
      block->id[2] = index / clustersX / launch_.shape.grid[1];
      block->liveThreads = launch_.shape.threads;
      block->mbarriers.clear();
      for (Barrier &barrier : block->barriers)
        barrier = {};
      if (cluster_.checks) {
        block->granules.assign((sharedEnd_ + 3) / 4, {});
        std::memset(block->shared, 0xff, sharedEnd_);
      }
      for (Warp &warp : block->warps)
        reset(warp);
    }
    isFirst_ = false;
  }

  void reset(Warp &warp) {
    uint32_t count =
        std::min<uint32_t>(kLanes, launch_.shape.threads - warp.index * kLanes);
    warp.live = count == kLanes ? kAllLanes : (Mask{1} << count) - 1;
    warp.fragments.assign(1, {Fragment::kReady, warp.live, 0, nullptr});
    warp.current = 0;
    warp.avoid = warp.haveRun = 0;
    warp.jumpsBack = 0;
    warp.yielded = warp.isUnrepeatable = false;
    warp.sinceWait = 0;
    warp.copyGroups = warp.bulkGroups = {};
    warp.matrixGroup = warp.pendingMatrix = warp.matrixWaited = 0;
    warp.matrixClosedAt.clear();
    warp.matrixFence = false;
    warp.now = 1;
    warp.touched = 0;
    warp.lastTouch = 0;
    warp.apart.clear();
    warp.engineTime = 0;
    warp.registers = 0;
    warp.lastAllocation = nullptr;
    warp.stepCount = warp.laneCount = warp.localCount = 0;
    warp.failedWait = nullptr;
    if (cluster_.checks) {
      warp.knowledge.seen.assign(2 * cluster_.warps.size());
      warp.knowledge.proxied.assign(2 * cluster_.warps.size());
      warp.pendingRegister.assign(fileBytes_ / 64 + 1, 0);
    }
    for (const Preset &preset : launch_.code->presets) {
      if (preset.kind == Preset::kConstant && !isFirst_)
        continue;
      for (uint32_t lane = 0; lane < kLanes; ++lane) {
        uint64_t value = presetValue(preset, warp, lane);
        std::memcpy(warp.file + preset.offset + size_t{lane} * preset.width,
                    &value, preset.width);
      }
    }
  }

  LaunchState &launch_;
  Cluster cluster_;
  Bytes files_, shared_;
  size_t fileBytes_ = 0;
  uint32_t warpsPerBlock_ = 0, sharedEnd_ = 0;
  bool isFirst_ = true;
};

Status checkShape(LaunchState &state) {
  const Code &code = *state.code;
  const Launch &shape = state.shape;
  auto usage = [&](const std::string &what) {
    return Status::usage("simt: kernel " + code.name + ": " + what +
                         "; correct the launch");
  };
  if (shape.threads == 0 || shape.threads > kArchitecture.threadsOfBlock)
    return usage(
        "a block of " + std::to_string(shape.threads) + " threads; 1 to " +
        std::to_string(kArchitecture.threadsOfBlock) + " are possible");
  if (code.requiredThreads != 0 && code.requiredThreads != shape.threads)
    return usage("a block of " + std::to_string(shape.threads) +
                 " threads; .reqntid says " +
                 std::to_string(code.requiredThreads));
  if (code.maxThreads != 0 && code.maxThreads < shape.threads)
    return usage("a block of " + std::to_string(shape.threads) +
                 " threads; .maxntid says " + std::to_string(code.maxThreads));
  if (shape.cluster == 0 || shape.cluster > kArchitecture.blocksOfCluster ||
      shape.grid[0] % shape.cluster != 0)
    return usage("clusters of " + std::to_string(shape.cluster) +
                 " blocks in a grid of " + std::to_string(shape.grid[0]) +
                 " along x");
  if (code.clusterSize != 0 && code.clusterSize != shape.cluster)
    return usage("clusters of " + std::to_string(shape.cluster) +
                 " blocks; .reqnctapercluster says " +
                 std::to_string(code.clusterSize));
  int64_t shared = int64_t{code.staticSharedBytes} + shape.sharedBytes;
  if (shared > kArchitecture.sharedBytesOfBlock)
    return usage(std::to_string(shared) +
                 " bytes of shared memory; a block has " +
                 std::to_string(kArchitecture.sharedBytesOfBlock));
  uint64_t blocks = uint64_t{shape.grid[0]} * shape.grid[1];
  if (shape.grid[0] == 0 || shape.grid[1] == 0 || shape.grid[2] == 0 ||
      shape.grid[1] > 65535 || shape.grid[2] > 65535 ||
      blocks * shape.grid[2] > 0x7fffffff)
    return usage("a grid of " + std::to_string(shape.grid[0]) + " x " +
                 std::to_string(shape.grid[1]) + " x " +
                 std::to_string(shape.grid[2]) + " blocks");
  return Status::ok();
}

} // namespace

Outcome fault(Warp &warp, const Inst &inst, uint32_t lane,
              const std::string &what) {
  Cluster &cluster = *warp.cluster;
  if (!cluster.error.isOk())
    return Outcome::kFault;
  const Code &code = *cluster.launch->code;
  std::string_view text =
      inst.line >= 1 && inst.line <= code.source->lines.size()
          ? code.source->lines[inst.line - 1]
          : std::string_view();
  size_t begin = text.find_first_not_of(" \t");
  text =
      begin == std::string_view::npos ? std::string_view() : text.substr(begin);
  const Block &block = *warp.block;
  cluster.error = Status::failed(
      "kernel " + code.name + ", block (" + std::to_string(block.id[0]) + ", " +
      std::to_string(block.id[1]) + ", " + std::to_string(block.id[2]) +
      "), thread " + std::to_string(warp.thread(lane)) + ", PTX line " +
      std::to_string(inst.line) + " `" + std::string(text) + "`: " + what +
      "; correct the kernel");
  return Outcome::kFault;
}

Status runLaunch(LaunchState &state) {
  NIBBLE_TRY(checkShape(state));
  state.clusterSize = state.shape.cluster;
  uint32_t clusters = state.shape.grid[0] / state.clusterSize *
                      state.shape.grid[1] * state.shape.grid[2];
  uint32_t wanted = state.options.threads > 0
                        ? static_cast<uint32_t>(state.options.threads)
                        : std::max(1u, std::thread::hardware_concurrency());
  uint32_t workers = std::min(wanted, clusters);
  std::atomic<uint32_t> next{0};
  std::atomic<uint32_t> begun{0};
  std::atomic<uint32_t> failedAt{~0u};
  std::mutex mutex;
  Status status;
  // Keeps the report of the first block, whichever finishes first. A block that
  // waited in vain for a failed block does not count.
  std::pair<bool, uint32_t> reported{true, ~0u}; // waited for others, cluster
  auto report = [&](Status own, uint32_t index, bool waitedForOthers) {
    std::lock_guard lock(mutex);
    failedAt = std::min(failedAt.load(), index);
    if (std::pair key{waitedForOthers, index}; key < reported) {
      reported = key;
      status = std::move(own);
    }
  };
  state.quiescence.begin(workers);
  auto work = [&] {
    Worker worker(state);
    if (!worker.hasMemory())
      report(Status::environment(
                 "simt: no memory on the host for the registers of kernel " +
                 state.code->name +
                 "; use a smaller grid or a machine with more"),
             0, false);
    for (uint32_t index; worker.hasMemory() &&
                         (index = next.fetch_add(1)) < clusters &&
                         index < failedAt.load();) {
      ++begun;
      if (Status own = worker.run(index); !own.isOk())
        report(std::move(own), index, worker.waitedForOthers());
    }
    // The failure is reported before this call, so clusters that wait for it
    // cannot override it with the verdict.
    state.quiescence.leave();
    std::lock_guard lock(mutex);
    state.stepCount += worker.steps;
    state.laneCount += worker.lanes;
    state.localCount += worker.locals;
  };
  std::vector<std::thread> threads;
  for (uint32_t i = 1; i < workers; ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  if (!status.isOk() && reported.first && begun < clusters)
    return Status::failed(
        status.message() + "; " + std::to_string(clusters - begun) + " of " +
        std::to_string(clusters) +
        (state.clusterSize > 1 ? " clusters" : " blocks") +
        " have not begun: they begin in order, on " + std::to_string(workers) +
        " host thread(s), and can wait for earlier ones only; start fewer "
        "blocks that wait for later ones");
  return status;
}

} // namespace nibble::simt
