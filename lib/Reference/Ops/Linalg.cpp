// Every structured op of linalg, named or generic: runs its region over its
// loops.
#include "lib/Reference/ScalarBody.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

// The position of an operand's element as the loops run: offset + the sum over
// loops l of stride[l] * i[l].
struct Walk {
  int64_t offset = 0;
  SmallVector<int64_t> strides;

  int64_t at(ArrayRef<int64_t> indices) const {
    int64_t position = offset;
    for (auto [stride, index] : llvm::zip_equal(strides, indices))
      position += stride * index;
    return position;
  }
};

bool isLinear(AffineExpr expression) {
  WalkResult result = expression.walk([](AffineExpr part) {
    bool divides = part.getKind() == AffineExprKind::Mod ||
                   part.getKind() == AffineExprKind::FloorDiv ||
                   part.getKind() == AffineExprKind::CeilDiv;
    return divides ? WalkResult::interrupt() : WalkResult::advance();
  });
  return !result.wasInterrupted();
}

// Computes the position one dimension at a time. Values at 0 and at each unit
// index determine a linear map.
FailureOr<Walk> walkOf(Call &call, AffineMap map, const ReferenceValue &value,
                       ArrayRef<int64_t> loops) {
  Walk walk;
  walk.strides.assign(loops.size(), 0);
  SmallVector<int64_t> origin(loops.size(), 0);
  SmallVector<int64_t> base = map.compose(origin);
  if (!llvm::all_of(map.getResults(), isLinear) || map.getNumSymbols() != 0)
    return call.error() << "an indexing map that is not linear: "
                        << AffineMapAttr::get(map);
  if (map.getNumResults() == 0)
    return walk; // a scalar: the same for every index
  for (auto [dimension, extent] : llvm::enumerate(value.shape)) {
    int64_t rowLength = value.countFrom(dimension + 1);
    int64_t lowest = base[dimension], highest = base[dimension];
    for (auto [loop, iterations] : llvm::enumerate(loops)) {
      SmallVector<int64_t> unit(loops.size(), 0);
      unit[loop] = 1;
      int64_t stride = map.compose(unit)[dimension] - base[dimension];
      (stride < 0 ? lowest : highest) += stride * (iterations - 1);
      walk.strides[loop] += stride * rowLength;
    }
    if (lowest < 0 || highest >= extent)
      return call.error() << "an indexing map reaches " << lowest << ".."
                          << highest << " in an extent of " << extent;
    walk.offset += base[dimension] * rowLength;
  }
  return walk;
}

LogicalResult structured(Call &call) {
  auto op = cast<linalg::LinalgOp>(call.op);
  if (!op.hasPureTensorSemantics())
    return call.error() << "tensors only, no buffers";

  // Reads the extents of the loops from the operands' shapes.
  SmallVector<int64_t> extents, loops;
  for (mlir::Value operand : call.op->getOperands())
    llvm::append_range(extents, call[operand].shape);
  AffineMap shapesToLoops = op.getShapesToLoopsMap();
  if (!shapesToLoops)
    return call.error() << "the extents of the loops do not follow from the "
                           "operands' shapes";
  loops = shapesToLoops.compose(extents);

  // Results start as the outs.
  SmallVector<ReferenceValue *> outs;
  for (auto [init, result] :
       llvm::zip_equal(op.getDpsInits(), call.op->getResults())) {
    SmallVector<int64_t> shape = call[init].shape;
    ReferenceValue *out = call.make(result, shape);
    if (!out)
      return failure();
    out->reals = call[init].reals;
    out->integers = call[init].integers;
    outs.push_back(out);
  }
  int64_t total = 1;
  for (int64_t loop : loops)
    total *= loop;
  if (total == 0)
    return success();
  if (failed(call.interpreter.count(call.op, total)))
    return failure();

  SmallVector<Walk> walks;
  SmallVector<const ReferenceValue *> values;
  for (OpOperand &operand : call.op->getOpOperands()) {
    bool isInit = op.isDpsInit(&operand);
    const ReferenceValue &value = call[operand.get()];
    FailureOr<Walk> walk =
        walkOf(call, op.getMatchingIndexingMap(&operand), value, loops);
    if (failed(walk))
      return failure();
    walks.push_back(std::move(*walk));
    values.push_back(isInit ? outs[walks.size() - 1 - op.getNumDpsInputs()]
                            : &value);
  }

  bool reduces = op.getNumReductionLoops() != 0;
  bool exact = call.options().rounding == ReferenceOptions::Rounding::kExact;
  FailureOr<ScalarBody> body =
      ScalarBody::compile(*op.getBlock(), call, !exact && !reduces);
  if (failed(body))
    return failure();

  SmallVector<int64_t> indices(loops.size(), 0);
  SmallVector<Scalar> arguments(values.size());
  for (int64_t iteration = 0; iteration < total; ++iteration) {
    for (auto [argument, value, walk] :
         llvm::zip_equal(arguments, values, walks))
      argument = elementOf(*value, walk.at(indices));
    FailureOr<ArrayRef<Scalar>> yields = body->run(arguments, indices);
    if (failed(yields))
      return failure();
    for (auto [i, out] : llvm::enumerate(outs))
      setElement(*out, walks[op.getNumDpsInputs() + i].at(indices),
                 (*yields)[i]);
    // Advance the index; the last loop is fastest.
    for (int64_t loop = loops.size() - 1;
         loop >= 0 && ++indices[loop] == loops[loop]; --loop)
      indices[loop] = 0;
  }
  // The sums ran in float64; round them to elements now.
  for (ReferenceValue *out : outs)
    for (double &element : out->reals)
      element = call.round(element, out->elementType());
  return success();
}

} // namespace

template <typename... Ops> static void addStructured(KernelTable &table) {
  (table.add(Ops::getOperationName(), structured), ...);
}

void reference::addLinalgKernels(KernelTable &table) {
  addStructured<
#define GET_OP_LIST
#include "mlir/Dialect/Linalg/IR/LinalgStructuredOps.cpp.inc"
      >(table);
}
