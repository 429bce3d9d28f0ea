// Follows values from maxima to results and proves which maxima cancel out.
#include "passes/Differentiate/ShiftInvariance.h"

#include "passes/Differentiate/Gradients.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace nibble {

namespace {

// How a value depends on the root m. The maps lead to the indices of m's
// dimensions whose extent is not 1.
struct Dependence {
  enum class Kind { None, Additive, Multiplicative, Unknown };
  Kind kind = Kind::None;
  int64_t degree = 0;
  AffineMap map = {};

  bool is(Kind other) const { return kind == other; }
  bool exists() const { return kind != Kind::None; }
};
using Kind = Dependence::Kind;
using Lookup = function_ref<Dependence(Value)>;

// Computes the forms of the values that depend on one root.
class Walk {
public:
  explicit Walk(Value root) : root_(root), block_(root.getParentBlock()) {}

  // Whether no value that leaves `following`, the ops after the root's op,
  // depends on the root.
  bool provesInvariance(ArrayRef<Operation *> following);

private:
  bool record(Value value, const Dependence &dependence);
  bool visit(Operation *op);
  bool visitLinalg(linalg::LinalgOp op);
  bool visitReshape(Operation *op, ArrayRef<ReassociationIndices> groups,
                    Value expanded, bool expands);
  Dependence ofResult(linalg::LinalgOp op, unsigned number, Lookup inBody);

  Value root_;
  Block *block_;
  DenseMap<Value, Dependence> known_;
};

} // namespace

static bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

// The operand that a block argument of a linalg op's body stands for; any other
// value is returned unchanged.
static Value outsideOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    if (auto op = dyn_cast_or_null<linalg::LinalgOp>(
            argument.getOwner()->getParentOp()))
      value = op->getOperand(argument.getArgNumber());
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    value = fill.getInputs()[0];
  return value;
}

static bool isZero(Value value) {
  return matchPattern(outsideOf(value), m_AnyZeroFloat());
}
static bool isNegativeInfinity(Value value) {
  return matchPattern(outsideOf(value), m_NegInfFloat());
}

static Value withoutRounding(Value value) {
  while (isa_and_nonnull<arith::ExtFOp, arith::TruncFOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

// The form that two values share. A constant that has every form takes the
// other's. Unknown when there is no common form.
static Dependence common(Value a, Value b, Lookup of) {
  Dependence left = of(a);
  Dependence right = of(b);
  auto takesAny = [](Value value, const Dependence &other) {
    return other.is(Kind::Multiplicative) ? isZero(value)
                                          : isNegativeInfinity(value);
  };
  if (!left.exists() && takesAny(a, right))
    return right;
  if (!right.exists() && takesAny(b, left))
    return left;
  if (left.kind == right.kind && left.degree == right.degree &&
      left.map == right.map)
    return left;
  return {Kind::Unknown};
}

// Combines two values of one kind. None counts as degree 0, and the degree of
// the second is multiplied by `sign`.
static Dependence combined(Kind kind, const Dependence &a, const Dependence &b,
                           int64_t sign) {
  auto fits = [&](const Dependence &one) {
    return !one.exists() || one.is(kind);
  };
  if (!fits(a) || !fits(b) || (a.exists() && b.exists() && a.map != b.map))
    return {Kind::Unknown};
  int64_t degree = a.degree + sign * b.degree;
  return degree == 0 ? Dependence()
                     : Dependence{kind, degree, a.exists() ? a.map : b.map};
}

// The form of the result of an elementwise op on scalars or tensors. Some
// operand depends on m.
static Dependence transfer(Operation *op, Lookup of) {
  auto operand = [&](unsigned number) { return of(op->getOperand(number)); };
  if (isa<arith::ExtFOp, arith::TruncFOp>(op))
    return operand(0);
  if (isa<arith::NegFOp>(op)) {
    Dependence a = operand(0);
    return a.is(Kind::Additive) ? Dependence{a.kind, -a.degree, a.map} : a;
  }
  if (isa<arith::AddFOp, arith::SubFOp>(op)) {
    Dependence sum = combined(Kind::Additive, operand(0), operand(1),
                              isa<arith::AddFOp>(op) ? 1 : -1);
    return sum.is(Kind::Unknown)
               ? common(op->getOperand(0), op->getOperand(1), of)
               : sum;
  }
  if (isa<arith::MulFOp, arith::DivFOp>(op))
    return combined(Kind::Multiplicative, operand(0), operand(1),
                    isa<arith::MulFOp>(op) ? 1 : -1);
  if (isa<math::ExpOp>(op) && operand(0).is(Kind::Additive))
    return {Kind::Multiplicative, operand(0).degree, operand(0).map};
  if (isa<math::LogOp>(op) && operand(0).is(Kind::Multiplicative))
    return {Kind::Additive, operand(0).degree, operand(0).map};
  if (isa<arith::SelectOp>(op))
    return common(op->getOperand(1), op->getOperand(2), of);
  return {Kind::Unknown};
}

// `map` with its dimensions replaced by `exprs` over `rank` dimensions; null
// when it needs a dimension without an expression.
static AffineMap replaceDimensions(AffineMap map, ArrayRef<AffineExpr> exprs,
                                   unsigned rank) {
  SmallVector<AffineExpr> replacements(exprs);
  for (auto [number, expr] : llvm::enumerate(replacements)) {
    if (!expr && map.isFunctionOfDim(number))
      return {};
    if (!expr)
      expr = getAffineConstantExpr(0, map.getContext());
  }
  return map.replaceDimsAndSymbols(replacements, {}, rank, 0);
}

bool Walk::record(Value value, const Dependence &dependence) {
  if (dependence.is(Kind::Unknown))
    return false;
  if (!dependence.exists())
    return true;
  known_[value] = dependence;
  // A value that a region reads directly, and not as an operand of its op, is
  // not followed.
  return llvm::all_of(value.getUses(), [&](OpOperand &use) {
    return use.getOwner()->getBlock() == block_ || readsSize(use.getOwner());
  });
}

// An expanded dimension of extent 1 has index 0, so a group with one other
// dimension has that dimension's index.
bool Walk::visitReshape(Operation *op, ArrayRef<ReassociationIndices> groups,
                        Value expanded, bool expands) {
  MLIRContext *context = op->getContext();
  auto type = cast<RankedTensorType>(expanded.getType());
  SmallVector<AffineExpr> exprs(expands ? groups.size() : type.getRank());
  for (auto [collapsed, group] : llvm::enumerate(groups)) {
    SmallVector<int64_t> longer;
    llvm::copy_if(group, std::back_inserter(longer),
                  [&](int64_t dim) { return type.getDimSize(dim) != 1; });
    if (!expands)
      for (int64_t dim : group)
        exprs[dim] = type.getDimSize(dim) == 1
                         ? getAffineConstantExpr(0, context)
                     : longer.size() == 1 ? getAffineDimExpr(collapsed, context)
                                          : AffineExpr();
    else if (longer.size() <= 1)
      exprs[collapsed] = longer.empty() ? getAffineConstantExpr(0, context)
                                        : getAffineDimExpr(longer[0], context);
  }
  Dependence dependence = known_.lookup(op->getOperand(0));
  dependence.map = replaceDimensions(dependence.map, exprs,
                                     expands ? type.getRank() : groups.size());
  return dependence.map && record(op->getResult(0), dependence);
}

Dependence Walk::ofResult(linalg::LinalgOp op, unsigned number, Lookup inBody) {
  Block &body = *op.getBlock();
  Value yielded = body.getTerminator()->getOperand(number);
  Value init = op.getDpsInits()[number];
  Dependence dependence = inBody(yielded);
  if (dependence.is(Kind::Unknown)) {
    // A sum over loops: an out that no other op reads, plus a term.
    Value out = body.getArgument(op.getNumDpsInputs() + number);
    auto sum = withoutRounding(yielded).getDefiningOp<arith::AddFOp>();
    if (!sum || known_.contains(init))
      return dependence;
    Value lhs = withoutRounding(sum.getLhs());
    Value rhs = withoutRounding(sum.getRhs());
    if (lhs != out && rhs != out)
      return dependence;
    dependence = inBody(lhs == out ? rhs : lhs);
    if (dependence.exists() &&
        !(dependence.is(Kind::Multiplicative) && isZero(init)))
      return {Kind::Unknown};
  }
  if (!dependence.exists() || dependence.is(Kind::Unknown))
    return dependence;
  // The map from loop indices to the indices of the result.
  AffineMap map = op.getIndexingMapMatchingResult(op->getResult(number));
  SmallVector<AffineExpr> exprs(op.getNumLoops());
  for (auto [position, expr] : llvm::enumerate(map.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      exprs[dim.getPosition()] = getAffineDimExpr(position, op.getContext());
  dependence.map =
      replaceDimensions(dependence.map, exprs, map.getNumResults());
  return dependence.map ? dependence : Dependence{Kind::Unknown};
}

bool Walk::visitLinalg(linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics())
    return false;
  Block &body = *op.getBlock();
  DenseMap<Value, Dependence> inBody;
  auto lookup = [&](Value value) { return inBody.lookup(value); };
  for (OpOperand &operand : op->getOpOperands()) {
    if (operand.getOperandNumber() >= body.getNumArguments())
      continue;
    BlockArgument argument = body.getArgument(operand.getOperandNumber());
    Dependence dependence = known_.lookup(operand.get());
    if (argument.use_empty())
      continue;
    // An out holds the result of earlier iterations.
    if (op.isDpsInit(&operand) &&
        (dependence.exists() || op.getNumReductionLoops() != 0))
      inBody[argument] = {Kind::Unknown};
    else if (dependence.exists())
      inBody[argument] = {
          dependence.kind, dependence.degree,
          dependence.map.compose(op.getMatchingIndexingMap(&operand))};
  }
  for (Operation &inner : body.without_terminator()) {
    if (llvm::none_of(inner.getOperands(),
                      [&](Value operand) { return lookup(operand).exists(); }))
      continue;
    bool follows = inner.getNumResults() == 1 && inner.getNumRegions() == 0;
    for (Value result : inner.getResults())
      if (isFloat(result))
        inBody[result] =
            follows ? transfer(&inner, lookup) : Dependence{Kind::Unknown};
  }
  return llvm::all_of(op->getResults(), [&](OpResult result) {
    return !isFloat(result) ||
           record(result, ofResult(op, result.getResultNumber(), lookup));
  });
}

bool Walk::visit(Operation *op) {
  if (llvm::none_of(op->getOperands(),
                    [&](Value operand) { return known_.contains(operand); }))
    return true;
  if (op->hasTrait<OpTrait::IsTerminator>())
    return false;
  // Integers have no gradient.
  if (llvm::none_of(op->getResults(),
                    [](Value result) { return isFloat(result); }))
    return true;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return visitLinalg(linalgOp);
  if (isa<tensor::CastOp>(op))
    return isa<RankedTensorType>(op->getResult(0).getType()) &&
           record(op->getResult(0), known_.lookup(op->getOperand(0)));
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return visitReshape(op, expand.getReassociationIndices(),
                        expand.getResult(), /*expands=*/true);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return visitReshape(op, collapse.getReassociationIndices(),
                        collapse.getSrc(), /*expands=*/false);
  if (!OpTrait::hasElementwiseMappableTraits(op) || op->getNumResults() != 1)
    return false;
  return record(op->getResult(0), transfer(op, [&](Value value) {
                  return known_.lookup(value);
                }));
}

bool Walk::provesInvariance(ArrayRef<Operation *> following) {
  auto type = dyn_cast<RankedTensorType>(root_.getType());
  if (!type)
    return false;
  SmallVector<AffineExpr> indices;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.getDimSize(dim) != 1)
      indices.push_back(getAffineDimExpr(dim, root_.getContext()));
  AffineMap map =
      AffineMap::get(type.getRank(), 0, indices, root_.getContext());
  return record(root_, {Kind::Additive, 1, map}) &&
         llvm::all_of(following, [&](Operation *op) { return visit(op); }) &&
         visit(block_->getTerminator());
}

static bool isExtremum(OpResult result) {
  auto op = dyn_cast<linalg::LinalgOp>(result.getOwner());
  if (!op || op.getNumReductionLoops() == 0 || !isFloat(result))
    return false;
  Value yielded =
      op.getBlock()->getTerminator()->getOperand(result.getResultNumber());
  return isa_and_nonnull<arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
                         arith::MinNumFOp, arith::SelectOp>(
      yielded.getDefiningOp());
}

DenseSet<Value> findShiftInvariant(ArrayRef<Operation *> ops) {
  // The candidates: extrema, and values computed from them and constants alone.
  DenseSet<Value> tried, invariant;
  for (auto [number, op] : llvm::enumerate(ops)) {
    SmallVector<Value> sources;
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    for (OpOperand &operand : op->getOpOperands()) {
      bool isShape = linalgOp && linalgOp.isDpsInit(&operand);
      if (!isShape && isFloat(operand.get()) &&
          !matchPattern(outsideOf(operand.get()), m_Constant()))
        sources.push_back(operand.get());
    }
    bool isDerived =
        !sources.empty() && llvm::all_of(sources, [&](Value source) {
          return tried.contains(source);
        });
    // The gradient of a value computed from these sources is not needed.
    if (isDerived && llvm::all_of(sources, [&](Value source) {
          return invariant.contains(source);
        }))
      continue;
    for (OpResult result : op->getResults()) {
      if (!isFloat(result) || !(isDerived || isExtremum(result)))
        continue;
      tried.insert(result);
      if (Walk(result).provesInvariance(ops.drop_front(number + 1)))
        invariant.insert(result);
    }
  }
  return invariant;
}

} // namespace nibble
