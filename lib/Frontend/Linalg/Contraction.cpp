// Matches a linalg op as a product of rows and a parameter.
#include "lib/Frontend/Linalg/Contraction.h"

#include "lib/Frontend/Linalg/SumOfProducts.h"
#include "lib/Frontend/Linalg/WeightSource.h"

#include "dialects/NN/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nibble;

ParameterArguments::ParameterArguments(ModuleOp module) {
  DenseMap<StringAttr, SmallVector<func::CallOp>> calls;
  module.walk([&](func::CallOp call) {
    calls[call.getCalleeAttr().getAttr()].push_back(call);
  });
  for (auto function : module.getOps<func::FuncOp>())
    for (BlockArgument argument : function.isExternal()
                                      ? ArrayRef<BlockArgument>()
                                      : function.getArguments())
      if (function.getArgAttr(argument.getArgNumber(), nn::kParameterAttr))
        arguments_.insert(argument);
  auto isPassed = [&](func::FuncOp function, unsigned number) {
    return llvm::all_of(
        calls[function.getSymNameAttr()], [&](func::CallOp call) {
          auto operand = dyn_cast<BlockArgument>(call.getOperand(number));
          return operand && contains(operand);
        });
  };
  // Each level of calls needs one more round.
  for (size_t before = ~size_t(0); before != arguments_.size();) {
    before = arguments_.size();
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isExternal() && function.isPrivate() &&
          !calls[function.getSymNameAttr()].empty())
        for (BlockArgument argument : function.getArguments())
          if (isPassed(function, argument.getArgNumber()))
            arguments_.insert(argument);
  }
}

static bool isZero(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  return matchPattern(value, m_AnyZeroFloat());
}

// The loops that the results of a map are, when each result is a single loop.
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

// Matches the loops of x, the weight and the result with [tokens..., K] times
// [N, K] and fills in the orders. Returns false when they do not fit.
static bool matchLoops(AffineMap xMap, AffineMap weightMap, AffineMap resultMap,
                       Contraction &found) {
  auto x = loopsOf(xMap);
  auto weight = loopsOf(weightMap);
  auto result = loopsOf(resultMap);
  if (!x || !weight || !result || weight->size() != 2)
    return false;
  found.turned = llvm::is_contained(*result, weight->back());
  int64_t n = (*weight)[found.turned ? 1 : 0];
  int64_t k = (*weight)[found.turned ? 0 : 1];
  if (!llvm::is_contained(*result, n) || llvm::is_contained(*x, n) ||
      llvm::is_contained(*result, k) || !llvm::is_contained(*x, k) ||
      x->size() != result->size())
    return false;
  int64_t place = 0;
  int64_t tokens = static_cast<int64_t>(result->size()) - 1;
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

// Why nn.linear rejects such a product with `weight`, judging by the types;
// empty when it accepts it.
static std::string problemOfTypes(const WeightSource &weight, Type x,
                                  Type result) {
  std::string why;
  std::string name = weight.describe();
  llvm::raw_string_ostream text(why);
  auto isFloat = [](Type type) { return type.isBF16() || type.isF32(); };
  if (!weight.obstacle.empty())
    return weight.explain();
  Type shaped = weight.parameters[0].getType();
  auto type = dyn_cast<RankedTensorType>(shaped);
  if (!type || type.getRank() != 2)
    text << name << " is of type " << shaped
         << ", and nn.linear takes a weight of two dimensions";
  else if (!type.hasStaticShape())
    text << name << " is of type " << type
         << ", and nn.linear takes a weight of known extents";
  else if (!isFloat(type.getElementType()))
    text << name << " has elements of type " << type.getElementType()
         << ", and nn.linear takes bf16 and f32";
  else if (!isFloat(x) || !isFloat(result))
    text << "it takes elements of type " << x << " to a result of " << result
         << ", and nn.linear takes bf16 and f32";
  return why;
}

// Why nn.linear rejects the products of `sum` with the weight on `side`. When
// it accepts them, the result is empty and `found` is filled in.
static std::string matchSide(const SumOfProducts &sum, unsigned side,
                             const WeightSource &weight, Contraction &found) {
  TensorRead x = sum.sides[1 - side];
  std::string why =
      problemOfTypes(weight, getElementTypeOrSelf(x.tensor.getType()),
                     getElementTypeOrSelf(sum.init.getType()));
  if (!why.empty())
    return why;
  if (sum.isShared)
    return "its products, with " + weight.describe() +
           ", are read by others too, and nn.linear gives their sum alone";
  while (!matchLoops(x.map, weight.map, sum.resultMap, found = {})) {
    // When an op of its own computes the products, its operands are broadcast
    // to one shape. nn.linear reads them before the broadcast.
    auto copied = sum.isApart ? readBehindCopy(x) : std::nullopt;
    if (!copied || !copied->change.empty() ||
        getElementTypeOrSelf(copied->read.tensor.getType()) !=
            getElementTypeOrSelf(x.tensor.getType()))
      return "it is not y[..., n] = sum of x[..., k] * w[n, k] over one k, "
             "with " +
             weight.describe() + " as w";
    x = copied->read;
  }
  found.x = x.tensor;
  found.parameter = weight.parameters[0];
  found.init = isZero(sum.init) ? Value() : sum.init;
  return {};
}

static constexpr char kMemrefs[] =
    "its operands are memrefs, and nn.linear takes tensors: recognize it "
    "before bufferization";

// The mismatch for an op that sums products with a parameter but is not the sum
// of products of two tensors.
static Mismatch matchOther(linalg::LinalgOp op,
                           const ParameterArguments &parameters) {
  SmallVector<Factor> factors = factorsOf(op, parameters);
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  // A factor that does not vary along the summed loops is not a factor of the
  // contraction.
  auto isSummedAlong = [&](AffineMap map) {
    return !map || llvm::any_of(reductions, [&](unsigned loop) {
      return map.isFunctionOfDim(loop);
    });
  };
  std::optional<WeightSource> weight;
  bool isWithOther = false;
  for (const Factor &factor : factors) {
    std::optional<WeightSource> made;
    bool isOther = false;
    for (const TensorRead &read : factor.reads) {
      WeightSource source = traceWeight(read, parameters);
      isOther |= !source.isWeight && !source.isConstant;
      if (!source.parameters.empty() && isSummedAlong(source.map))
        made = source;
    }
    isWithOther |= isOther;
    if (!isOther && made && !weight)
      weight = made;
  }
  Mismatch mismatch{"it is no sum of products of two operands",
                    /*hasWeight=*/false};
  if (!weight || !isWithOther)
    return mismatch;
  // The scale of a norm is a vector. Its product with one side of another
  // product is a vector too.
  auto isMatrix = [](BlockArgument parameter) {
    return isMatrixType(parameter.getType());
  };
  if (factors.size() > 2 && llvm::none_of(weight->parameters, isMatrix))
    return mismatch;
  if (!op.hasPureTensorSemantics())
    return {kMemrefs, /*hasWeight=*/true};
  Type result = getElementTypeOrSelf(op.getDpsInits()[0].getType());
  std::string why = problemOfTypes(*weight, result, result);
  return {
      why.empty()
          ? "it is more than the sum of the products of two operands, with " +
                weight->describe() + " as one"
          : why,
      /*hasWeight=*/true};
}

FailureOr<Contraction>
nibble::matchContraction(linalg::LinalgOp op,
                         const ParameterArguments &parameters,
                         Mismatch &mismatch) {
  mismatch = {};
  std::optional<SumOfProducts> sum = matchSumOfProducts(op);
  if (sum && !op.hasPureTensorSemantics()) {
    mismatch.hasWeight = llvm::any_of(op.getDpsInputs(), [&](Value value) {
      auto argument = dyn_cast<BlockArgument>(value);
      return argument && parameters.contains(argument);
    });
    mismatch.reason = kMemrefs;
    return failure();
  }
  mismatch.reason = "neither side is a parameter";
  for (unsigned side : sum ? std::initializer_list<unsigned>{1, 0}
                           : std::initializer_list<unsigned>{}) {
    WeightSource source = traceWeight(sum->sides[side], parameters);
    if (!source.isWeight)
      continue;
    // Summed products of a parameter with itself or with another parameter
    // belong to a regularizer more often than to a linear.
    WeightSource other = traceWeight(sum->sides[1 - side], parameters);
    if (sum->isApart && (other.isWeight || other.isConstant))
      continue;
    Contraction found;
    std::string why = matchSide(*sum, side, source, found);
    if (why.empty())
      return found;
    if (!mismatch.hasWeight)
      mismatch = {why, /*hasWeight=*/true};
  }
  if (sum && !sum->isApart)
    return failure();
  Mismatch other = matchOther(op, parameters);
  mismatch = {mismatch.hasWeight && other.hasWeight ? mismatch.reason
                                                    : other.reason,
              other.hasWeight};
  return failure();
}
