// Transposes keys or values of a batch into panels.
#include "passes/LowerToHost/Attention/AttentionPanel.h"
#include "passes/LowerToHost/Emit/Columns.h"

using namespace mlir;

namespace nibble::host {

// A sequence of n tokens touches at most n / B + 2 blocks, rounded down. So
// token / B + 2 * sequence is beyond every block of the earlier sequences.
Value Panel::blockNumber(AttentionEmitter &a, Value sequence, Value begin,
                         Value lowest, Value block) {
  Emitter &b = a.b;
  Value size = b.index(a.shape.block);
  Value first = b.addI(b.divI(begin, size), b.mulI(sequence, b.index(2)));
  return b.addI(first, b.subI(block, b.divI(lowest, size)));
}

Value Panel::lanes(AttentionEmitter &a, Value number, Value kvHead,
                   Value element, int64_t vector) const {
  return a.b.loadLanes(memory,
                       {number, kvHead, element, a.b.index(vector * kLanes)});
}

Panel makePanel(AttentionEmitter &a, Value source, Value positions,
                Value sequences) {
  Emitter &b = a.b;
  const AttentionShape &shape = a.shape;
  Value size = b.index(shape.block);
  Value count = b.subI(b.dim(sequences, 0), b.index(1));
  Value blocks =
      b.addI(b.divI(b.dim(positions, 0), size), b.mulI(count, b.index(2)));
  Panel panel{
      b.scratch({ShapedType::kDynamic, shape.kvHeads, shape.size, shape.block},
                {blocks}, b.getF32Type())};

  b.parallel(b.mulI(b.index(shape.kvHeads), count), [&](Value item) {
    Value head = b.divI(item, count);
    Value sequence = b.remI(item, count);
    Value begin = b.toIndex(b.load(sequences, {sequence}));
    Value end = b.toIndex(b.load(sequences, {b.addI(sequence, b.index(1))}));
    b.ifThen(b.lessI(begin, end), [&] {
      Value lowest = b.toIndex(b.load(positions, {begin}));
      Value highest = b.addI(lowest, b.subI(b.subI(end, begin), b.index(1)));
      auto number = [&](Value position) {
        return Panel::blockNumber(a, sequence, begin, lowest,
                                  b.divI(position, size));
      };
      auto clear = [&](Value block) {
        b.loop(b.index(0), b.index(shape.size), 1, [&](Value element) {
          for (int64_t v = 0; v < shape.keyVectors(); ++v)
            b.storeLanes(b.lanes(0), panel.memory,
                         {block, head, element, b.index(v * kLanes)});
        });
      };
      Value first = number(lowest);
      Value last = number(highest);
      clear(first);
      b.ifThen(b.lessI(first, last), [&] { clear(last); });
      b.loop(begin, end, 1, [&](Value token) {
        Value position = b.addI(lowest, b.subI(token, begin));
        Value block = number(position);
        Value slot = b.remI(position, size);
        Value column = b.mulI(head, b.index(shape.size));
        b.loop(b.index(0), b.index(shape.size), 1, [&](Value element) {
          b.store(b.load(source, {token, b.addI(column, element)}),
                  panel.memory, {block, head, element, slot});
        });
      });
    });
  });
  return panel;
}

} // namespace nibble::host
