#include "lib/Frontend/Linalg/WeightSource.h"

#include "dialects/NN/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nibble;

std::string WeightSource::describe() const {
  if (!parameter)
    return "a constant";
  auto function = cast<func::FuncOp>(parameter.getOwner()->getParentOp());
  if (auto name = function.getArgAttrOfType<StringAttr>(parameter.getArgNumber(), nn::kParameterAttr))
    return ("parameter '" + name.getValue() + "'").str();
  return ("argument " + Twine(parameter.getArgNumber()) + " of @" + function.getSymName()).str();
}

int64_t nibble::argumentOf(Value value) {
  while (auto extended = value.getDefiningOp<arith::ExtFOp>())
    value = extended.getIn();
  auto argument = dyn_cast<BlockArgument>(value);
  return argument ? argument.getArgNumber() : -1;
}

// What a linalg op copies element by element, widened or not; null when it does something else.
static Value copiedBy(linalg::LinalgOp op) {
  if (!op || op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 0 ||
      !op.hasPureTensorSemantics() || argumentOf(op.getBlock()->getTerminator()->getOperand(0)) != 0 ||
      !op.getIndexingMapsArray()[1].isPermutation())
    return {};
  Value source = op->getOperand(0);
  return isa<RankedTensorType>(source.getType()) ? source : Value();
}

// The map of loops to elements behind a reshape that adds or removes extents of one; null when it does more. `groups`
// has, for each dimension of the side that has fewer, those of the other.
static AffineMap throughUnitExtents(AffineMap map, RankedTensorType more, ArrayRef<ReassociationIndices> groups,
                                    bool fewerIsSource) {
  SmallVector<AffineExpr> results(fewerIsSource ? groups.size() : more.getRank(),
                                  getAffineConstantExpr(0, map.getContext()));
  for (auto [dim, group] : llvm::enumerate(groups)) {
    SmallVector<int64_t> large =
        llvm::filter_to_vector(group, [&](int64_t inner) { return more.getDimSize(inner) != 1; });
    if (large.size() > 1)
      return {};
    if (large.empty())
      continue;
    if (fewerIsSource)
      results[dim] = map.getResult(large[0]);
    else
      results[large[0]] = map.getResult(dim);
  }
  return AffineMap::get(map.getNumDims(), 0, results, map.getContext());
}

// A constant of two dimensions or more that are not of extent one.
static bool isConstantMatrix(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && llvm::count_if(type.getShape(), [](int64_t extent) { return extent != 1; }) >= 2;
}

namespace {

// One walk from a value back to what it is made of.
class Tracer {
public:
  Tracer(const ParameterArguments &parameters) : parameters(parameters) {}

  WeightSource trace(Value value, AffineMap map) {
    WeightSource source;
    source.map = map;
    // The map fits the elements behind an obstacle no more.
    auto obstruct = [&](const Twine &why) {
      if (source.obstacle.empty())
        source.obstacle = why.str();
      source.map = AffineMap();
    };
    while (Operation *op = value.getDefiningOp()) {
      Value next;
      if (op->hasTrait<OpTrait::ConstantLike>()) {
        source.isWeight = isConstantMatrix(value);
        obstruct("of the module is no parameter; make it an argument with nn.parameter");
        return source;
      }
      if (auto copy = dyn_cast<linalg::LinalgOp>(op); (next = copiedBy(copy))) {
        SmallVector<AffineMap> maps = copy.getIndexingMapsArray();
        if (source.map)
          source.map = maps[0].compose(inversePermutation(maps[1])).compose(source.map);
      } else if (isa<arith::ExtFOp, tensor::CastOp>(op)) {
        next = op->getOperand(0);
      } else if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
        next = op->getOperand(0);
        auto expand = dyn_cast<tensor::ExpandShapeOp>(op);
        auto groups =
            expand ? expand.getReassociationIndices() : cast<tensor::CollapseShapeOp>(op).getReassociationIndices();
        auto more = cast<RankedTensorType>((expand ? value : next).getType());
        if (source.map)
          source.map = throughUnitExtents(source.map, more, groups, expand != nullptr);
        if (!source.map)
          obstruct(reshaped(next.getType(), value.getType()));
      } else if (isa<tensor::ReshapeOp>(op)) {
        next = op->getOperand(0);
        obstruct(reshaped(next.getType(), value.getType()));
      } else if (isa<tensor::ExtractSliceOp>(op)) {
        next = op->getOperand(0);
        obstruct("is cut to a slice of type " + textOf(value.getType()) + " first");
      } else {
        return computed(op, source);
      }
      value = next;
    }
    auto argument = dyn_cast<BlockArgument>(value);
    source.isWeight = argument && parameters.contains(argument);
    source.parameter = source.isWeight ? argument : BlockArgument();
    return source;
  }

private:
  static std::string textOf(Type type) {
    std::string text;
    llvm::raw_string_ostream(text) << type;
    return text;
  }
  static std::string reshaped(Type from, Type to) {
    return "is reshaped from " + textOf(from) + " to " + textOf(to) + " first";
  }

  // Any other op of the dialects that compute: a weight when all that goes in is.
  WeightSource computed(Operation *op, WeightSource source) {
    if (!isa<arith::ArithDialect, math::MathDialect, linalg::LinalgDialect, tensor::TensorDialect>(op->getDialect()) ||
        ++steps > kMostSteps)
      return source;
    BlockArgument parameter;
    for (Value operand : op->getOperands()) {
      if (!isa<RankedTensorType>(operand.getType()) || operand.getDefiningOp<tensor::EmptyOp>() || isConstant(operand))
        continue;
      WeightSource part = trace(operand, AffineMap::getMultiDimIdentityMap(
                                             cast<RankedTensorType>(operand.getType()).getRank(), op->getContext()));
      if (!part.parameter)
        return source;
      parameter = parameter ? parameter : part.parameter;
    }
    if (!parameter)
      return source;
    source.isWeight = true;
    source.parameter = parameter;
    if (source.obstacle.empty())
      source.obstacle = narrows(op) ? "is rounded to a narrower type first"
                                    : ("is changed by '" + op->getName().getStringRef() + "' first").str();
    return source;
  }

  // A constant, or a tensor filled with one.
  static bool isConstant(Value value) {
    auto fill = value.getDefiningOp<linalg::FillOp>();
    return matchPattern(fill ? fill.getInputs()[0] : value, m_Constant());
  }

  static bool narrows(Operation *op) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    return isa<arith::TruncFOp>(op) || (generic && generic.getBody()->getOperations().size() == 2 &&
                                        isa<arith::TruncFOp>(generic.getBody()->front()));
  }

  static constexpr int kMostSteps = 64; // of values that are made of several others, so that the walk ends soon
  const ParameterArguments &parameters;
  int steps = 0;
};

} // namespace

WeightSource nibble::traceWeight(Value value, AffineMap map, const ParameterArguments &parameters) {
  return Tracer(parameters).trace(value, map);
}
