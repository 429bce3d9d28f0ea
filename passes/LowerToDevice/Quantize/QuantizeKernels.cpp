// Quantize, dequantize, fake-quant, repack and conversions between element
// types: chooses the launches of each.
//
// A weight holds no NaN and no infinity, because the runtime rejects those
// before (N7).
#include "passes/LowerToDevice/Quantize/QuantizeKernels.h"
#include "passes/LowerToDevice/DeviceKernels.h"

#include "lib/Numerics/fragment.h"
#include "passes/LowerToDevice/Quantize/PieceMatrix.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nibble::device {

namespace {

LogicalResult checkLayout(Kernel &k, qat::PackedType type) {
  if (type.getScheme().row().codeBits != 4 ||
      type.getLayout() != qat::Layout::Host)
    return success();
  return k.op.emitError() << "has a weight " << type << "; on an H200 "
                          << type.getScheme().row().name
                          << " lies in layout hopper or interchange";
}

void quantizeSlabs(Kernel &k, qat::PackedType type,
                   ArrayRef<QuantizedWeight> weights, ValueRange scales) {
  bool rowScales = type.getScheme().getGroupSize() == 0;
  Type element = elementOf(weights.front().weight);
  SmallVector<BatchRow> rows;
  for (auto [weight, scale] : llvm::zip(weights, scales)) {
    BatchRow &row =
        rows.emplace_back(BatchRow{{weight.bytes}, slabsOf(k, type)});
    if (rowScales)
      row.values.push_back(scale);
    row.values.push_back(weight.weight);
  }
  LaunchSpec spec;
  spec.key = "quantize_slabs_" + textOf(element);
  launchQuantizeSlabs(
      k, spec, type, rows,
      [&](Emitter &b, ValueRange, ValueRange tableRow, Value row,
          Value column) {
        PieceMatrix matrix{element, type.getN(), type.getK(), tableRow.back()};
        return matrix.load(b, row, column,
                           type.getN() % numerics::kSlabRows == 0);
      });
}

LogicalResult emitFakeQuant(Kernel &k, qat::FakeQuantOp::Adaptor op) {
  Value weight = op.getWeight();
  launchFakeQuant(k, weight, op.getScheme(),
                  launchSharedScales(k, weight, op.getScheme()).front(),
                  k.result(0));
  return success();
}

LogicalResult dequantize(Kernel &k, Value bytes, qat::PackedType type,
                         Value weight) {
  if (failed(checkLayout(k, type)))
    return failure();
  if (type.inSlabs())
    launchDequantizeSlabs(k, bytes, type, weight);
  else
    launchDequantizeRows(k, bytes, type, weight);
  return success();
}

LogicalResult emitDequantize(Kernel &k, qat::DequantizeOp::Adaptor op) {
  return dequantize(k, op.getPacked(), k.packedType(op.getPacked()),
                    k.result(0));
}

// Permutes codes and copies scales. Only codes of four bits depend on the
// layout.
LogicalResult emitRepack(Kernel &k, qat::RepackOp::Adaptor op) {
  Value input = op.getInput();
  Value output = k.result(0);
  qat::PackedType from = k.packedType(input);
  qat::PackedType to = k.packedType(output);
  if (failed(checkLayout(k, from)) || failed(checkLayout(k, to)))
    return failure();
  if (from.getLayout() == to.getLayout() ||
      from.getScheme().row().codeBits != 4)
    memref::CopyOp::create(k.host, k.loc(), input, output);
  else
    launchRepack(k, input, from, output, to);
  return success();
}

} // namespace

FailureOr<Value> emitDequantized(Kernel &k, Value bytes,
                                 qat::PackedType packed) {
  Value weight =
      k.scratch({packed.getN(), packed.getK()}, {}, k.host.getBF16Type());
  if (failed(dequantize(k, bytes, packed, weight)))
    return failure();
  return weight;
}

LogicalResult emitQuantizes(Kernel &k, qat::PackedType type,
                            ArrayRef<QuantizedWeight> weights) {
  if (failed(checkLayout(k, type)))
    return failure();
  SmallVector<Value> sources;
  for (const QuantizedWeight &weight : weights)
    sources.push_back(weight.weight);
  SmallVector<Value> scales = launchSharedScales(k, sources, type.getScheme());
  if (type.inSlabs())
    quantizeSlabs(k, type, weights, scales);
  else
    launchQuantizeRows(k, weights, type, scales);
  return success();
}

void addQuantizeKernels(KernelTable &table) {
  table.add<qat::FakeQuantOp>(emitFakeQuant);
  table.add<qat::DequantizeOp>(emitDequantize);
  table.add<qat::RepackOp>(emitRepack);
}

} // namespace nibble::device
