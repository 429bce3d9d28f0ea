// Attention over a batch and over pages: the launches of each op.
#include "passes/LowerToHopper/Attention/AttentionForward.h"
#include "passes/LowerToHopper/HopperKernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nibble::hopper {

namespace {

Value sub(Kernel &k, Value a, int64_t b) {
  return k.host.createOrFold<arith::SubIOp>(k.loc(), a, k.index(b));
}

// Divides the op's tokens into tiles. The bits do not depend on it.
void fillCommon(Kernel &k, const AttentionForwardSpec &spec,
                AttentionForwardArguments &arguments, Value q, Value positions,
                Value sequences) {
  arguments.q = q;
  arguments.y = k.result(0);
  arguments.positions = positions;
  arguments.sequences = sequences;
  arguments.sequenceCount = sub(k, k.extent(sequences, 0), 1);
  arguments.blocks = tilesOfBatch(k, k.extent(arguments.q, 0), sequences,
                                  spec.tokensPerBlock());
}

LogicalResult emitAttention(Kernel &k, nn::AttentionOp::Adaptor op) {
  Value q = op.getQ();
  Value keys = op.getK();
  Value values = op.getV();
  int64_t size = columnsOf(q) / static_cast<int64_t>(op.getHeads());
  FailureOr<AttentionShape> shape =
      AttentionShape::of(k, q, kernels::AttentionHeads::of(op, size));
  if (failed(shape))
    return failure();
  AttentionForwardSpec spec;
  spec.shape = *shape;
  AttentionForwardArguments arguments;
  Value tokens = k.extent(keys, 0);
  arguments.keys = mapOfRows(k, keys, tokens, columnsOf(keys), kTileRows);
  arguments.values = mapOfRows(k, values, tokens, columnsOf(values), kTileRows);
  arguments.lse = k.result(1);
  fillCommon(k, spec, arguments, q, op.getPositions(), op.getSequences());
  launchAttentionForward(k, spec, arguments);
  return success();
}

LogicalResult emitPagedAttention(Kernel &k, nn::PagedAttentionOp::Adaptor op) {
  Value q = op.getQ();
  Value keys = op.getKeyCache();
  Value values = op.getValueCache();
  Value pages = op.getPages();
  ArrayRef<int64_t> cache = cast<MemRefType>(keys.getType())
                                .getShape(); // [pages, kv heads, size, slots]
  FailureOr<AttentionShape> shape =
      AttentionShape::of(k, q, kernels::AttentionHeads::of(op, cache[2]));
  if (failed(shape))
    return failure();
  AttentionForwardSpec spec;
  spec.shape = *shape;
  spec.paged = true;
  spec.pageSize = cache[3];
  AttentionForwardArguments arguments;
  Value count = k.extent(keys, 0);
  arguments.keys = mapOfRows(
      k, keys, k.mul(count, k.index(cache[1] * cache[2])), cache[3], cache[2]);
  arguments.values =
      mapOfRows(k, values, k.mul(count, k.index(cache[1] * cache[3])), cache[2],
                kTileRows);
  arguments.pages = pages;
  arguments.pageColumns = k.extent(pages, 1);
  fillCommon(k, spec, arguments, q, op.getPositions(), op.getSequences());
  launchAttentionForward(k, spec, arguments);
  return success();
}

} // namespace

void addAttentionKernels(KernelTable &table) {
  table.add<nn::AttentionOp>(emitAttention);
  table.add<nn::PagedAttentionOp>(emitPagedAttention);
}

} // namespace nibble::hopper
