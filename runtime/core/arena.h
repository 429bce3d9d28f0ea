// The memory of a program's calls. Generated code takes and returns blocks;
// blocks of a size class are kept and given out again, so that once every shape
// has been seen a call allocates nothing.
#pragma once

#include "runtime/core/status.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace nibble {

class Arena {
public:
  Arena();
  ~Arena();
  Arena(const Arena &) = delete;
  Arena &operator=(const Arena &) = delete;

  // 64-byte aligned at least. Null only when the machine has no memory left.
  void *allocate(int64_t alignment, int64_t bytes);
  // Gives a block back to the arena it came from, whichever that is. Null is
  // allowed.
  void release(void *pointer);

  // Every block given out is taken back; memory is kept.
  void reset();

  // Bytes taken from the system so far, and how often: steady state means the
  // count stands still.
  int64_t reservedBytes() const;
  int64_t systemAllocations() const;
  int64_t liveBytes() const;
  int64_t peakBytes() const;

  // The arena of the innermost Scope on this thread; without one, an arena that
  // the whole process shares.
  static Arena &current();

  // Makes this the arena of generated code on the calling thread while the
  // object lives.
  class Scope {
  public:
    explicit Scope(Arena &arena);
    ~Scope();
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    Arena *previous_;
  };

private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

} // namespace nibble
