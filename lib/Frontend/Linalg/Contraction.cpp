#include "lib/Frontend/Linalg/Contraction.h"

#include "lib/Frontend/Linalg/WeightSource.h"

#include "dialects/NN/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nibble;

ParameterArguments::ParameterArguments(ModuleOp module) {
  DenseMap<StringAttr, SmallVector<func::CallOp>> calls;
  module.walk([&](func::CallOp call) { calls[call.getCalleeAttr().getAttr()].push_back(call); });
  for (auto function : module.getOps<func::FuncOp>())
    for (BlockArgument argument : function.isExternal() ? ArrayRef<BlockArgument>() : function.getArguments())
      if (function.getArgAttr(argument.getArgNumber(), nn::kParameterAttr))
        arguments.insert(argument);
  auto isPassed = [&](func::FuncOp function, unsigned number) {
    return llvm::all_of(calls[function.getSymNameAttr()], [&](func::CallOp call) {
      auto operand = dyn_cast<BlockArgument>(call.getOperand(number));
      return operand && contains(operand);
    });
  };
  // One round more for each level of calls.
  for (size_t before = ~size_t(0); before != arguments.size();) {
    before = arguments.size();
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isExternal() && function.isPrivate() && !calls[function.getSymNameAttr()].empty())
        for (BlockArgument argument : function.getArguments())
          if (isPassed(function, argument.getArgNumber()))
            arguments.insert(argument);
  }
}

// out + a * b, in any order of operands, nothing else; as two operations or as one.
static bool isMultiplyAdd(linalg::LinalgOp op) {
  Block &body = *op.getBlock();
  if (body.getNumArguments() != 3)
    return false;
  auto isProduct = [](Value lhs, Value rhs) {
    int64_t a = argumentOf(lhs), b = argumentOf(rhs);
    return (a == 0 && b == 1) || (a == 1 && b == 0);
  };
  Operation *last = body.getTerminator()->getOperand(0).getDefiningOp();
  if (auto fused = dyn_cast_or_null<math::FmaOp>(last))
    return argumentOf(fused.getC()) == 2 && isProduct(fused.getA(), fused.getB());
  auto add = dyn_cast_or_null<arith::AddFOp>(last);
  for (unsigned i : {0, 1})
    if (auto product = add ? add->getOperand(i).getDefiningOp<arith::MulFOp>() : arith::MulFOp())
      if (argumentOf(add->getOperand(1 - i)) == 2)
        return isProduct(product.getLhs(), product.getRhs());
  return false;
}

static bool isZero(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  return matchPattern(value, m_AnyZeroFloat());
}

// The loops that a map's results are, one each; nothing when they are something else.
static std::optional<SmallVector<int64_t>> loopsOf(AffineMap map) {
  SmallVector<int64_t> loops;
  for (AffineExpr result : map.getResults()) {
    auto loop = dyn_cast<AffineDimExpr>(result);
    if (!loop || llvm::is_contained(loops, loop.getPosition()))
      return std::nullopt;
    loops.push_back(loop.getPosition());
  }
  return loops;
}

// Fills in how the loops of x, the weight and the result fit together; false when they are no [tokens..., K] times [N,
// K].
static bool matchLoops(AffineMap xMap, AffineMap weightMap, AffineMap resultMap, Contraction &found) {
  auto x = loopsOf(xMap), weight = loopsOf(weightMap), result = loopsOf(resultMap);
  if (!x || !weight || !result || weight->size() != 2)
    return false;
  found.turned = llvm::is_contained(*result, weight->back());
  int64_t n = (*weight)[found.turned ? 1 : 0], k = (*weight)[found.turned ? 0 : 1];
  if (!llvm::is_contained(*result, n) || llvm::is_contained(*x, n) || llvm::is_contained(*result, k) ||
      !llvm::is_contained(*x, k) || x->size() != result->size())
    return false;
  int64_t place = 0, tokens = static_cast<int64_t>(result->size()) - 1;
  for (int64_t loop : *result) {
    found.resultOrder.push_back(loop == n ? tokens : place++);
    if (loop == n)
      continue;
    auto it = llvm::find(*x, loop);
    if (it == x->end())
      return false;
    found.xOrder.push_back(it - x->begin());
  }
  found.xOrder.push_back(llvm::find(*x, k) - x->begin());
  return true;
}

// Why nn.linear does not take the products of `op` with the weight on `side`; empty, and `found` filled in, when it
// does.
static std::string matchSide(linalg::LinalgOp op, unsigned side, const WeightSource &source, Contraction &found) {
  std::string why, name = source.describe();
  llvm::raw_string_ostream text(why);
  if (!source.obstacle.empty()) {
    text << name << " " << source.obstacle;
    return why;
  }
  auto isFloat = [](Type type) { return type.isBF16() || type.isF32(); };
  auto weight = dyn_cast<RankedTensorType>(source.parameter.getType());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Value x = op->getOperand(1 - side), init = op.getDpsInits()[0];
  Type xElement = getElementTypeOrSelf(x.getType()), result = getElementTypeOrSelf(init.getType());
  if (!weight || weight.getRank() != 2)
    text << name << " is of type " << source.parameter.getType() << ", and nn.linear takes a weight of two dimensions";
  else if (!weight.hasStaticShape())
    text << name << " is of type " << weight << ", and nn.linear takes a weight of known extents";
  else if (!isFloat(weight.getElementType()))
    text << name << " has elements of type " << weight.getElementType() << ", and nn.linear takes bf16 and f32";
  else if (!isFloat(xElement) || !isFloat(result))
    text << "it takes elements of type " << xElement << " to a result of " << result
         << ", and nn.linear takes bf16 and f32";
  else if (!matchLoops(maps[1 - side], source.map, maps[2], found))
    text << "it is not y[..., n] = sum of x[..., k] * w[n, k] over one k, with " << name << " as w";
  found.x = x;
  found.parameter = source.parameter;
  found.init = isZero(init) ? Value() : init;
  return why;
}

FailureOr<Contraction> nibble::matchContraction(linalg::LinalgOp op, const ParameterArguments &parameters,
                                                Mismatch &mismatch) {
  mismatch = {};
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0 || !isMultiplyAdd(op)) {
    mismatch.reason = "it is no sum of products of two operands";
    return failure();
  }
  if (!op.hasPureTensorSemantics()) {
    mismatch.hasWeight = llvm::any_of(op.getDpsInputs(), [&](Value value) {
      auto argument = dyn_cast<BlockArgument>(value);
      return argument && parameters.contains(argument);
    });
    mismatch.reason = "its operands are memrefs, and nn.linear takes tensors: recognize it before bufferization";
    return failure();
  }
  mismatch.reason = "neither side is a parameter";
  for (unsigned side : {1, 0}) {
    WeightSource source = traceWeight(op->getOperand(side), op.getIndexingMapsArray()[side], parameters);
    if (!source.isWeight)
      continue;
    Contraction found;
    std::string why = matchSide(op, side, source, found);
    if (why.empty())
      return found;
    if (!mismatch.hasWeight)
      mismatch = {why, /*hasWeight=*/true};
  }
  return failure();
}
