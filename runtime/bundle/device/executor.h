// Runs the functions of a device program. It plans a call once for each set of
// extents, uploads inputs, launches kernels and downloads results. A call that
// recurs with the same extents and memory is recorded as a graph and then
// replayed. Decoding runs this way.
#pragma once

#include "runtime/bundle/device/call_plan.h"
#include "runtime/bundle/device/device_residence.h"
#include "runtime/core/arena.h"

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace nibble {

struct ExecutorStatistics {
  int64_t calls = 0, plans = 0, graphs = 0, replays = 0;
};

class DeviceExecutor {
public:
  // Loads kernels and constants. The program must have passed check().
  static Result<std::unique_ptr<DeviceExecutor>>
  create(DeviceProgram program, std::shared_ptr<DeviceResidence> residence);
  ~DeviceExecutor();

  const DeviceProgram &program() const { return program_; }
  const std::shared_ptr<DeviceResidence> &residence() const {
    return residence_;
  }

  // Calls function number `function` of the program; the arguments fit it
  // (Function::bind). Inputs lie in host memory or, with TensorView::device, on
  // the device. Parameters and state live in the residence. Results lie in host
  // memory and belong to the arena. Those in `kept` stay on the device, in
  // memory of the executor, until the function's next call.
  Result<std::vector<TensorView>> call(int function,
                                       std::span<const TensorView> arguments,
                                       Arena &arena,
                                       std::span<const int> kept = {});

  struct LaunchTime {
    std::string kernel;
    int64_t launches = 0;
    // Sum over the launches, each the mean of its repetitions.
    double seconds = 0;
    // Bytes that they touch (bytesTouched), null when unknown. `largest` is the
    // maximum of a single launch.
    std::optional<int64_t> bytes = 0;
    int64_t largest = 0;
    int64_t operations = 0; // operations of the matrix units
  };
  struct CallTime {
    // One call, replayed as a graph, without uploads and downloads.
    double seconds = 0;
    DeviceLimits limits;
    std::vector<LaunchTime> kernels; // one entry per kernel, slowest first
  };
  // Measures a call `repeats` times as a whole, and then each of its launches
  // `repeats` times alone, in call order. Each launch finds its buffers as they
  // are in a call. Buffers that it consumes are restored off the clock, and its
  // temporaries are restored after its last repetition. State advances from run
  // to run. Usage error on a device that checks accesses, whose times mean
  // nothing.
  Result<CallTime> time(int function, std::span<const TensorView> arguments,
                        int repeats);

  const ExecutorStatistics &statistics() const { return statistics_; }

private:
  // A plan, and the graph for the addresses of its last run.
  struct Prepared {
    // Function, and the extents that are only known at the call.
    std::vector<int64_t> key;
    CallPlan plan;
    // The sources of `addresses`: arguments, arena, version of the residence.
    std::vector<uint64_t> bindings;
    std::vector<DeviceAddress> addresses; // addresses of the buffers
    int runs = 0;                         // number of runs with these addresses
    std::unique_ptr<DeviceGraph> graph;
  };

  // Memory for results outside the arena.
  struct Kept {
    DeviceAddress address = 0;
    int64_t bytes = 0;
  };

  DeviceExecutor(DeviceProgram program,
                 std::shared_ptr<DeviceResidence> residence)
      : program_(std::move(program)), residence_(std::move(residence)) {}
  Result<Prepared *> prepare(int function,
                             std::span<const TensorView> arguments);
  Status upload(const CallPlan &plan, std::span<const TensorView> arguments,
                DeviceAddress arena);
  Result<std::vector<DeviceAddress>>
  fixedAddresses(const CallPlan &plan,
                 std::span<const TensorView> arguments) const;
  Status issue(const CallPlan &plan, const PlannedCommand &command,
               std::span<const DeviceAddress> addresses);
  Status issueAll(const CallPlan &plan,
                  std::span<const DeviceAddress> addresses);
  Status launch(const PlannedCommand &command,
                std::span<const DeviceAddress> addresses);
  Result<std::vector<TensorView>>
  download(const CallPlan &plan, std::span<const DeviceAddress> addresses,
           std::span<const int> kept, Arena &arena);
  Status placeResults(int function, const CallPlan &plan,
                      std::span<const int> kept);
  Status reserve(Kept &kept, int64_t bytes);
  Status place(Prepared &prepared, std::span<const TensorView> arguments,
               DeviceAddress base);
  Status runAsOne(Prepared &prepared);
  Result<double> secondsOf(int repeats,
                           const std::function<Status(int)> &issueOnce,
                           const std::function<Status()> &before);
  Result<double> secondsOf(const CallPlan &plan, const PlannedCommand &command,
                           std::span<const DeviceAddress> addresses,
                           int repeats);
  Result<std::vector<TensorView>>
  callChecked(const CallPlan &plan, std::span<const TensorView> arguments,
              std::span<const int> kept, Arena &arena);

  DeviceProgram program_;
  std::shared_ptr<DeviceResidence> residence_;
  std::unique_ptr<DeviceModule> module_;
  std::vector<DeviceAddress> constants_;
  // For each function, the arguments with extents that are only known at the
  // call.
  std::vector<std::vector<int>> open_;
  std::vector<uint64_t> bindings_; // of the current call
  std::list<Prepared> prepared_;   // most recently used first
  std::map<std::vector<int64_t>, std::list<Prepared>::iterator> byKey_;
  // By function and result; result -1 is the piece of small results.
  std::map<std::pair<int, int>, Kept> kept_;
  // State of the current call: the buffers with their own place, and the piece
  // of small results.
  std::vector<std::pair<int32_t, DeviceAddress>> placed_;
  Kept piece_;
  std::vector<std::byte> staging_;
  bool hasGraphs_ = true;
  ExecutorStatistics statistics_;
};

// A table with the time, rates and name of each kernel. It shows "-" where
// bytes or operations are unknown. A rate beyond the device's limit is marked
// and explained.
std::string describe(const DeviceExecutor::CallTime &time);

} // namespace nibble
