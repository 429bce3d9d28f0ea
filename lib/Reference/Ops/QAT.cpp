// qat: the grid. Scale, code and value are those of lib/Numerics (N1 to N7),
// their only definition.
#include "lib/Reference/Interpreter.h"
#include "lib/Reference/Packed.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/quantize.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

// N1: the weight as bf16, whatever its type.
std::vector<uint16_t> bf16Of(const ReferenceValue &weight) {
  std::vector<uint16_t> bits;
  for (double element : weight.reals)
    bits.push_back(numerics::bf16FromFloat(static_cast<float>(element)));
  return bits;
}

// N7
LogicalResult notFinite(Call &call, int64_t index, int64_t k) {
  return call.error() << "N7: element [" << index / k << ", " << index % k
                      << "] of a weight is not finite";
}

LogicalResult fakeQuant(qat::FakeQuantOp op, Call &call) {
  if (call.options().fakeQuant == ReferenceOptions::FakeQuant::kIdentity) {
    call.set(op.getResult(), call.handle(op.getWeight()));
    return success();
  }
  const ReferenceValue &weight = call[op.getWeight()];
  int64_t n = weight.extent(0);
  int64_t k = weight.extent(1);
  ReferenceValue *result = call.make(op.getResult(), {n, k});
  if (!result)
    return failure();
  std::vector<uint16_t> bits = bf16Of(weight);
  if (auto bad = numerics::fakeQuantizeMatrix(
          bits.data(), n, k, op.getScheme().numericsScheme(), bits.data()))
    return notFinite(call, *bad, k);
  for (auto [to, from] : llvm::zip_equal(result->reals, bits))
    to = numerics::floatFromBf16(from);
  return success();
}

// Runs the body. The straight-through gradient is a matter of differentiation.
LogicalResult straightThrough(qat::StraightThroughOp op, Call &call) {
  if (call.options().fakeQuant == ReferenceOptions::FakeQuant::kIdentity) {
    call.set(op.getResult(), call.handle(op.getInput()));
    return success();
  }
  Environment inner;
  auto results = call.interpreter.runBlock(op.getBody().front(),
                                           {call.handle(op.getInput())}, inner);
  if (failed(results))
    return failure();
  call.set(op.getResult(), results->front());
  return success();
}

LogicalResult quantize(qat::QuantizeOp op, Call &call) {
  qat::PackedType type = op.getPacked().getType();
  if (failed(call.expectShape(op.getWeight(), {type.getN(), type.getK()})))
    return failure();
  numerics::PackedLayout layout = type.numericsLayout();
  if (layout.bytes() > call.options().maxElements)
    return call.error() << "a packed weight of more than "
                        << call.options().maxElements << " bytes";
  std::vector<uint16_t> bits = bf16Of(call[op.getWeight()]);
  std::vector<uint8_t> slab(layout.bytes());
  if (auto bad = numerics::quantizeMatrix(bits.data(), layout, slab.data()))
    return notFinite(call, *bad, type.getK());
  call.set(op.getPacked(),
           std::make_shared<ReferenceValue>(packedValue(type, slab)));
  return success();
}

LogicalResult dequantize(qat::DequantizeOp op, Call &call) {
  Type element = getElementTypeOrSelf(op.getWeight().getType());
  call.set(op.getWeight(), std::make_shared<ReferenceValue>(
                               dequantized(call[op.getPacked()], element)));
  return success();
}

// Codes and scales are independent of the layout, so only the type changes.
LogicalResult repack(qat::RepackOp op, Call &call) {
  auto result = std::make_shared<ReferenceValue>(call[op.getInput()]);
  result->type = op.getResult().getType();
  call.set(op.getResult(), result);
  return success();
}

} // namespace

void reference::addQATKernels(KernelTable &table) {
  table.add<&fakeQuant>();
  table.add<&straightThrough>();
  table.add<&quantize>();
  table.add<&dequantize>();
  table.add<&repack>();
}
