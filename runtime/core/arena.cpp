// Each block is its own piece of system memory behind a 64-byte header. A
// released block waits in the list of its size class. It serves a later request
// of its size, or of down to half of it. Eight classes per power of two keep
// the waste of rounding up below 1/8.
#include "runtime/core/arena.h"

#include "include/nibble/ABI.h"
#include "runtime/core/guarded_call.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstdlib>
#include <mutex>

namespace nibble {

namespace {

constexpr int64_t kHeaderBytes = 64;
constexpr int64_t kHugePage = int64_t{1} << 21;
// Larger than any machine, so the size was computed wrongly.
constexpr int64_t kLargestBlock = int64_t{1} << 46;
constexpr int kStepsPerPower = 8;
constexpr int kClasses = 64 * kStepsPerPower;

// The smallest class whose size holds `bytes` (> 0). The class of power p and
// step s has (8 + s) << p bytes.
int classOf(int64_t bytes) {
  if (bytes <= kStepsPerPower)
    return 0;
  // 8 << power <= bytes - 1 < 16 << power.
  int power = std::bit_width(static_cast<uint64_t>(bytes - 1)) - 4;
  power = power < 0 ? 0 : power;
  int64_t steps = ((bytes - 1) >> power) + 1; // in 9..16
  return static_cast<int>(power * kStepsPerPower + (steps - kStepsPerPower));
}

int64_t sizeOfClass(int index) {
  return static_cast<int64_t>(kStepsPerPower + index % kStepsPerPower)
         << (index / kStepsPerPower);
}

} // namespace

struct Arena::Implementation {
  struct alignas(64) Header {
    Implementation *owner;
    Header *previous; // in the list of live blocks
    Header *next;     // in the list of live blocks, or in the class's free list
    void *base;       // the pointer that the system returned
    int64_t bytes;    // size of the class
    int64_t total;    // bytes taken from the system
    int32_t sizeClass;
    int32_t live;
  };
  static_assert(sizeof(Header) == kHeaderBytes);

  // Generated code may allocate in the threads of a parallel loop.
  std::mutex mutex;
  std::array<Header *, kClasses> freeBlocks{};
  Header *liveBlocks = nullptr;
  int64_t reserved = 0, allocations = 0, live = 0, peak = 0;

  static Header *headerOf(void *pointer) {
    return reinterpret_cast<Header *>(static_cast<std::byte *>(pointer) -
                                      kHeaderBytes);
  }

  void *take(int64_t alignment, int64_t bytes);
  void giveBack(Header *header);
  ~Implementation();
};

void *Arena::Implementation::take(int64_t alignment, int64_t bytes) {
  if (bytes < 0 || bytes > kLargestBlock || alignment > kHugePage)
    return nullptr;
  // A block of an unusual alignment takes room to shift its start. Such blocks
  // are not shared with the usual ones of their class. A block remembers where
  // the system's piece begins, but not how far its start may shift.
  bool usual = alignment <= kHeaderBytes;
  int index = classOf(std::max<int64_t>(bytes, 1));
  int64_t size = sizeOfClass(index);
  std::lock_guard lock(mutex);
  // A free block of up to twice the size is good enough. Batches differ in
  // tokens, and keeping separate blocks for every batch size would pile up
  // memory.
  Header *header = nullptr;
  for (int from = index;
       usual && !header && from <= index + kStepsPerPower && from < kClasses;
       ++from)
    if ((header = freeBlocks[from]))
      freeBlocks[from] = header->next;
  if (!header) {
    int64_t total = kHeaderBytes + size + (usual ? 0 : alignment);
    int64_t boundary = total >= 2 * kHugePage ? kHugePage : kHeaderBytes;
    total = (total + boundary - 1) / boundary * boundary;
    void *base = std::aligned_alloc(boundary, total);
    if (!base)
      return nullptr;
    // Only a hint: a refusal does no harm.
    if (boundary == kHugePage)
      madvise(base, total, MADV_HUGEPAGE);
    auto address = reinterpret_cast<uintptr_t>(base) + kHeaderBytes;
    if (!usual)
      address = (address + alignment - 1) / alignment * alignment;
    header = headerOf(reinterpret_cast<void *>(address));
    *header = Header{
        this, nullptr, nullptr, base, size, total, usual ? index : -1, 0};
    reserved += total;
    ++allocations;
  }
  header->live = 1;
  header->previous = nullptr;
  header->next = liveBlocks;
  if (liveBlocks)
    liveBlocks->previous = header;
  liveBlocks = header;
  live += header->bytes;
  peak = std::max(peak, live);
  return reinterpret_cast<std::byte *>(header) + kHeaderBytes;
}

// The caller holds the mutex.
void Arena::Implementation::giveBack(Header *header) {
  assert(header->live && "block released twice");
  (header->previous ? header->previous->next : liveBlocks) = header->next;
  if (header->next)
    header->next->previous = header->previous;
  header->live = 0;
  live -= header->bytes;
  if (header->sizeClass < 0) {
    reserved -= header->total;
    std::free(header->base);
    return;
  }
  header->next = freeBlocks[header->sizeClass];
  freeBlocks[header->sizeClass] = header;
}

Arena::Implementation::~Implementation() {
  while (liveBlocks)
    giveBack(liveBlocks);
  for (Header *header : freeBlocks)
    while (header) {
      Header *next = header->next;
      std::free(header->base);
      header = next;
    }
}

Arena::Arena() : implementation_(std::make_unique<Implementation>()) {}
Arena::~Arena() = default;

void *Arena::allocate(int64_t alignment, int64_t bytes) {
  return implementation_->take(alignment, bytes);
}

void Arena::release(void *pointer) {
  if (!pointer)
    return;
  // The block's header names its arena, because generated code may release on
  // another thread than it allocated on.
  auto *header = Implementation::headerOf(pointer);
  std::lock_guard lock(header->owner->mutex);
  header->owner->giveBack(header);
}

void Arena::reset() {
  std::lock_guard lock(implementation_->mutex);
  while (implementation_->liveBlocks)
    implementation_->giveBack(implementation_->liveBlocks);
}

int64_t Arena::reservedBytes() const {
  std::lock_guard lock(implementation_->mutex);
  return implementation_->reserved;
}
int64_t Arena::systemAllocations() const {
  std::lock_guard lock(implementation_->mutex);
  return implementation_->allocations;
}
int64_t Arena::liveBytes() const {
  std::lock_guard lock(implementation_->mutex);
  return implementation_->live;
}
int64_t Arena::peakBytes() const {
  std::lock_guard lock(implementation_->mutex);
  return implementation_->peak;
}

namespace {

thread_local Arena *currentArena = nullptr;

// The arena of threads that generated code started itself. Their blocks are
// released before the call returns.
Arena &sharedArena() {
  static Arena arena;
  return arena;
}

} // namespace

Arena::Scope::Scope(Arena &arena) : previous_(currentArena) {
  currentArena = &arena;
}
Arena::Scope::~Scope() { currentArena = previous_; }

Arena &Arena::current() { return currentArena ? *currentArena : sharedArena(); }

} // namespace nibble

extern "C" void *nibble_arena_allocate(int64_t alignment, int64_t bytes) {
  void *pointer = nibble::Arena::current().allocate(alignment, bytes);
  if (!pointer)
    nibble::leaveGuardedCall({bytes, nullptr});
  return pointer;
}

extern "C" void nibble_arena_release(void *pointer) {
  nibble::Arena::current().release(pointer);
}
