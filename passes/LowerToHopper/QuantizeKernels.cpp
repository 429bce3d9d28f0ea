// Quantize, dequantize, and conversions between element types.
#include "passes/LowerToHopper/QuantizeKernels.h"

#include "lib/Numerics/fragment.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nibble::hopper {

namespace {

constexpr int64_t kThreads = 256;

// A thread has the 32 bytes of codes of one thread of the matrix kernel: eight fragments, four pairs in each.
void dequantizeSlabs(Emitter &b, qat::PackedType packed, ValueRange arguments) {
  Value bytes = arguments[0], weight = arguments[1];
  Type bf16 = b.getBF16Type();
  int64_t n = packed.getN(), k = packed.getK(), perRow = packed.getScalesPerSlabRow();
  int64_t columns = (k + numerics::kSlabColumns - 1) / numerics::kSlabColumns;
  Value thread = b.thread();
  Value column = b.remI(b.block(), columns), slabRow = b.divI(b.block(), columns);
  Value slab = b.wide(b.block());
  Value codes = b.atByte(bytes, b.addI(b.mulI(slab, numerics::kSlabBytes), b.wide(b.mulI(thread, 16))));
  Value row = b.addI(b.mulI(b.divI(thread, 32), 16), b.divI(b.remI(thread, 32), 4));
  Value scales = b.atByte(bytes, b.addI(b.addI(b.mulI(slab, numerics::kSlabRows * perRow * 2), b.i64(packed.getCodeBytes())), b.wide(b.mulI(row, 2 * perRow))));
  Value firstRow = b.addI(b.mulI(slabRow, numerics::kSlabRows), row);
  Value firstColumn = b.addI(b.mulI(column, numerics::kSlabColumns), b.mulI(b.remI(thread, 4), 2));
  int64_t stepsPerScale = 8 / perRow;
  auto scale = [&](int64_t i) {
    Value bits = arith::ExtUIOp::create(b, b.getI32Type(), b.load(b.atByte(scales, 2 * i), b.getI16Type()));
    return b.orI(bits, b.shlI(bits, 16));
  };
  for (int64_t half = 0; half < 2; ++half) {
    Value words = b.load(b.atByte(codes, half * 2048), b.vectorOf(b.getI32Type(), 4));
    for (int64_t s = 0; s < 4; ++s) {
      int64_t step = 4 * half + s, group = step / stepsPerScale;
      Value values = DequantizeOp::create(b, b.vectorOf(b.getI32Type(), 4), b.extract(words, s), scale(group), scale(group + 8 * perRow));
      for (int64_t reg = 0; reg < 4; ++reg) {
        Value r = b.addI(firstRow, 8 * (reg % 2)), c = b.addI(firstColumn, 16 * step + 8 * (reg / 2));
        b.ifThen(b.both(b.less(r, b.i32(n)), b.less(c, b.i32(k))), [&] {
          b.store(b.extract(values, reg), b.at(weight, bf16, b.place(r, k, c)));
        });
      }
    }
  }
}

} // namespace

FailureOr<Value> emitDequantized(Kernel &k, Value bytes, qat::PackedType packed) {
  if (!packed.inSlabs())
    return k.op.emitError() << "unwritten: dequantize of " << packed;
  Value weight = k.scratch({packed.getN(), packed.getK()}, {}, k.host.getBF16Type());
  int64_t slabs = packed.getCodeBytes() / numerics::kSlabBytes;
  LaunchSpec spec;
  spec.key = "dequantize_" + std::to_string(packed.getN()) + "x" + std::to_string(packed.getK()) + "_s" + std::to_string(packed.getScalesPerSlabRow());
  spec.threads = numerics::kFragmentThreads;
  spec.grid = {k.index(slabs)};
  spec.arguments = {bytes, weight};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) { dequantizeSlabs(b, packed, arguments); });
  return weight;
}

Value roundedToBf16(Kernel &k, Value matrix) {
  if (elementOf(matrix).isBF16())
    return matrix;
  auto type = cast<MemRefType>(matrix.getType());
  SmallVector<Value> dynamic;
  Value count = k.index(1);
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    Value extent = k.extent(matrix, dim);
    count = k.mul(count, extent);
    if (type.isDynamicDim(dim))
      dynamic.push_back(extent);
  }
  Value out = k.scratch(type.getShape(), dynamic, k.host.getBF16Type());
  LaunchSpec spec;
  spec.key = "round_to_bf16";
  spec.threads = kThreads;
  spec.grid = {k.ceilDiv(count, kThreads)};
  spec.arguments = {matrix, out, count};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value i = b.addI(b.mulI(b.block(), kThreads), b.thread());
    b.ifThen(b.less(i, arguments[2]), [&] {
      Value x = b.load(b.at(arguments[0], b.getF32Type(), i), b.getF32Type());
      b.store(b.round(x, b.getBF16Type()), b.at(arguments[1], b.getBF16Type(), i));
    });
  });
  return out;
}

void addQuantizeKernels(KernelTable &) {}

} // namespace nibble::hopper
