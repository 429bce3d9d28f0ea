// Decides which tokens of which sequences go into the next call (continuous
// batching), and which pages they may write.
//
// Sequences have a fixed priority, the order in which they were added. When no
// page is free, a sequence takes one from the lowest-priority sequence that
// holds any. That one starts over later from its own tokens, and by N10-N14
// arrives at the same bits. The sequence of highest priority always advances,
// so every run ends.
#pragma once

#include "runtime/rollout/pages.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace nibble {

// The part of a sequence that scheduling needs.
struct ScheduledSequence {
  int64_t priority = 0; // unique; a lower number goes first
  int64_t length = 0;   // number of tokens known so far
  int64_t computed = 0; // number of tokens with keys and values in the cache
  std::vector<int32_t> pages = {};
  bool running = false;
};

struct PlannedTokens {
  ScheduledSequence *sequence;
  int64_t begin, count; // tokens begin .. begin+count-1 of the sequence
  // Whether they reach the sequence's end, so that its logits are needed.
  bool last;
};

struct Plan {
  // Pages to copy before the call: (from, to).
  std::vector<std::pair<int32_t, int32_t>> copies;
  std::vector<PlannedTokens> tokens; // in order of priority
};

class Scheduler {
public:
  struct Limits {
    int64_t maxTokens;  // limit for one call
    int64_t maxRunning; // limit of sequences in progress
    int64_t pageSize;
  };
  Scheduler(Limits limits, PagePool &pool) : limits_(limits), pool_(pool) {}

  void add(ScheduledSequence &sequence);
  // Adds `sequence` with the computed tokens of `source`. The two share these
  // pages from now on.
  void addSharing(ScheduledSequence &sequence, const ScheduledSequence &source);
  // Removes a sequence and releases its pages.
  void remove(ScheduledSequence &sequence);

  // The next call. It is empty only when there is no sequence, or the pool is
  // too small for the first one alone. The caller computes the plan, then sets
  // `computed` and `length`.
  Plan next();

  int64_t preemptions() const { return preemptions_; }

private:
  int64_t pagesFor(int64_t tokens) const {
    return (tokens + limits_.pageSize - 1) / limits_.pageSize;
  }
  void insert(ScheduledSequence &sequence);
  Plan attempt();
  void releasePages(ScheduledSequence &sequence);
  bool preemptBelow(int64_t priority);
  bool makeWritable(ScheduledSequence &sequence, int64_t begin, int64_t count,
                    Plan &plan);

  Limits limits_;
  PagePool &pool_;
  std::vector<ScheduledSequence *> sequences_; // sorted by priority
  int64_t running_ = 0, preemptions_ = 0;
};

} // namespace nibble
