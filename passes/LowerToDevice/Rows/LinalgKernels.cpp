// Elementwise linalg on buffers, which models in linalg use between their
// contractions.
//
// A thread computes up to eight neighbours along the innermost dimension of the
// first output. The body is emitted for each of them. Arithmetic in bf16 is
// computed in float32 and rounded after each operation, as on the host.
#include "passes/LowerToDevice/DeviceKernels.h"
#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/xxhash.h"

#include <map>

using namespace mlir;

namespace nibble::device {

namespace {

constexpr int64_t kMostRank = 4;

bool isExact(Operation &op) {
  return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp,
             math::CountLeadingZerosOp, math::CountTrailingZerosOp,
             math::CtPopOp, math::FloorOp, math::FmaOp, math::RoundEvenOp,
             math::RoundOp, math::RsqrtOp, math::SqrtOp, math::TruncOp>(op);
}

// Whether the op becomes a polynomial in float32.
bool hasPolynomial(Operation &op) {
  return isa<math::AcosOp, math::AsinOp, math::AtanOp, math::Atan2Op,
             math::CbrtOp, math::CosOp, math::ErfOp, math::ErfcOp, math::ExpOp,
             math::ExpM1Op, math::LogOp, math::Log1pOp, math::Log2Op,
             math::SinOp, math::TanhOp>(op) &&
         llvm::all_of(op.getResultTypes(),
                      [](Type type) { return type.isF32() || type.isBF16(); });
}

LogicalResult checkMap(linalg::LinalgOp op, OpOperand &operand, AffineMap map,
                       bool isOutput) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  if (!type) {
    if (operand.get().getDefiningOp<arith::ConstantOp>())
      return success();
    return op.emitError() << "takes a scalar that is not a constant; on an "
                             "H200 operands are buffers";
  }
  if (!type.getLayout().isIdentity())
    return op.emitError() << "walks a strided view of type " << type
                          << "; on an H200 buffers are row-major";
  if (type.getRank() > kMostRank)
    return op.emitError() << "has an operand of rank " << type.getRank()
                          << "; an H200's elementwise kernels take ranks up to "
                          << kMostRank;
  if (isOutput && !map.isPermutation())
    return op.emitError() << "writes elements more than once: "
                          << AffineMapAttr::get(map)
                          << " is no permutation of the loops";
  for (AffineExpr expression : map.getResults())
    if (!isa<AffineDimExpr, AffineConstantExpr>(expression))
      return op.emitError() << "reads at " << AffineMapAttr::get(map)
                            << "; an H200's elementwise kernels take loops and "
                               "constants as indices";
  return success();
}

LogicalResult checkBody(linalg::LinalgOp op) {
  for (Operation &inner : *op.getBlock()) {
    if (isa<linalg::YieldOp, linalg::IndexOp>(inner))
      continue;
    bool known = isa<arith::ArithDialect>(inner.getDialect()) ||
                 isExact(inner) || hasPolynomial(inner);
    if (!known || inner.getNumRegions() > 0)
      return inner.emitError()
             << "'" << inner.getName()
             << "' has no form in an elementwise kernel of an H200";
    for (Value operand : inner.getOperands())
      if (operand.getParentRegion() != op.getBlock()->getParent() &&
          !operand.getDefiningOp<arith::ConstantOp>())
        return inner.emitError() << "uses a value from outside that is not a "
                                    "constant; on an H200 operands are buffers";
  }
  return success();
}

// The op as text, with the constants that it uses from outside.
std::string textOf(linalg::LinalgOp op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->print(stream, OpPrintingFlags().useLocalScope());
  auto addConstant = [&](Value value) {
    if (auto constant = value.getDefiningOp<arith::ConstantOp>())
      stream << constant.getValue();
  };
  llvm::for_each(op->getOperands(), addConstant);
  for (Operation &inner : *op.getBlock())
    llvm::for_each(inner.getOperands(), addConstant);
  return text;
}

// Emits the kernel of one linalg op.
class Elementwise {
public:
  Elementwise(linalg::LinalgOp op) : op_(op), first_(op.getDpsInits().front()) {
    // The loops in the order of the first output's dimensions.
    for (AffineExpr expression :
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getResults())
      loops_.push_back(cast<AffineDimExpr>(expression).getPosition());
    isFlat_ = llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
      AffineMap map = op.getMatchingIndexingMap(&operand);
      return map.isIdentity() || map.getNumResults() == 0;
    });
    bool usesIndices = !op.getBlock()->getOps<linalg::IndexOp>().empty();
    isFlat_ = isFlat_ && !usesIndices && !loops_.empty();
    for (OpOperand &operand : op->getOpOperands())
      if (auto type = dyn_cast<MemRefType>(operand.get().getType()))
        widest_ =
            std::max(widest_, type.getElementType().getIntOrFloatBitWidth());
  }

  LogicalResult launch(KernelWriter &writer) {
    write(writer);
    if (!isExpanded_)
      return op_.emitError()
             << "has functions whose polynomials do not come to an end";
    return success();
  }

private:
  void write(KernelWriter &writer) {
    OpBuilder host(op_);
    Location loc = op_.getLoc();
    ElementwiseSpec spec;
    spec.key = "elementwise_" + llvm::utohexstr(llvm::xxh3_64bits(textOf(op_)));
    for (OpOperand &operand : op_->getOpOperands())
      if (isa<MemRefType>(operand.get().getType()))
        spec.arguments.push_back(operand.get());
    spec.count = elementsOf(host, loc, first_);
    countPartlyRead(host, loc, spec);
    int64_t width = std::clamp<int64_t>(128 / widest_, 1, 8);
    auto type = cast<MemRefType>(first_.getType());
    if (isFlat_) {
      spec.width = width;
      spec.whole = isMultiple(first_, width);
      launchElementwise(
          writer, host, loc, spec,
          [&](Emitter &b, ValueRange arguments, Value first, int64_t count) {
            emit(
                b, arguments, count, [&](OpOperand &operand, int64_t) -> Value {
                  return op_.getMatchingIndexingMap(&operand).getNumResults() ==
                                 0
                             ? Value()
                             : first;
                });
          });
      return;
    }
    // Divides the innermost dimension into equal pieces.
    int64_t last = type.getRank() == 0 ? 1 : type.getShape().back();
    while (last == ShapedType::kDynamic ? width > 1 : last % width != 0)
      width /= 2;
    spec.width = 1;
    if (width > 1)
      spec.count = host.createOrFold<arith::DivUIOp>(
          loc, spec.count, arith::ConstantIndexOp::create(host, loc, width));
    for (OpOperand &operand : op_->getOpOperands())
      if (auto type = dyn_cast<MemRefType>(operand.get().getType()))
        for (int64_t dim = 1; dim < type.getRank(); ++dim)
          if (type.isDynamicDim(dim)) {
            extentArguments_[{operand.getOperandNumber(), dim}] =
                spec.arguments.size();
            spec.arguments.push_back(
                memref::DimOp::create(host, loc, operand.get(), dim));
          }
    launchElementwise(
        writer, host, loc, spec,
        [&](Emitter &b, ValueRange arguments, Value first, int64_t) {
          unravel(b, arguments, b.narrow(first), width);
          emit(b, arguments, width, [&](OpOperand &operand, int64_t i) {
            return placeOf(b, arguments, operand, i);
          });
        });
  }

  // Counts inputs that the loops do not read completely, because a dimension
  // has a constant index or is not indexed at all.
  void countPartlyRead(OpBuilder &host, Location loc, ElementwiseSpec &spec) {
    for (OpOperand *operand : op_.getDpsInputOperands()) {
      auto type = dyn_cast<MemRefType>(operand->get().getType());
      AffineMap map = op_.getMatchingIndexingMap(operand);
      bool isRead = !op_.getMatchingBlockArgument(operand).use_empty();
      if (!type || (isRead && llvm::all_of(map.getResults(), [](AffineExpr e) {
                      return isa<AffineDimExpr>(e);
                    })))
        continue;
      if (!spec.touches)
        spec.touches = arith::ConstantIndexOp::create(host, loc, 0);
      spec.partly.push_back(operand->get());
      if (!isRead)
        continue;
      Value bytes = arith::ConstantIndexOp::create(
          host, loc, std::max(1u, type.getElementTypeBitWidth() / 8));
      for (auto [dim, expression] : llvm::enumerate(map.getResults()))
        if (isa<AffineDimExpr>(expression)) {
          Value number = arith::ConstantIndexOp::create(host, loc, dim);
          Value extent =
              host.createOrFold<memref::DimOp>(loc, operand->get(), number);
          bytes = host.createOrFold<arith::MulIOp>(loc, bytes, extent);
        }
      spec.touches = host.createOrFold<arith::AddIOp>(loc, spec.touches, bytes);
    }
  }

  // The number of an operand's buffer among the launch's arguments.
  int64_t argumentOf(OpOperand &operand) const {
    int64_t number = 0;
    for (OpOperand &other : op_->getOpOperands()) {
      if (&other == &operand)
        break;
      number += isa<MemRefType>(other.get().getType());
    }
    return number;
  }
  Value extentOf(Emitter &b, ValueRange arguments, OpOperand &operand,
                 int64_t dim) {
    auto type = cast<MemRefType>(operand.get().getType());
    return type.isDynamicDim(dim) ? arguments[extentArguments_.at(
                                        {operand.getOperandNumber(), dim})]
                                  : b.i32(type.getDimSize(dim));
  }

  // The loop indices at the piece's first element.
  void unravel(Emitter &b, ValueRange arguments, Value piece, int64_t width) {
    int64_t rank = static_cast<int64_t>(loops_.size());
    indices_.assign(rank, Value());
    for (int64_t dim = rank - 1; dim >= 0; --dim) {
      Value index = piece;
      if (dim > 0) {
        Value extent = extentOf(b, arguments, *op_.getDpsInitOperand(0), dim);
        Value steps = dim == rank - 1 ? b.divI(extent, width) : extent;
        index = b.remI(piece, steps);
        piece = b.divI(piece, steps);
      }
      indices_[loops_[dim]] = dim == rank - 1 ? b.mulI(index, width) : index;
    }
  }

  // Whether the innermost loop is the operand's innermost dimension.
  bool isAlong(OpOperand &operand) {
    AffineMap map = op_.getMatchingIndexingMap(&operand);
    if (isFlat_ || map.getNumResults() == 0 || loops_.empty())
      return isFlat_ && map.getNumResults() > 0;
    auto last = dyn_cast<AffineDimExpr>(map.getResults().back());
    bool elsewhere =
        llvm::any_of(map.getResults().drop_back(), [&](AffineExpr expression) {
          auto dim = dyn_cast<AffineDimExpr>(expression);
          return dim && dim.getPosition() == loops_.back();
        });
    return last && last.getPosition() == loops_.back() && !elsewhere;
  }

  // The position of the operand's element for neighbour `i`; null when it has
  // one element only.
  Value placeOf(Emitter &b, ValueRange arguments, OpOperand &operand,
                int64_t i) {
    AffineMap map = op_.getMatchingIndexingMap(&operand);
    Value place;
    for (auto [dim, expression] : llvm::enumerate(map.getResults())) {
      Value index;
      if (auto loop = dyn_cast<AffineDimExpr>(expression)) {
        index = indices_[loop.getPosition()];
        if (loop.getPosition() == loops_.back() && i > 0)
          index = b.addI(index, i);
      } else {
        index = b.i32(cast<AffineConstantExpr>(expression).getValue());
      }
      place = place
                  ? b.place(place, extentOf(b, arguments, operand, dim), index)
                  : b.wide(index);
    }
    return place;
  }

  // Loads `width` elements of one operand, in its element type.
  SmallVector<Value>
  load(Emitter &b, Value pointer, OpOperand &operand, int64_t width,
       llvm::function_ref<Value(OpOperand &, int64_t)> place) {
    Type element = elementOf(operand.get());
    Type stored = element.isInteger(1) ? b.getI8Type() : element;
    auto loadOne = [&](Value at) -> Value {
      Value value = b.load(at ? b.at(pointer, stored, at) : pointer, stored);
      return stored == element
                 ? value
                 : arith::TruncIOp::create(b, element, value).getResult();
    };
    AffineMap map = op_.getMatchingIndexingMap(&operand);
    bool moves = isFlat_
                     ? map.getNumResults() > 0
                     : !loops_.empty() && map.isFunctionOfDim(loops_.back());
    if (!moves)
      return SmallVector<Value>(width, loadOne(place(operand, 0)));
    SmallVector<Value> values;
    if (isAlong(operand) && stored == element && width > 1) {
      Value vector = b.load(b.at(pointer, element, place(operand, 0)),
                            b.vectorOf(element, width));
      for (int64_t i = 0; i < width; ++i)
        values.push_back(b.extract(vector, i));
      return values;
    }
    for (int64_t i = 0; i < width; ++i) {
      Value at = place(operand, i);
      values.push_back(loadOne(isFlat_ && i > 0 ? b.addI(at, i) : at));
    }
    return values;
  }

  void store(Emitter &b, ArrayRef<Value> values, Value pointer,
             OpOperand &operand,
             llvm::function_ref<Value(OpOperand &, int64_t)> place) {
    Type element = elementOf(operand.get());
    Type stored = element.isInteger(1) ? b.getI8Type() : element;
    if (isAlong(operand) && stored == element && values.size() > 1)
      return b.store(b.fromElements(values),
                     b.at(pointer, element, place(operand, 0)));
    for (auto [i, value] : llvm::enumerate(values)) {
      Value at = place(operand, i);
      if (isFlat_ && i > 0)
        at = b.addI(at, static_cast<int64_t>(i));
      Value bits = stored == element
                       ? value
                       : arith::ExtUIOp::create(b, stored, value).getResult();
      b.store(bits, at ? b.at(pointer, stored, at) : pointer);
    }
  }

  void emit(Emitter &b, ValueRange arguments, int64_t width,
            llvm::function_ref<Value(OpOperand &, int64_t)> place) {
    SmallVector<IRMapping> mappings(width);
    for (OpOperand &operand : op_->getOpOperands()) {
      BlockArgument argument = op_.getMatchingBlockArgument(&operand);
      if (argument.use_empty())
        continue;
      SmallVector<Value> values;
      if (isa<MemRefType>(operand.get().getType()))
        values = load(b, arguments[argumentOf(operand)], operand, width, place);
      else
        values.assign(width,
                      b.clone(*operand.get().getDefiningOp())->getResult(0));
      for (int64_t i = 0; i < width; ++i)
        mappings[i].map(argument, values[i]);
    }
    SmallVector<SmallVector<Value>> results(op_.getNumDpsInits());
    for (int64_t i = 0; i < width; ++i) {
      for (Operation &inner : op_.getBlock()->without_terminator())
        cloneInner(b, inner, mappings[i], i);
      for (auto [result, value] :
           llvm::enumerate(op_.getBlock()->getTerminator()->getOperands()))
        results[result].push_back(lookUp(b, mappings[i], value));
    }
    for (int64_t result = 0; result < op_.getNumDpsInits(); ++result) {
      OpOperand &output = *op_.getDpsInitOperand(result);
      store(b, results[result], arguments[argumentOf(output)], output, place);
    }
    expandPolynomials();
  }

  Value lookUp(Emitter &b, IRMapping &mapping, Value value) {
    if (mapping.contains(value))
      return mapping.lookup(value);
    Value constant = b.clone(*value.getDefiningOp())->getResult(0);
    mapping.map(value, constant);
    return constant;
  }

  void cloneInner(Emitter &b, Operation &inner, IRMapping &mapping,
                  int64_t neighbour) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      Value value = indices_[index.getDim()];
      if (static_cast<int64_t>(index.getDim()) == loops_.back())
        value = b.addI(value, neighbour);
      mapping.map(
          index.getResult(),
          arith::IndexCastUIOp::create(b, b.getIndexType(), value).getResult());
      return;
    }
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(lookUp(b, mapping, operand));
    // Ops that move bits, and conversions between bf16 and float32, are emitted
    // unchanged.
    bool asIs = isa<arith::ConstantOp, arith::BitcastOp, arith::SelectOp,
                    arith::ExtFOp, arith::TruncFOp>(inner);
    SmallVector<Type> types(inner.getResultTypes());
    if (!asIs) {
      for (Value &operand : operands)
        operand = b.widen(operand);
      for (Type &type : types)
        type = type.isBF16() ? b.getF32Type() : type;
    }
    SmallVector<Value> made;
    if (isa<math::ExpOp>(inner))
      made = {b.exp(operands[0])};
    else if (isa<math::LogOp>(inner))
      made = {b.log(operands[0])};
    else {
      OperationState state(inner.getLoc(), inner.getName(), operands, types,
                           inner.getAttrs());
      state.propertiesAttr = inner.getPropertiesAsAttribute();
      Operation *copy = b.create(state);
      if (hasPolynomial(inner))
        polynomials_.push_back(copy);
      made.assign(copy->getResults().begin(), copy->getResults().end());
    }
    for (auto [original, value] : llvm::zip(inner.getResults(), made))
      mapping.map(original, asIs ? value : b.round(value, original.getType()));
  }

  void expandPolynomials() {
    if (polynomials_.empty())
      return;
    RewritePatternSet patterns(op_.getContext());
    populateMathPolynomialApproximationPatterns(patterns);
    GreedyRewriteConfig config;
    config.setStrictness(GreedyRewriteStrictness::ExistingAndNewOps);
    isExpanded_ = succeeded(applyOpPatternsGreedily(
                      polynomials_, std::move(patterns), config)) &&
                  isExpanded_;
    polynomials_.clear();
  }

  linalg::LinalgOp op_;
  Value first_; // output
  SmallVector<int64_t> loops_;
  bool isFlat_ = false;
  unsigned widest_ = 8;
  SmallVector<Value> indices_; // of the loops, in the kernel being emitted
  std::map<std::pair<unsigned, int64_t>, size_t>
      extentArguments_; // (operand, dimension) to the launch's argument
  SmallVector<Operation *> polynomials_;
  bool isExpanded_ = true;
};

} // namespace

LogicalResult emitElementwise(KernelWriter &writer, linalg::LinalgOp op) {
  if (op.getNumLoops() != op.getNumParallelLoops())
    return op.emitError() << "'" << op->getName()
                          << "' has a loop that reduces; of linalg only what "
                             "goes element by element has a kernel on an H200";
  for (OpOperand &operand : op->getOpOperands())
    if (failed(checkMap(op, operand, op.getMatchingIndexingMap(&operand),
                        op.isDpsInit(&operand))))
      return failure();
  if (failed(checkBody(op)))
    return failure();
  return Elementwise(op).launch(writer);
}

} // namespace nibble::device
