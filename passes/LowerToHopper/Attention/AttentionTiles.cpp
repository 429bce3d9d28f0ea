// Builds the list of tiles of a ragged batch, and finds the tile of a block.
#include "passes/LowerToHopper/Attention/AttentionTiles.h"

using namespace mlir;

namespace nibble::hopper {

static constexpr int64_t kBlockWarps = 4; // of a block, with a tile each

static void store(Emitter &b, Value records, Value item,
                  ArrayRef<Value> record) {
  for (int64_t first : {0, 4})
    b.store(
        b.fromElements(record.slice(first, 4)),
        b.at(records, b.getI32Type(), b.addI(b.mulI(b.wide(item), 8), first)));
}

TileList launchTileList(Kernel &k, const AttentionShape &shape,
                        int64_t warpgroups, Value positions, Value sequences,
                        Value blocks, Value sequenceCount) {
  Type i32 = k.host.getI32Type();
  TileList list;
  list.items = k.mul(blocks, k.index(shape.kvHeads));
  Value records =
      k.host.createOrFold<arith::AddIOp>(k.loc(), list.items, k.index(1));
  list.records = k.scratch({ShapedType::kDynamic, 8}, {records}, i32);
  list.taken = k.scratch({1}, {}, i32);
  LaunchSpec launch;
  launch.key =
      "attention_tiles_" + std::to_string(warpgroups) + "_" + shape.key();
  launch.threads = 32 * kBlockWarps;
  launch.grid = {k.ceilDiv(blocks, kBlockWarps)};
  launch.arguments = {list.records, list.taken, positions,
                      sequences,    blocks,     sequenceCount};
  launch.partly = {positions, sequences}; // only where tiles begin
  k.launch(launch, [&](Emitter &b, ValueRange arguments) {
    Value number = b.addI(b.mulI(b.block(), kBlockWarps), b.warp());
    Value blocks = arguments[4];
    b.ifThen(b.both(b.equal(number, 0), b.equal(b.lane(), 0)), [&] {
      b.store(b.i32(0), arguments[1]);
      // An existing token, so that loads for it are harmless.
      Value zero = b.i32(0);
      store(b, arguments[0], b.mulI(blocks, shape.kvHeads),
            {zero, zero, zero, b.i32(1), zero, zero, zero, zero});
    });
    b.ifThen(b.less(number, blocks), [&] {
      QueryBlock at(b, shape, warpgroups, arguments[2], /*fromBatch=*/true);
      BatchTile tile = findTile(b, arguments[3], arguments[5],
                                b.subI(b.subI(blocks, 1), number), at.tokens());
      b.loop(b.lane(), b.i32(shape.kvHeads), 32, [&](Value head) {
        Value item = b.addI(b.mulI(head, blocks), number);
        b.ifThenElse(
            tile.found,
            [&] {
              at.locate(tile, head);
              store(b, arguments[0], item, at.recordOf());
            },
            [&] {
              store(b, arguments[0], item, SmallVector<Value>(8, b.i32(0)));
            });
      });
    });
  });
  return list;
}

} // namespace nibble::hopper
