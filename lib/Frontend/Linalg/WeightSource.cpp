// Follows a value back through casts, copies, reshapes and slices to the
// parameter that it is read from.
#include "lib/Frontend/Linalg/WeightSource.h"

#include "dialects/NN/NN.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace nibble;

static std::string nameOf(BlockArgument parameter, bool &isNamed) {
  auto function = cast<func::FuncOp>(parameter.getOwner()->getParentOp());
  auto name = function.getArgAttrOfType<StringAttr>(parameter.getArgNumber(),
                                                    nn::kParameterAttr);
  isNamed = name != nullptr;
  if (name)
    return ("'" + name.getValue() + "'").str();
  return ("argument " + Twine(parameter.getArgNumber()) + " of @" +
          function.getSymName())
      .str();
}

std::string WeightSource::describe() const {
  if (parameters.empty())
    return constant;
  std::string text;
  for (auto [i, parameter] : llvm::enumerate(parameters)) {
    bool isNamed = false;
    std::string name = nameOf(parameter, isNamed);
    if (i > 0)
      text += i + 1 == parameters.size() ? " and " : ", ";
    else if (isNamed)
      text += parameters.size() > 1 ? "parameters " : "parameter ";
    text += name;
  }
  return text;
}

std::string WeightSource::explain() const {
  return describe() + (parameters.size() > 1 ? " are " : " is ") + obstacle;
}

int64_t nibble::argumentOf(Value value) {
  while (auto extended = value.getDefiningOp<arith::ExtFOp>())
    value = extended.getIn();
  auto argument = dyn_cast<BlockArgument>(value);
  return argument ? argument.getArgNumber() : -1;
}

// The operand that a linalg op copies element by element, possibly widened;
// null for any other op.
static Value copiedBy(linalg::LinalgOp op) {
  if (!op || op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() != 0 || !op.hasPureTensorSemantics() ||
      argumentOf(op.getBlock()->getTerminator()->getOperand(0)) != 0 ||
      !op.getIndexingMapsArray()[1].isPermutation())
    return {};
  Value source = op->getOperand(0);
  return isa<RankedTensorType>(source.getType()) ? source : Value();
}

// The map from loops to elements behind a reshape that adds or removes unit
// dimensions; null for any other reshape. `groups` lists, for each dimension of
// the side that has fewer, the dimensions of the other side.
static AffineMap throughUnitExtents(AffineMap map, RankedTensorType more,
                                    ArrayRef<ReassociationIndices> groups,
                                    bool fewerIsSource) {
  SmallVector<AffineExpr> results(fewerIsSource ? groups.size()
                                                : more.getRank(),
                                  getAffineConstantExpr(0, map.getContext()));
  for (auto [dim, group] : llvm::enumerate(groups)) {
    SmallVector<int64_t> large = llvm::filter_to_vector(
        group, [&](int64_t inner) { return more.getDimSize(inner) != 1; });
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

bool nibble::isMatrixType(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  return shaped && shaped.hasRank() &&
         llvm::count_if(shaped.getShape(),
                        [](int64_t extent) { return extent != 1; }) >= 2;
}

static std::string textOf(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

std::optional<CopiedRead> nibble::readBehindCopy(const TensorRead &read) {
  Operation *op = read.tensor.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto copy = dyn_cast<linalg::LinalgOp>(op)) {
    Value source = copiedBy(copy);
    if (!source)
      return std::nullopt;
    SmallVector<AffineMap> maps = copy.getIndexingMapsArray();
    AffineMap map =
        read.map
            ? maps[0].compose(inversePermutation(maps[1])).compose(read.map)
            : AffineMap();
    return CopiedRead{{source, map}, {}};
  }
  if (isa<arith::ExtFOp, tensor::CastOp>(op))
    return CopiedRead{{op->getOperand(0), read.map}, {}};
  Value source = op->getNumOperands() > 0 ? op->getOperand(0) : Value();
  AffineMap map;
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
    auto expand = dyn_cast<tensor::ExpandShapeOp>(op);
    auto groups =
        expand ? expand.getReassociationIndices()
               : cast<tensor::CollapseShapeOp>(op).getReassociationIndices();
    auto more =
        cast<RankedTensorType>((expand ? read.tensor : source).getType());
    AffineMap whole = AffineMap::getMultiDimIdentityMap(
        cast<RankedTensorType>(read.tensor.getType()).getRank(),
        op->getContext());
    map = throughUnitExtents(read.map ? read.map : whole, more, groups,
                             expand != nullptr);
  } else if (isa<tensor::ExtractSliceOp>(op)) {
    return CopiedRead{{source, {}},
                      "cut to a slice of type " +
                          textOf(read.tensor.getType()) + " first"};
  } else if (!isa<tensor::ReshapeOp>(op)) {
    return std::nullopt;
  }
  std::string change;
  if (!map)
    change = "reshaped from " + textOf(source.getType()) + " to " +
             textOf(read.tensor.getType()) + " first";
  return CopiedRead{{source, read.map ? map : AffineMap()}, change};
}

namespace {

// One walk from a value back to what it is made of.
class Tracer {
public:
  Tracer(const ParameterArguments &parameters) : parameters_(parameters) {}

  WeightSource trace(TensorRead read) {
    WeightSource source;
    while (std::optional<CopiedRead> copied = readBehindCopy(read)) {
      if (source.obstacle.empty())
        source.obstacle = copied->change;
      read = copied->read;
    }
    source.map = read.map;
    read.tensor = behindBuffer(read.tensor);
    Operation *op = read.tensor.getDefiningOp();
    if (std::string constant = op ? constantOf(op) : ""; !constant.empty()) {
      source.isConstant = true;
      source.isWeight = isMatrixType(read.tensor.getType());
      source.constant = std::move(constant);
      if (source.obstacle.empty())
        source.obstacle = kNoParameter;
    } else if (op) {
      computed(op, source);
    } else if (auto argument = cast<BlockArgument>(read.tensor);
               parameters_.contains(argument)) {
      source.isWeight = true;
      source.parameters.push_back(argument);
    }
    return source;
  }

private:
  static constexpr char kNoParameter[] =
      "no parameter; make it an argument with nn.parameter";

  // The buffer that a tensor is read from, without views of it, or else the
  // tensor itself.
  static Value behindBuffer(Value value) {
    if (auto read = value.getDefiningOp<bufferization::ToTensorOp>())
      value = read.getBuffer();
    while (auto view = value.getDefiningOp<ViewLikeOpInterface>()) {
      if (!isa<BaseMemRefType>(value.getType()))
        break;
      value = view.getViewSource();
    }
    return value;
  }

  // What an op provides that is the same at every call: a constant, or the
  // contents of a symbol. A symbol counts only if no op with operands, such as
  // a store, names it. Empty for other ops.
  static std::string constantOf(Operation *op) {
    if (op->hasTrait<OpTrait::ConstantLike>())
      return "a constant of the module";
    if (op->getNumOperands() != 0 || op->getNumRegions() != 0)
      return {};
    for (NamedAttribute attribute : op->getAttrs()) {
      auto symbol = dyn_cast<SymbolRefAttr>(attribute.getValue());
      if (!symbol)
        continue;
      if (Operation *held = SymbolTable::lookupNearestSymbolFrom(op, symbol)) {
        auto uses = SymbolTable::getSymbolUses(
            held, SymbolTable::getNearestSymbolTable(op));
        if (uses && llvm::any_of(*uses, [](SymbolTable::SymbolUse use) {
              return use.getUser()->getNumOperands() != 0;
            }))
          return {};
      }
      std::string text = "the value of ";
      llvm::raw_string_ostream(text) << symbol;
      return text;
    }
    return {};
  }

  // Handles any other op of the computing dialects. Its result is a weight when
  // all its inputs are.
  void computed(Operation *op, WeightSource &source) {
    if (!isa<arith::ArithDialect, math::MathDialect, linalg::LinalgDialect,
             tensor::TensorDialect>(op->getDialect()) ||
        ++steps_ > kMostSteps)
      return;
    // Bodies can also read elements of tensors from outside.
    llvm::SetVector<Value> operands(op->operand_begin(), op->operand_end());
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    operands.insert(captured.begin(), captured.end());
    llvm::SetVector<BlockArgument> made;
    std::string constant;
    bool isConstant = true;
    for (Value operand : operands) {
      auto type = dyn_cast<RankedTensorType>(operand.getType());
      if (operand.getDefiningOp<tensor::EmptyOp>() || isFilled(operand))
        continue;
      if (!type) {
        isConstant = false;
        continue;
      }
      WeightSource part =
          trace({operand, AffineMap::getMultiDimIdentityMap(type.getRank(),
                                                            op->getContext())});
      if (!part.isWeight && !part.isConstant)
        return;
      made.insert(part.parameters.begin(), part.parameters.end());
      if (part.isWeight && constant.empty())
        constant = part.constant;
    }
    source.isConstant = isConstant && made.empty();
    if (made.empty()) {
      source.isWeight = isConstant && !constant.empty() &&
                        isMatrixType(op->getResult(0).getType());
      source.constant = std::move(constant);
      source.obstacle = kNoParameter;
      return;
    }
    source.isWeight = true;
    source.parameters.assign(made.begin(), made.end());
    auto isTensor = [](Value value) {
      return isa<RankedTensorType>(value.getType());
    };
    std::string by = (" by '" + op->getName().getStringRef() + "' first").str();
    if (source.obstacle.empty())
      source.obstacle = narrows(op) ? "rounded to a narrower type first"
                        : llvm::any_of(captured, isTensor)
                            ? "read element by element" + by
                            : "changed" + by;
  }

  // A scalar constant or a tensor filled with one. A matrix with several
  // numbers is not.
  static bool isFilled(Value value) {
    auto fill = value.getDefiningOp<linalg::FillOp>();
    Attribute constant;
    return matchPattern(fill ? fill.getInputs()[0] : value,
                        m_Constant(&constant)) &&
           (!isMatrixType(value.getType()) || fill ||
            isa<SplatElementsAttr>(constant));
  }

  static bool narrows(Operation *op) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    return isa<arith::TruncFOp>(op) ||
           (generic && generic.getBody()->getOperations().size() == 2 &&
            isa<arith::TruncFOp>(generic.getBody()->front()));
  }

  // Limit on the values visited, so that a walk through ops with several
  // operands ends soon.
  static constexpr int kMostSteps = 64;
  const ParameterArguments &parameters_;
  int steps_ = 0;
};

} // namespace

WeightSource nibble::traceWeight(const TensorRead &read,
                                 const ParameterArguments &parameters) {
  return Tracer(parameters).trace(read);
}
