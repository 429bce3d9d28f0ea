// Launches one kernel for many buffers, and finds the row of a block.
#include "passes/LowerToDevice/Emit/BatchedLaunch.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace nibble::device {

namespace {

// Limit of the grid's second dimension.
constexpr size_t kMostRows = 65535;

bool haveTheSameBlocks(ArrayRef<BatchRow> rows) {
  std::optional<int64_t> first = getConstantIntValue(rows.front().blocks);
  return rows.size() == 1 ||
         (first && llvm::all_of(rows, [&](const BatchRow &row) {
            return getConstantIntValue(row.blocks) == first;
          }));
}

// The values of row number `row`, after the first `skipped` columns of the
// table.
SmallVector<Value> loadRow(Emitter &b, Value table, Value row,
                           const BatchRow &like, int64_t skipped) {
  SmallVector<Value> values;
  int64_t columns = static_cast<int64_t>(like.values.size()) + skipped;
  for (auto [i, value] : llvm::enumerate(like.values)) {
    Value place =
        b.at(table, b.getI64Type(),
             b.addI(b.mulI(row, columns), skipped + static_cast<int64_t>(i)));
    if (isa<MemRefType>(value.getType()))
      values.push_back(
          b.load(place, LLVM::LLVMPointerType::get(b.getContext(), 1), 8));
    else
      values.push_back(b.narrow(b.load(place, b.getI64Type())));
  }
  return values;
}

// The first row whose end, in the row's first column, is greater than the
// block's number. The number of steps is the same for every block.
Value findRow(Emitter &b, Value table, int64_t rows, int64_t columns,
              Value block) {
  Value row = b.i32(0);
  for (int64_t step = static_cast<int64_t>(llvm::PowerOf2Ceil(rows)); step > 0;
       step /= 2) {
    // Rows [0, row + step) end before the block, so skip them.
    Value next = b.addI(row, step);
    Value last = b.minI(b.subI(next, 1), b.i32(rows - 1));
    Value end = b.narrow(b.load(
        b.at(table, b.getI64Type(), b.mulI(last, columns)), b.getI64Type()));
    row = b.select(
        b.both(b.lessEqual(next, b.i32(rows)), b.lessEqual(end, block)), next,
        row);
  }
  return row;
}

void launchRows(Kernel &k, LaunchSpec spec, ArrayRef<BatchRow> rows, bool same,
                BatchBody body) {
  int64_t count = static_cast<int64_t>(rows.size());
  int64_t skipped = same ? 0 : 1;
  Value end = k.index(0);
  for (const BatchRow &row : rows) {
    if (row.touches)
      spec.touches = spec.touches ? k.host.createOrFold<arith::AddIOp>(
                                        k.loc(), spec.touches, row.touches)
                                  : row.touches;
    end = k.host.createOrFold<arith::AddIOp>(k.loc(), end, row.blocks);
    if (!same)
      spec.table.push_back(end);
    llvm::append_range(spec.table, row.values);
  }
  spec.key += "_x" + std::to_string(count) + (same ? "" : "_found");
  spec.grid = same ? SmallVector<Value>{rows.front().blocks, k.index(count)}
                   : SmallVector<Value>{end};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value table = arguments.back();
    Value block = b.block();
    Value row = b.i32(0);
    int64_t columns =
        static_cast<int64_t>(rows.front().values.size()) + skipped;
    if (same && count > 1) {
      row = b.block(1);
    } else if (!same) {
      row = findRow(b, table, count, columns, block);
      Value before = b.ifValue(
          b.equal(row, 0), [&] { return b.i32(0); },
          [&] {
            Value place =
                b.at(table, b.getI64Type(), b.mulI(b.subI(row, 1), columns));
            return b.narrow(b.load(place, b.getI64Type()));
          });
      block = b.subI(block, before);
    }
    body(b, arguments.drop_back(),
         loadRow(b, table, row, rows.front(), skipped), block);
  });
}

} // namespace

void launchBatched(Kernel &k, LaunchSpec spec, ArrayRef<BatchRow> rows,
                   BatchBody body) {
  bool same = haveTheSameBlocks(rows);
  size_t columns = rows.front().values.size() + (same ? 0 : 1);
  size_t most = (k.writer.target().architecture->parameterBytes / 8 -
                 spec.arguments.size()) /
                columns;
  for (most = std::min(most, kMostRows); !rows.empty();
       rows = rows.drop_front(std::min(most, rows.size())))
    launchRows(k, spec, rows.take_front(most), same, body);
}

} // namespace nibble::device
