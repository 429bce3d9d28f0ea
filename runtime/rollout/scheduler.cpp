// Plans each call's tokens and pages, and preempts the newest sequences when
// pages run out.
#include "runtime/rollout/scheduler.h"

#include <algorithm>

namespace nibble {

void Scheduler::insert(ScheduledSequence &sequence) {
  auto place =
      std::lower_bound(sequences_.begin(), sequences_.end(), sequence.priority,
                       [](const ScheduledSequence *s, int64_t priority) {
                         return s->priority < priority;
                       });
  sequences_.insert(place, &sequence);
}

void Scheduler::add(ScheduledSequence &sequence) {
  sequence.computed = 0;
  sequence.running = false;
  insert(sequence);
}

void Scheduler::addSharing(ScheduledSequence &sequence,
                           const ScheduledSequence &source) {
  sequence.computed = source.computed;
  sequence.running = false;
  sequence.pages.assign(source.pages.begin(),
                        source.pages.begin() + pagesFor(source.computed));
  for (int32_t page : sequence.pages)
    pool_.retain(page);
  insert(sequence);
}

void Scheduler::releasePages(ScheduledSequence &sequence) {
  for (int32_t page : sequence.pages)
    pool_.release(page);
  sequence.pages.clear();
  sequence.computed = 0;
  running_ -= sequence.running;
  sequence.running = false;
}

void Scheduler::remove(ScheduledSequence &sequence) {
  releasePages(sequence);
  std::erase(sequences_, &sequence);
}

// Frees the pages of the holder with the lowest priority. False when no holder
// ranks below `priority`.
bool Scheduler::preemptBelow(int64_t priority) {
  for (size_t i = sequences_.size();
       i-- > 0 && sequences_[i]->priority > priority;)
    if (!sequences_[i]->pages.empty()) {
      releasePages(*sequences_[i]);
      ++preemptions_;
      return true;
    }
  return false;
}

// Gives the sequence exclusive pages for tokens begin .. begin+count-1. False
// when there are not enough pages.
bool Scheduler::makeWritable(ScheduledSequence &sequence, int64_t begin,
                             int64_t count, Plan &plan) {
  for (int64_t index = begin / limits_.pageSize;
       index < pagesFor(begin + count); ++index) {
    while (true) {
      bool there = index < static_cast<int64_t>(sequence.pages.size());
      if (there && pool_.holders(sequence.pages[index]) == 1)
        break;
      int32_t page = pool_.take();
      if (page < 0) {
        if (!preemptBelow(sequence.priority))
          return false;
        continue; // the preemption may have made the page exclusive
      }
      if (there) {
        plan.copies.emplace_back(sequence.pages[index], page);
        pool_.release(sequence.pages[index]);
        sequence.pages[index] = page;
      } else {
        sequence.pages.push_back(page);
      }
      break;
    }
  }
  return true;
}

Plan Scheduler::next() {
  Plan plan = attempt();
  // If all running sequences had to give way to waiting ones of higher
  // priority, those get their turn now.
  return plan.tokens.empty() ? attempt() : plan;
}

Plan Scheduler::attempt() {
  Plan plan;
  int64_t budget = limits_.maxTokens;
  // Iterate by index: preemption changes sequences behind this one, but never
  // the list.
  for (size_t i = 0; i < sequences_.size() && budget > 0; ++i) {
    ScheduledSequence &sequence = *sequences_[i];
    if (!sequence.running) {
      // A new sequence waits until there is room for all its tokens and a copy
      // of a shared page, so that it preempts nobody. The exception is a call
      // that is still empty.
      int64_t needed = pagesFor(sequence.length) -
                       static_cast<int64_t>(sequence.pages.size()) + 1;
      if (running_ >= limits_.maxRunning ||
          (!plan.tokens.empty() && needed > pool_.free()))
        continue;
    }
    int64_t begin = sequence.computed;
    int64_t count = std::min(sequence.length - begin, budget);
    if (!makeWritable(sequence, begin, count, plan)) {
      releasePages(sequence);
      ++preemptions_;
      continue;
    }
    if (!sequence.running) {
      sequence.running = true;
      ++running_;
    }
    plan.tokens.push_back(
        {&sequence, begin, count, begin + count == sequence.length});
    budget -= count;
  }
  return plan;
}

} // namespace nibble
