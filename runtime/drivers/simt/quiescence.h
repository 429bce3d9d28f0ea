// Decides whether a launch stands still for good: every running cluster waits,
// and none of them can end another's wait.
//
// Clusters run on several host threads and see each other through global memory
// alone. `changes` numbers the published changes of global memory. A worker
// that has written publishes after its writes, before it declares, takes
// another cluster or leaves.
//
// A worker declares "my cluster waits as of change n" when two conditions hold.
//   (1) `changes` was n before the cluster's observed loads began, and is still
//       n under the mutex.
//   (2) On memory as it was observed the cluster repeats forever and writes
//       nothing (Observation). Or it has used up SimtOptions::spinLimit, which
//       is a requested limit and no proof.
// The worker then waits on the condition variable and executes nothing until a
// change is published.
//
// Invariant, under the mutex: `waiting` counts the workers that have declared
// as of the present value of `changes`. Only publish() alters `changes`, and it
// sets `waiting` to 0 in the same critical section.
//
// Proof that the verdict is right. Let waiting == workers == W at change n.
//
// All workers have declared. A worker that starts a cluster, runs one or is
// between two has not declared, so no worker is in these states.
//
// All writes are published. Each of the W workers published its writes before
// it declared, and a worker that left published before that.
//
// Every cluster has observed all of the present memory. Publication k was made
// under the mutex, which is released after the write and acquired before the
// next publication. Reading `changes` as n with acquire order therefore happens
// after all publications up to n, and after all writes that they cover. No
// later publication exists: a publication after a worker read n would have made
// (1) fail.
//
// By (2) each cluster continues without a write as long as nobody else writes,
// and nobody does. So all of them wait forever. No new cluster begins either,
// because a cluster begins on a worker that has ended another.
//
// Proof that an endless wait is reported. When nobody writes any more,
// `changes` stays. Each running worker then declares as of that value or
// leaves, and the last one finds waiting == workers. Neither a clock nor a
// number of tries takes part.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace nibble::simt {

class Quiescence {
public:
  // Call before the first of `workers` threads begins. Each of them calls
  // leave() once.
  void begin(uint32_t workers) { workers_ = workers; }

  // The number of changes so far. Loads after this call see all writes that
  // these changes cover.
  uint64_t changes() const { return changes_.load(std::memory_order_acquire); }

  // Announces that the calling worker has written to global memory.
  void publish() {
    std::lock_guard lock(mutex_);
    changes_.store(changes_.load(std::memory_order_relaxed) + 1,
                   std::memory_order_release);
    bool somebodyWaits = waiting_ != 0;
    waiting_ = 0;
    if (somebodyWaits)
      changed_.notify_all();
  }

  // Declares that the caller's cluster waits as of change `since`, and blocks.
  // Returns false after a change: the cluster has to look again. Returns true
  // when everybody waits forever.
  bool waitsForEver(uint64_t since) {
    std::unique_lock lock(mutex_);
    auto hasChanged = [&] {
      return changes_.load(std::memory_order_relaxed) != since;
    };
    if (hasChanged())
      return false;
    ++waiting_;
    judge();
    changed_.wait(lock, [&] { return isStill_ || hasChanged(); });
    return isStill_;
  }

  // The calling worker runs no more clusters and has published its writes.
  void leave() {
    std::lock_guard lock(mutex_);
    --workers_;
    judge();
  }

private:
  void judge() {
    if (workers_ == 0 || waiting_ != workers_)
      return;
    isStill_ = true;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<uint64_t> changes_{0}; // written under the mutex
  uint32_t workers_ = 0, waiting_ = 0;
  bool isStill_ = false; // the verdict
};

} // namespace nibble::simt
