// ld, st, atom, red and similar instructions.
#include "runtime/drivers/simt/access.h"
#include "runtime/drivers/simt/instructions/async_store.h"
#include "runtime/drivers/simt/instructions/formats.h"
#include "runtime/drivers/simt/instructions/lanes.h"
#include "runtime/drivers/simt/ptx/builder.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace nibble::simt {

namespace {

bool mayBeGlobal(Space space) {
  return space == Space::kGlobal || space == Space::kGeneric;
}

// An atomic access or a fence passes its lanes' knowledge on to every later one
// in the cluster. That is sometimes more order than the ISA guarantees. A race
// may therefore stay hidden, but no false race is reported.
void synchronize(Warp &warp, Mask mask, Space space) {
  if (!warp.cluster->checks)
    return;
  acquireFrom(warp, mask, warp.cluster->atomics);
  releaseTo(warp, mask, warp.cluster->atomics);
  if (mayBeGlobal(space))
    warp.cluster->ordersGlobal = true;
}

// Host addresses of one access's lanes. Blocks on other host threads may access
// the same bytes. An aligned access is therefore an atomic of the host, with
// release and acquire order when it is strong. Unaligned memory belongs to the
// thread.
struct Places {
  uint8_t *host[kLanes];
  bool isAligned = false, isStrong = false;
  // Whether a store must report if it changes anything.
  bool mustCompare = false;
};

template <typename Memory, typename Lane>
void loadLanes(Warp &warp, uint32_t offset, Mask mask, const Places &places,
               uint32_t at) {
  Lane *d = warp.reg<Lane>(offset);
  auto load = [&](auto read) {
    forLanes(mask, [&](uint32_t i) {
      d[i] = static_cast<Lane>(
          read(reinterpret_cast<Memory *>(places.host[i] + at)));
    });
  };
  if (!places.isAligned)
    load([](const Memory *cell) {
      Memory value;
      std::memcpy(&value, cell, sizeof value);
      return value;
    });
  else if (places.isStrong)
    load([](const Memory *cell) {
      return __atomic_load_n(cell, __ATOMIC_ACQUIRE);
    });
  else
    load([](const Memory *cell) {
      return __atomic_load_n(cell, __ATOMIC_RELAXED);
    });
}

// Returns whether the stores changed anything, if places.mustCompare asks for
// it.
template <typename Memory, typename Lane>
bool storeLanes(Warp &warp, uint32_t offset, Mask mask, const Places &places,
                uint32_t at) {
  const Lane *a = warp.reg<Lane>(offset);
  auto store = [&](auto write) {
    forLanes(mask, [&](uint32_t i) {
      write(reinterpret_cast<Memory *>(places.host[i] + at),
            static_cast<Memory>(a[i]));
    });
  };
  bool hasChanged = false;
  if (!places.isAligned)
    store([](Memory *cell, Memory value) {
      std::memcpy(cell, &value, sizeof value);
    });
  else if (places.mustCompare)
    store([&](Memory *cell, Memory value) {
      hasChanged |= __atomic_exchange_n(cell, value, __ATOMIC_ACQ_REL) != value;
    });
  else if (places.isStrong)
    store([](Memory *cell, Memory value) {
      __atomic_store_n(cell, value, __ATOMIC_RELEASE);
    });
  else
    store([](Memory *cell, Memory value) {
      __atomic_store_n(cell, value, __ATOMIC_RELAXED);
    });
  return hasChanged;
}

template <typename Memory, bool kStore>
bool moveLanes(Warp &warp, const Inst &inst, uint32_t offset, Mask mask,
               const Places &places, uint32_t at) {
  if constexpr (kStore)
    return inst.lanesWidth == 2
               ? storeLanes<Memory, uint16_t>(warp, offset, mask, places, at)
           : inst.lanesWidth == 4
               ? storeLanes<Memory, uint32_t>(warp, offset, mask, places, at)
               : storeLanes<Memory, uint64_t>(warp, offset, mask, places, at);
  inst.lanesWidth == 2
      ? loadLanes<Memory, uint16_t>(warp, offset, mask, places, at)
  : inst.lanesWidth == 4
      ? loadLanes<Memory, uint32_t>(warp, offset, mask, places, at)
      : loadLanes<Memory, uint64_t>(warp, offset, mask, places, at);
  return false;
}

// An ordinary store counts as a change, unless a comparison showed that it
// changed nothing.
void noteStore(Cluster &cluster, bool isCompared, bool hasChanged,
               bool isGlobal) {
  if (isCompared && !hasChanged)
    return;
  cluster.hasStored = true;
  cluster.hasWritten |= isGlobal;
}

// Nobody else waits for a thread's local memory.
bool isLocal(const Warp &warp, const uint8_t *host) {
  return static_cast<size_t>(host - warp.local.data()) < warp.local.size();
}

bool isLocal(const Warp &warp, const Inst &inst, Mask mask,
             const Places &places) {
  if (inst.space != Space::kGeneric)
    return inst.space == Space::kLocal;
  for (; mask != 0; mask &= mask - 1)
    if (!isLocal(warp, places.host[__builtin_ctz(mask)]))
      return false;
  return true;
}

template <bool kStore> Outcome access(Warp &warp, const Inst &inst, Mask mask) {
  Places places;
  uint32_t bytes = uint32_t{inst.width} * inst.count;
  Touch touch = kStore ? Touch::kWrite : Touch::kRead;
  // A strong access stands between two such synchronizations, so the history
  // records it as an ordinary one.
  if (inst.mode & kStrong)
    synchronize(warp, mask, inst.space);
  uintptr_t bits = 0;
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    uint8_t *host = resolve(warp, inst, i, inst.space,
                            laneAddress(warp, inst, i), bytes, bytes, touch);
    if (host == nullptr)
      return Outcome::kFault;
    places.host[i] = host;
    bits |= reinterpret_cast<uintptr_t>(host);
  }
  places.isAligned = bits % inst.width == 0;
  places.isStrong = (inst.mode & kStrong) != 0;
  places.mustCompare = kStore && warp.cluster->isWatched;
  bool hasChanged = false;
  if (inst.space == Space::kLocal)
    ++warp.localCount;
  const uint32_t *list = &warp.cluster->launch->code->lists[inst.list];
  for (uint32_t j = 0; j < inst.count; ++j) {
    uint32_t offset = list[j];
    uint32_t at = j * inst.width;
    switch (inst.width) {
    case 1:
      hasChanged |=
          inst.isSigned
              ? moveLanes<int8_t, kStore>(warp, inst, offset, mask, places, at)
              : moveLanes<uint8_t, kStore>(warp, inst, offset, mask, places,
                                           at);
      break;
    case 2:
      hasChanged |=
          inst.isSigned
              ? moveLanes<int16_t, kStore>(warp, inst, offset, mask, places, at)
              : moveLanes<uint16_t, kStore>(warp, inst, offset, mask, places,
                                            at);
      break;
    case 4:
      hasChanged |=
          inst.isSigned
              ? moveLanes<int32_t, kStore>(warp, inst, offset, mask, places, at)
              : moveLanes<uint32_t, kStore>(warp, inst, offset, mask, places,
                                            at);
      break;
    default:
      hasChanged |=
          moveLanes<uint64_t, kStore>(warp, inst, offset, mask, places, at);
    }
  }
  if (kStore && !isLocal(warp, inst, mask, places))
    noteStore(*warp.cluster, places.mustCompare, hasChanged,
              mayBeGlobal(inst.space));
  if (inst.mode & kStrong)
    synchronize(warp, mask, inst.space);
  return Outcome::kNext;
}

Space spaceOf(const Builder &b) {
  return b.has("global")                       ? Space::kGlobal
         : b.hasAny({"shared", "shared::cta"}) ? Space::kShared
         : b.has("shared::cluster")            ? Space::kSharedCluster
         : b.has("local")                      ? Space::kLocal
         : b.hasAny({"param", "param::entry", "param::func"}) ? Space::kParam
         : b.has("const")                                     ? Space::kConst
                                                              : Space::kGeneric;
}

constexpr std::initializer_list<std::string_view> kMemoryWords = {
    "global", "shared", "shared::cta", "shared::cluster", "local", "param",
    "param::entry", "param::func", "const",
    // order and scope
    "weak", "volatile", "relaxed", "acquire", "release", "acq_rel", "cta",
    "cluster", "gpu", "sys", "mmio",
    // hints for caches only
    "nc", "ca", "cg", "cs", "lu", "cv", "wb", "wt", "L1::evict_normal",
    "L1::evict_unchanged", "L1::evict_first", "L1::evict_last",
    "L1::no_allocate", "L2::evict_normal", "L2::evict_first", "L2::evict_last",
    "L2::cache_hint", "L2::64B", "L2::128B", "L2::256B", "v2", "v4",
    // operations of atom and red
    "add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec",
    "noftz"};

void loadStore(Builder &b) {
  bool isStore = b.head == "st";
  if (isStore && b.has("async"))
    return decodeAsyncStore(b);
  b.allow(kMemoryWords);
  Type type = b.type();
  if (b.types() != 1 || type.bytes() == 0 || type.bytes() > 8 ||
      type.kind == 'p')
    return b.fail("this type is not supported here");
  const Operand &data = b.operand(isStore ? 1 : 0);
  const Operand &address = b.operand(isStore ? 0 : 1);
  b.expectCount(2, 3); // operand 3 is a cache policy
  b.inst.width = static_cast<uint8_t>(type.bytes());
  b.inst.isSigned = type.isSigned();
  b.inst.count = b.has("v4") ? 4 : b.has("v2") ? 2 : 1;
  const Operand *first = data.kind == Operand::kVector && !data.elements.empty()
                             ? &data.elements[0]
                             : &data;
  // Sinks and constants take the width of the register next to them.
  if (data.kind == Operand::kVector)
    for (const Operand &element : data.elements)
      if (element.kind == Operand::kRegister)
        first = &element;
  uint32_t width = b.widthOf(*first, std::max(type.bytes(), 2u));
  if (width < type.bytes())
    return b.fail("the register is narrower than the type");
  b.inst.lanesWidth = static_cast<uint8_t>(width);
  std::vector<uint32_t> registers = b.vectorOf(data, width, !isStore);
  if (registers.size() != b.inst.count)
    return b.fail("the vector does not fit the instruction");
  b.setList(registers);
  b.address(address, spaceOf(b));
  if (b.hasAny({"volatile", "relaxed", "acquire", "release", "mmio"}))
    b.inst.mode |= kStrong;
  b.inst.run = isStore ? access<true> : access<false>;
}

// --- atom and red ---

enum Atomic : uint32_t {
  kAdd,
  kMin,
  kMax,
  kAnd,
  kOr,
  kXor,
  kExch,
  kCas,
  kInc,
  kDec
};

template <typename T> T combineInteger(T old, T operand, uint32_t operation) {
  switch (operation) {
  case kAdd:
    return static_cast<T>(static_cast<uint64_t>(old) +
                          static_cast<uint64_t>(operand));
  case kMin:
    return std::min(old, operand);
  case kMax:
    return std::max(old, operand);
  case kAnd:
    return old & operand;
  case kOr:
    return old | operand;
  case kXor:
    return old ^ operand;
  case kInc:
    return old >= operand ? 0 : static_cast<T>(old + 1);
  case kDec:
    return old == 0 || old > operand ? operand : static_cast<T>(old - 1);
  default:
    return operand;
  }
}

uint64_t combineOne(uint64_t old, uint64_t operand, const Inst &inst,
                    Type type) {
  uint32_t operation = inst.mode & 15;
  if (type.isFloat() && operation != kExch) {
    auto add16 = [&](uint16_t x, uint16_t y) {
      return type.kind == 'h' ? Brain::store(Brain::load(x) + Brain::load(y))
                              : Half::store(Half::load(x) + Half::load(y));
    };
    auto part = [](uint64_t x, int shift) {
      return static_cast<uint16_t>(x >> shift);
    };
    if (type.bits == 32)
      return std::bit_cast<uint32_t>(
          canonical(std::bit_cast<float>(static_cast<uint32_t>(old)) +
                    std::bit_cast<float>(static_cast<uint32_t>(operand))));
    if (type.bits == 64)
      return std::bit_cast<uint64_t>(std::bit_cast<double>(old) +
                                     std::bit_cast<double>(operand));
    uint64_t low = add16(part(old, 0), part(operand, 0));
    return type.packed ? low | static_cast<uint64_t>(
                                   add16(part(old, 16), part(operand, 16)))
                                   << 16
                       : low;
  }
  if (type.bytes() == 8)
    return type.isSigned() ? static_cast<uint64_t>(combineInteger(
                                 static_cast<int64_t>(old),
                                 static_cast<int64_t>(operand), operation))
                           : combineInteger(old, operand, operation);
  return type.isSigned()
             ? static_cast<uint32_t>(
                   combineInteger(static_cast<int32_t>(old),
                                  static_cast<int32_t>(operand), operation))
             : combineInteger(static_cast<uint32_t>(old),
                              static_cast<uint32_t>(operand), operation);
}

// Other blocks may run on other host threads, so the update is an atomic of the
// host.
template <typename T>
uint64_t update(Warp &warp, uint8_t *host, uint64_t operand, uint64_t expected,
                const Inst &inst, Type type) {
  std::atomic_ref<T> cell(*reinterpret_cast<T *>(host));
  T old = cell.load();
  T next;
  do {
    next =
        (inst.mode & 15) == kCas
            ? (old == static_cast<T>(expected) ? static_cast<T>(operand) : old)
            : static_cast<T>(combineOne(old, operand, inst, type));
  } while (!cell.compare_exchange_weak(old, next));
  // A failed attempt to take a lock is no progress.
  if (next != old && !isLocal(warp, host))
    noteChange(*warp.cluster, mayBeGlobal(inst.space));
  return old;
}

Outcome atomicLanes(Warp &warp, const Inst &inst, Mask mask) {
  synchronize(warp, mask, inst.space);
  Type type{static_cast<char>(inst.target & 0xff),
            static_cast<uint8_t>(inst.target >> 8 & 0xff),
            (inst.target >> 16 & 1) != 0};
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    uint8_t *host =
        resolve(warp, inst, i, inst.space, laneAddress(warp, inst, i),
                inst.width, inst.width, Touch::kAtomic);
    if (host == nullptr)
      return Outcome::kFault;
    uint64_t operand = readLane(warp, inst.b, inst.width, i);
    uint64_t expected = 0;
    if (inst.c != kNone) { // cas: b is compared, c is stored
      expected = operand;
      operand = readLane(warp, inst.c, inst.width, i);
    }
    uint64_t old =
        inst.width == 2
            ? update<uint16_t>(warp, host, operand, expected, inst, type)
        : inst.width == 4
            ? update<uint32_t>(warp, host, operand, expected, inst, type)
            : update<uint64_t>(warp, host, operand, expected, inst, type);
    if (inst.dst == kNone)
      continue;
    if (inst.width == 2)
      warp.reg<uint16_t>(inst.dst)[i] = static_cast<uint16_t>(old);
    else if (inst.width == 4)
      warp.reg<uint32_t>(inst.dst)[i] = static_cast<uint32_t>(old);
    else
      warp.reg<uint64_t>(inst.dst)[i] = old;
  }
  synchronize(warp, mask, inst.space);
  return Outcome::kNext;
}

void atomic(Builder &b) {
  b.allow(kMemoryWords);
  if (b.hasAny({"v2", "v4"}))
    return b.fail("vectors are not supported here");
  bool isReduction = b.head == "red";
  static const std::map<std::string_view, uint32_t> operations = {
      {"add", kAdd}, {"min", kMin}, {"max", kMax},   {"and", kAnd},
      {"or", kOr},   {"xor", kXor}, {"exch", kExch}, {"cas", kCas},
      {"inc", kInc}, {"dec", kDec}};
  bool known = false;
  for (std::string_view word : b.words)
    if (auto found = operations.find(word); found != operations.end()) {
      b.inst.mode = found->second;
      known = true;
    }
  if (!known)
    return b.fail("it names no operation");
  Type type = b.type();
  uint32_t bytes = type.bytes();
  bool isCas = b.inst.mode == kCas;
  if ((type.isFloat() && b.inst.mode != kAdd && b.inst.mode != kExch) ||
      bytes < 2 || bytes > 8 ||
      (bytes == 2 && !type.isFloat() && !isCas && b.inst.mode != kExch))
    return b.fail("this type is not supported here");
  b.inst.width = static_cast<uint8_t>(bytes);
  size_t at = 0;
  if (!isReduction && b.operand(at).kind != Operand::kSink)
    b.inst.dst = b.destination(b.operand(at), bytes);
  at += !isReduction;
  const Operand &address = b.operand(at++);
  b.inst.b = b.source(b.operand(at++), bytes);
  if (isCas)
    b.inst.c = b.source(b.operand(at++), bytes);
  if (b.count() < at || b.count() > at + 1) // a cache policy may follow
    return b.fail("it has " + std::to_string(b.count()) + " operands");
  b.address(address, spaceOf(b));
  b.inst.target = static_cast<uint8_t>(type.kind) |
                  static_cast<uint32_t>(type.bits) << 8 |
                  static_cast<uint32_t>(type.packed) << 16;
  b.inst.run = atomicLanes;
}

// --- fences, prefetches ---

Outcome fenceAll(Warp &warp, const Inst &inst, Mask mask) {
  if (inst.mode == 1) { // the asynchronous proxy
    fenceProxy(warp, mask);
    return Outcome::kNext;
  }
  synchronize(warp, mask, inst.space);
  if (inst.space == Space::kGlobal)
    std::atomic_thread_fence(std::memory_order_seq_cst);
  return Outcome::kNext;
}

void fence(Builder &b) {
  b.allow({"sc",
           "acq_rel",
           "acquire",
           "release",
           "cta",
           "cluster",
           "gpu",
           "sys",
           "gl",
           "proxy",
           "async",
           "async::generic",
           "async.global",
           "async.shared::cta",
           "global",
           "shared::cta",
           "shared::cluster",
           "mbarrier_init",
           "alias",
           "tensormap::generic",
           "sync_restrict"});
  if (b.has("proxy")) {
    if (b.hasAny({"tensormap::generic", "alias"}))
      b.inst.mode = 2;
    else if (b.has("async") && !b.has("global"))
      b.inst.mode = 1;
    else
      b.inst.mode = 2;
  }
  bool isWide = b.hasAny({"gpu", "sys", "gl"});
  b.inst.space = isWide && b.inst.mode == 0 ? Space::kGlobal : Space::kShared;
  b.inst.run = fenceAll;
}

// A prefetch has no effect, but its address must be valid.
Outcome prefetchLanes(Warp &warp, const Inst &inst, Mask mask) {
  if (!warp.cluster->checks)
    return Outcome::kNext;
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    uint64_t address = laneAddress(warp, inst, i);
    uint64_t window = address >> kWindowBits;
    if (window == 0 &&
        warp.cluster->launch->memory->find(address, 1) == nullptr)
      return fault(warp, inst, i,
                   "prefetches global memory at " + hex(address) + ": " +
                       warp.cluster->launch->memory->nearest(address, 1));
  }
  return Outcome::kNext;
}

void prefetch(Builder &b) {
  b.allow({"global", "local", "L1", "L2", "tensormap", "param", "const",
           "L2::evict_last", "L2::evict_normal", "L2::128B", "128"});
  for (size_t i = 0; i < b.count(); ++i)
    if (b.operand(i).kind == Operand::kAddress)
      b.address(b.operand(i), Space::kGeneric);
  b.inst.run =
      b.inst.a == kNone ? nullptr : static_cast<Handler>(prefetchLanes);
}

// createpolicy: a value that nothing reads.
void policy(Builder &b) {
  b.inst.dst = b.destination(b.operand(0), 8);
  b.inst.run = [](Warp &warp, const Inst &inst, Mask mask) {
    forLanes(mask, [&](uint32_t i) { warp.reg<uint64_t>(inst.dst)[i] = 0; });
    return Outcome::kNext;
  };
}

void noOperation(Builder &b) { b.inst.run = noEffect; }

} // namespace

Decoder findMemoryDecoder(std::string_view head) {
  static const std::map<std::string_view, Decoder> decoders = {
      {"ld", loadStore},
      {"ldu", loadStore},
      {"st", loadStore},
      {"atom", atomic},
      {"red", atomic},
      {"fence", fence},
      {"membar", fence},
      {"prefetch", prefetch},
      {"prefetchu", prefetch},
      {"discard", prefetch},
      {"applypriority", prefetch},
      {"createpolicy", policy},
      {"griddepcontrol", noOperation},
  };
  auto found = decoders.find(head);
  return found == decoders.end() ? nullptr : found->second;
}

} // namespace nibble::simt
