// The memory of a program's calls. Generated code allocates and releases
// blocks. Released blocks of a size class are kept and reused, so a call
// allocates nothing once every shape has been seen.
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

  // Aligned to 64 bytes at least. Null only when the machine has no memory
  // left.
  void *allocate(int64_t alignment, int64_t bytes);
  // Gives a block back to the arena it came from, which may be another arena.
  // Null is allowed.
  void release(void *pointer);

  // Releases every block that is still in use and keeps the memory for reuse.
  void reset();

  // Bytes taken from the system so far, and the number of times. In a steady
  // state the number stands still.
  int64_t reservedBytes() const;
  int64_t systemAllocations() const;
  int64_t liveBytes() const;
  int64_t peakBytes() const;

  // The arena of the innermost Scope on this thread. Without a Scope it is an
  // arena that the whole process shares.
  static Arena &current();

  // Generated code on the calling thread uses this arena while the object
  // lives.
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
