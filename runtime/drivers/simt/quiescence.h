// Whether a launch stands still for good: every cluster that runs waits, and
// none of them can end another's wait.
//
// Clusters run on several threads of the host and see each other through global
// memory alone. `changes` numbers the changes of global memory that have been
// published: a worker that has written publishes after its writes, before it
// declares, takes another cluster or leaves. A worker declares "my cluster
// waits as of change n" when
//   (1) `changes` was n before the cluster's observed loads began, and is still
//   n under the mutex; and (2) on memory as it was observed the cluster goes
//   around for ever and writes nothing (Observation), or it has used
//       up SimtOptions::spinLimit, which is a limit that was asked for and no
//       proof.
// It then stands on the condition variable and executes nothing until a change
// is published.
//
// Invariant, under the mutex: `waiting` counts the workers that have declared
// as of the present value of `changes`. publish() is the only one that alters
// `changes`, and sets `waiting` to 0 in the same critical section.
//
// Proof that the verdict is right. Let waiting == workers == W at change n. A
// worker that is starting a cluster, runs one or is between two has not
// declared, so there is none. No write is unpublished: each of the W published
// its writes before it declared, and one that left published before that.
// Publication k was made under the mutex, which is released after the write and
// acquired before the next publication; reading `changes` as n with acquire
// order therefore happens after all publications up to n and so after all
// writes that they cover. There is none behind them: a publication after a
// worker read n would have made (1) fail. So every cluster observed the memory
// that is there now, all of it. By (2) each goes on without a write as long as
// nobody else writes; nobody does; so all of them wait for ever. No cluster
// begins either, because a cluster begins on a worker that has ended another.
//
// Proof that an endless wait is reported: when nobody writes any more,
// `changes` stays; each worker that runs declares as of it or leaves, and the
// last one to do so finds waiting == workers. No clock and no number of tries
// takes part.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace nibble::simt {

class Quiescence {
public:
  // Before the first of `workers` threads begins; each of them calls leave()
  // once.
  void begin(uint32_t workers) { workers_ = workers; }

  // The number of changes so far. What is loaded after this call sees all
  // writes that they cover.
  uint64_t changes() const { return changes_.load(std::memory_order_acquire); }

  // The calling worker has written to global memory.
  void publish() {
    std::lock_guard lock(mutex_);
    changes_.store(changes_.load(std::memory_order_relaxed) + 1,
                   std::memory_order_release);
    bool somebodyWaits = waiting_ != 0;
    waiting_ = 0;
    if (somebodyWaits)
      changed_.notify_all();
  }

  // The caller's cluster waits as of change `since`. False: something has
  // changed, and it has to look again; until then the caller stands here. True:
  // everybody waits, for ever.
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

  // The calling worker runs no cluster any more, and has published what it
  // wrote.
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
