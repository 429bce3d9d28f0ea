// Decodes st.async and executes it.
#include "runtime/drivers/simt/instructions/async_store.h"

#include "runtime/drivers/simt/instructions/async_copy.h"

#include <array>
#include <cstring>

namespace nibble::simt {

namespace {

// Stores each lane's registers to shared memory of a block in the cluster. The
// mbarrier there counts the bytes.
Outcome storeLanes(Warp &warp, const Inst &inst, Mask mask) {
  uint32_t bytes = uint32_t{inst.width} * inst.count;
  if (warp.cluster->launch->clusterSize < 2)
    return fault(warp, inst, static_cast<uint32_t>(__builtin_ctz(mask)),
                 "stores asynchronously in a kernel without a cluster, which a "
                 "device calls an illegal instruction");
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    std::array<uint8_t, 16> value{};
    for (uint32_t j = 0; j < inst.count; ++j) {
      uint32_t source = warp.cluster->launch->code->lists[inst.list + 1 + j];
      if (inst.width == 4)
        std::memcpy(value.data() + 4 * j, &warp.reg<uint32_t>(source)[i], 4);
      else
        std::memcpy(value.data() + 8 * j, &warp.reg<uint64_t>(source)[i], 8);
    }
    uint32_t address = static_cast<uint32_t>(laneAddress(warp, inst, i));
    auto op = newBulkOp(warp, inst, i, /*grouped=*/false);
    SharedPiece piece{nullptr, 0, bytes};
    std::vector<MBarrier *> barriers;
    if (resolveShared(warp, inst, i, address, bytes, bytes, "stores to",
                      piece.block, piece.offset) == nullptr ||
        !targetBarriers(warp, inst, i, inst.dst2, {piece.block}, barriers))
      return Outcome::kFault;
    if (!touchPieces(warp, inst, i, {piece}, Touch::kWrite, op->time))
      return Outcome::kFault;
    op->perform = [&warp, value, piece, barrier = barriers[0],
                   time = op->time] {
      std::memcpy(piece.block->shared + piece.offset, value.data(),
                  piece.bytes);
      completeTransactions(warp, *barrier, piece.bytes, time);
      return Outcome::kNext;
    };
    if (issue(warp, std::move(op)) == Outcome::kFault)
      return Outcome::kFault;
  }
  return Outcome::kNext;
}

} // namespace

void decodeAsyncStore(Builder &b) {
  b.allow({"async", "weak", "shared::cluster", "mbarrier::complete_tx::bytes",
           "v2", "v4"});
  Type type = b.type();
  uint32_t count = b.has("v4") ? 4 : b.has("v2") ? 2 : 1;
  if (b.types() != 1 || (type.bytes() != 4 && type.bytes() != 8) ||
      type.bytes() * count > 16 || !b.has("shared::cluster") ||
      !b.has("mbarrier::complete_tx::bytes"))
    return b.fail("this form of st.async is not supported");
  b.expectCount(3, 3);
  b.inst.width = static_cast<uint8_t>(type.bytes());
  b.inst.count = static_cast<uint8_t>(count);
  b.address(b.operand(0), Space::kGeneric);
  std::vector<uint32_t> values =
      b.vectorOf(b.operand(1), type.bytes(), /*isDestination=*/false);
  if (values.size() != count)
    return b.fail("the vector does not fit the instruction");
  int64_t offset = 0;
  const Operand &barrier = b.operand(2);
  b.inst.dst2 = b.addressRegister(barrier, offset);
  b.inst.lanesWidth = static_cast<uint8_t>(
      b.widthOf(barrier.elements.empty() ? barrier : barrier.elements[0], 8));
  values.insert(values.begin(), static_cast<uint32_t>(offset));
  b.setList(values);
  b.inst.run = storeLanes;
}

} // namespace nibble::simt
