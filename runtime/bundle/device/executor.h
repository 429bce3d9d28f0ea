// Runs the functions of a device program: plans a call once for each set of
// extents, uploads inputs, launches, downloads results. A call that comes again
// with the same extents and memory is recorded as a graph and then only
// replayed, which is what decoding does.
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
  // Loads kernels and constants. The program was checked.
  static Result<std::unique_ptr<DeviceExecutor>>
  create(DeviceProgram program, std::shared_ptr<DeviceResidence> residence);
  ~DeviceExecutor();

  const DeviceProgram &program() const { return program_; }
  const std::shared_ptr<DeviceResidence> &residence() const {
    return residence_;
  }

  // `function`: index into the program's functions, which the arguments fit
  // (Function::bind). Inputs lie in the host's memory (or, with
  // TensorView::device, on the device), parameters and state have their place
  // in the residence. Results are the host's and belong to the arena; those in
  // `kept` stay on the device, in memory of the executor, until the function is
  // called again.
  Result<std::vector<TensorView>> call(int function,
                                       std::span<const TensorView> arguments,
                                       Arena &arena,
                                       std::span<const int> kept = {});

  struct LaunchTime {
    std::string kernel;
    int64_t launches = 0;
    double seconds = 0; // of all of them, each the mean of its repetitions
    // Bytes that they touch (bytesTouched), and those of the launch that
    // touches most; null when they are not known.
    std::optional<int64_t> bytes = 0;
    int64_t largest = 0;
    int64_t operations = 0; // of the matrix units
  };
  struct CallTime {
    double seconds =
        0; // of a call, its graph replayed, without uploads and downloads
    DeviceLimits limits;
    std::vector<LaunchTime> kernels; // by kernel; what takes longest first
  };
  // Runs a call `repeats` times in one piece, and then each of its launches
  // `repeats` times by itself, in the order of the call: a launch finds its
  // buffers as in a call, each time. What it uses up is put back off the clock,
  // and so are temporaries behind its last time; state goes on from run to run.
  // Usage error on a device that checks accesses: its time says nothing.
  Result<CallTime> time(int function, std::span<const TensorView> arguments,
                        int repeats);

  const ExecutorStatistics &statistics() const { return statistics_; }

private:
  // A plan and, for the addresses that it was last run with, its graph.
  struct Prepared {
    std::vector<int64_t>
        key; // function and the extents that are known at the call only
    CallPlan plan;
    std::vector<uint64_t> bindings; // what `addresses` follow from: arguments,
                                    // arena, state of the residence
    std::vector<DeviceAddress> addresses; // of the buffers
    int runs = 0;                         // with these addresses
    std::unique_ptr<DeviceGraph> graph;
  };

  // Memory of a result that stays on the device.
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
  std::vector<std::vector<int>>
      open_; // of each function, the arguments with extents that are known at
             // the call only
  std::vector<uint64_t> bindings_; // of the call at hand
  std::list<Prepared> prepared_;   // used last first
  std::map<std::vector<int64_t>, std::list<Prepared>::iterator> byKey_;
  std::map<std::pair<int, int>, Kept>
      kept_; // by function and result; result -1: what comes back in one piece
  // What the call at hand uses: buffers that have their own place, and the
  // piece.
  std::vector<std::pair<int32_t, DeviceAddress>> placed_;
  Kept piece_;
  std::vector<std::byte> staging_;
  bool hasGraphs_ = true;
  ExecutorStatistics statistics_;
};

// A table: time, rates and name of each kernel; "-" where bytes or operations
// are not known. A rate above what the device can do is marked and explained.
std::string describe(const DeviceExecutor::CallTime &time);

} // namespace nibble
