// Matches sums of products, with or without an op of their own for the
// products.
#include "lib/Frontend/Linalg/SumOfProducts.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/CastInterfaces.h"

using namespace mlir;
using namespace nibble;

static Value yieldedBy(linalg::LinalgOp op) {
  return op.getBlock()->getTerminator()->getOperand(0);
}

// Whether the values are arguments 0 and 1 of the body, in either order.
static bool isProductOfArguments(Value lhs, Value rhs) {
  int64_t a = argumentOf(lhs);
  int64_t b = argumentOf(rhs);
  return (a == 0 && b == 1) || (a == 1 && b == 0);
}

// Matches out + a * b with the operands in any order and nothing else, as two
// operations or one.
static bool isMultiplyAdd(linalg::LinalgOp op) {
  if (op.getBlock()->getNumArguments() != 3)
    return false;
  Operation *last = yieldedBy(op).getDefiningOp();
  if (auto fused = dyn_cast_or_null<math::FmaOp>(last))
    return argumentOf(fused.getC()) == 2 &&
           isProductOfArguments(fused.getA(), fused.getB());
  auto add = dyn_cast_or_null<arith::AddFOp>(last);
  for (unsigned i : {0, 1})
    if (auto product = add ? add->getOperand(i).getDefiningOp<arith::MulFOp>()
                           : arith::MulFOp())
      if (argumentOf(add->getOperand(1 - i)) == 2)
        return isProductOfArguments(product.getLhs(), product.getRhs());
  return false;
}

// Matches out + a without a conversion.
static bool isSum(linalg::LinalgOp op) {
  auto add = yieldedBy(op).getDefiningOp<arith::AddFOp>();
  Block *body = op.getBlock();
  return add && body->getNumArguments() == 2 &&
         ((add.getLhs() == body->getArgument(0) &&
           add.getRhs() == body->getArgument(1)) ||
          (add.getLhs() == body->getArgument(1) &&
           add.getRhs() == body->getArgument(0)));
}

// Matches an op with one result whose elements are computed from the inputs'
// elements. The result is indexed by the op's loops in order.
static bool isElementwise(linalg::LinalgOp op) {
  return op && op.getNumDpsInits() == 1 && op.getNumReductionLoops() == 0 &&
         op.hasPureTensorSemantics() &&
         op.getIndexingMapsArray().back().isPermutation();
}

// The two tensors whose products are the elements of `read`; nullopt when the
// elements are not products of two tensors.
static std::optional<std::array<TensorRead, 2>>
elementwiseProduct(const TensorRead &read) {
  Operation *op = read.tensor.getDefiningOp();
  if (isa_and_nonnull<arith::MulFOp>(op))
    return std::array<TensorRead, 2>{
        {{op->getOperand(0), read.map}, {op->getOperand(1), read.map}}};
  auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
  if (!isElementwise(linalgOp) || linalgOp.getNumDpsInputs() != 2)
    return std::nullopt;
  auto product = yieldedBy(linalgOp).getDefiningOp<arith::MulFOp>();
  if (!product || !isProductOfArguments(product.getLhs(), product.getRhs()))
    return std::nullopt;
  SmallVector<AffineMap> maps = linalgOp.getIndexingMapsArray();
  AffineMap loops = inversePermutation(maps[2]).compose(read.map);
  return std::array<TensorRead, 2>{
      {{op->getOperand(0), maps[0].compose(loops)},
       {op->getOperand(1), maps[1].compose(loops)}}};
}

std::optional<SumOfProducts> nibble::matchSumOfProducts(linalg::LinalgOp op) {
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (op.getNumDpsInputs() == 2 && isMultiplyAdd(op))
    return SumOfProducts{
        {{{op->getOperand(0), maps[0]}, {op->getOperand(1), maps[1]}}},
        maps[2],
        op.getDpsInits()[0]};
  if (op.getNumDpsInputs() != 1 || !isSum(op) || !op.hasPureTensorSemantics())
    return std::nullopt;
  auto sides = elementwiseProduct({op->getOperand(0), maps[0]});
  if (!sides)
    return std::nullopt;
  return SumOfProducts{*sides, maps[1], op.getDpsInits()[0], /*isApart=*/true,
                       !op->getOperand(0).hasOneUse()};
}

namespace {

class Factors {
public:
  Factors(const ParameterArguments &parameters) : parameters_(parameters) {}

  // Collects the factors of the terms that the body of `sum` adds up.
  void addTermsOf(linalg::LinalgOp sum) {
    AffineMap loops =
        AffineMap::getMultiDimIdentityMap(sum.getNumLoops(), sum.getContext());
    Operation *last = withoutCasts(yieldedBy(sum)).getDefiningOp();
    if (auto fused = dyn_cast_or_null<math::FmaOp>(last)) {
      addScalar(fused.getA(), sum, loops);
      addScalar(fused.getB(), sum, loops);
    } else if (isa_and_nonnull<arith::AddFOp, arith::AddIOp>(last)) {
      for (unsigned i : {0, 1})
        if (isAccumulator(withoutCasts(last->getOperand(1 - i)), sum))
          return addScalar(last->getOperand(i), sum, loops);
    }
  }

  SmallVector<Factor> found;

private:
  static Value withoutCasts(Value value) {
    while (auto cast = value.getDefiningOp<CastOpInterface>())
      value = cast->getOperand(0);
    return value;
  }
  static bool isAccumulator(Value value, linalg::LinalgOp op) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner() == op.getBlock() &&
           argument.getArgNumber() >= op.getNumDpsInputs();
  }

  // Adds a value of the body of `op`. `loops` maps the loops of the sum to
  // those of `op`, and is null when the mapping is unknown.
  void addScalar(Value value, linalg::LinalgOp op, AffineMap loops) {
    value = withoutCasts(value);
    Operation *made = value.getDefiningOp();
    if (isa_and_nonnull<arith::MulFOp, arith::MulIOp>(made)) {
      addScalar(made->getOperand(0), op, loops);
      addScalar(made->getOperand(1), op, loops);
      return;
    }
    Factor factor;
    collectReads(value, op, loops, factor);
    if (isa<BlockArgument>(value) && factor.reads.size() == 1)
      addTensor(factor.reads[0]);
    else
      found.push_back(std::move(factor));
  }

  // Collects the tensors that a value of a body is computed from.
  void collectReads(Value value, linalg::LinalgOp op, AffineMap loops,
                    Factor &factor) {
    if (auto argument = dyn_cast<BlockArgument>(value);
        argument && argument.getOwner() == op.getBlock()) {
      OpOperand *operand = op.getMatchingOpOperand(argument);
      if (isa<ShapedType>(operand->get().getType()))
        factor.reads.push_back(
            {operand->get(),
             loops ? op.getMatchingIndexingMap(operand).compose(loops)
                   : AffineMap()});
      return;
    }
    Operation *made = value.getDefiningOp();
    if (!made || made->getBlock() != op.getBlock())
      return;
    if (auto extract = dyn_cast<tensor::ExtractOp>(made))
      factor.reads.push_back({extract.getTensor(), {}});
    else
      for (Value operand : made->getOperands())
        collectReads(operand, op, loops, factor);
  }

  void addTensor(TensorRead read) {
    TensorRead behind = read;
    while (std::optional<CopiedRead> copied = readBehindCopy(behind))
      behind = copied->read;
    Operation *made = behind.tensor.getDefiningOp();
    bool isWhole =
        found.size() >= kMostFactors || traceWeight(read, parameters_).isWeight;
    if (!isWhole && isa_and_nonnull<arith::MulFOp, arith::MulIOp>(made)) {
      for (Value operand : made->getOperands())
        addTensor({operand, behind.map});
      return;
    }
    auto op = dyn_cast_or_null<linalg::LinalgOp>(made);
    if (!isWhole && isElementwise(op) &&
        isa_and_nonnull<arith::MulFOp, arith::MulIOp>(
            withoutCasts(yieldedBy(op)).getDefiningOp())) {
      AffineMap inverse = inversePermutation(op.getIndexingMapsArray().back());
      return addScalar(yieldedBy(op), op,
                       behind.map ? inverse.compose(behind.map) : AffineMap());
    }
    found.push_back({{read}});
  }

  // Products of products are followed up to this many factors.
  static constexpr size_t kMostFactors = 16;
  const ParameterArguments &parameters_;
};

} // namespace

SmallVector<Factor> nibble::factorsOf(linalg::LinalgOp sum,
                                      const ParameterArguments &parameters) {
  Factors factors(parameters);
  if (sum.getNumDpsInits() == 1 && sum.getNumReductionLoops() > 0)
    factors.addTermsOf(sum);
  if (factors.found.size() < 2)
    return {};
  return std::move(factors.found);
}
