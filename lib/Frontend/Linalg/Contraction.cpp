#include "lib/Frontend/Linalg/Contraction.h"

#include "dialects/NN/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nibble;

// The body argument a value is, through extensions of its type; -1 when it is something else.
static int64_t argumentOf(Value value) {
  while (auto extended = value.getDefiningOp<arith::ExtFOp>())
    value = extended.getIn();
  auto argument = dyn_cast<BlockArgument>(value);
  return argument ? argument.getArgNumber() : -1;
}

// out + a * b, in any order of operands, nothing else.
static bool isMultiplyAdd(linalg::LinalgOp op) {
  Block &body = *op.getBlock();
  auto add = body.getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add)
    return false;
  for (unsigned i : {0, 1}) {
    auto product = add->getOperand(i).getDefiningOp<arith::MulFOp>();
    if (!product || argumentOf(add->getOperand(1 - i)) != 2)
      continue;
    int64_t a = argumentOf(product.getLhs()), b = argumentOf(product.getRhs());
    return (a == 0 && b == 1) || (a == 1 && b == 0);
  }
  return false;
}

static bool isParameter(BlockArgument argument) {
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  return function && function.getArgAttr(argument.getArgNumber(), nn::kParameterAttr);
}

// The parameter that `value` is a copy of, moved or repeated; `map`, of loops to elements of `value`, becomes one to
// elements of the parameter.
static BlockArgument parameterOf(Value value, AffineMap &map) {
  while (true) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return isParameter(argument) ? argument : BlockArgument();
    auto copy = value.getDefiningOp<linalg::LinalgOp>();
    if (!copy || copy.getNumDpsInputs() != 1 || copy.getNumDpsInits() != 1 || copy.getNumReductionLoops() != 0 ||
        argumentOf(copy.getBlock()->getTerminator()->getOperand(0)) != 0 || !llvm::hasSingleElement(*copy.getBlock()))
      return {};
    SmallVector<AffineMap> maps = copy.getIndexingMapsArray();
    if (!maps[1].isPermutation() || !isa<RankedTensorType>(copy->getOperand(0).getType()))
      return {};
    map = maps[0].compose(inversePermutation(maps[1])).compose(map);
    value = copy->getOperand(0);
  }
}

static bool isZero(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  return matchPattern(value, m_AnyZeroFloat());
}

FailureOr<Contraction> nibble::matchContraction(linalg::LinalgOp op, std::string &reason) {
  auto refuse = [&](const char *why) {
    reason = why;
    return failure();
  };
  if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() != 1)
    return refuse("it is no contraction of two tensors over one dimension");
  if (!isMultiplyAdd(op))
    return refuse("its body is not out + x * w");
  auto out = cast<RankedTensorType>(op->getResult(0).getType());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  unsigned loops = op.getNumLoops(), rank = out.getRank();
  // Named ops and those of StableHLO number the loops [..., n, k].
  if (rank < 2 || loops != rank + 1 ||
      maps[2] != AffineMap::getMultiDimIdentityMap(loops, op.getContext()).getMajorSubMap(rank))
    return refuse("its result is not indexed by [..., n] in the order of the loops");
  unsigned n = rank - 1, k = rank;
  for (unsigned weight : {1, 0}) {
    AffineMap weightMap = maps[weight], xMap = maps[1 - weight];
    BlockArgument parameter = parameterOf(op->getOperand(weight), weightMap);
    if (!parameter || weightMap.getNumResults() != 2)
      continue;
    SmallVector<AffineExpr> expected;
    for (unsigned dim = 0; dim < n; ++dim)
      expected.push_back(getAffineDimExpr(dim, op.getContext()));
    expected.push_back(getAffineDimExpr(k, op.getContext()));
    if (xMap.getResults() != ArrayRef<AffineExpr>(expected))
      return refuse("its left side is not indexed by [..., k]");
    bool straight = weightMap.getResult(0) == getAffineDimExpr(n, op.getContext()) &&
                    weightMap.getResult(1) == getAffineDimExpr(k, op.getContext());
    bool turned = weightMap.getResult(0) == getAffineDimExpr(k, op.getContext()) &&
                  weightMap.getResult(1) == getAffineDimExpr(n, op.getContext());
    if (!straight && !turned)
      return refuse("its weight is not indexed by [n, k] or [k, n]");
    auto weightType = cast<RankedTensorType>(parameter.getType());
    auto isFloat = [](Type type) { return type.isBF16() || type.isF32(); };
    Value x = op->getOperand(1 - weight);
    if (!weightType.hasStaticShape() || !isFloat(weightType.getElementType()) || !isFloat(out.getElementType()) ||
        !isFloat(cast<RankedTensorType>(x.getType()).getElementType()))
      return refuse("an nn.linear has a weight of known extents and bf16 or float32 elements");
    Value init = op.getDpsInits()[0];
    return Contraction{x, parameter, turned, isZero(init) ? Value() : init};
  }
  return refuse("neither side is a parameter");
}
