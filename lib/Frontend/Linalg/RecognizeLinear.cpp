// nibble-recognize-linear: turns contractions with a parameter into nn.linear.
#include "lib/Frontend/Linalg/Contraction.h"
#include "lib/Frontend/Linalg/Passes.h"
#include "lib/Frontend/Linalg/WeightSource.h"

#include "dialects/NN/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-recognize-linear"

ALWAYS_ENABLED_STATISTIC(NumRecognized, "contractions that became nn.linear");

namespace nibble {
#define GEN_PASS_DEF_RECOGNIZELINEARPASS
#include "lib/Frontend/Linalg/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

namespace {

// Transposes the tensor to another order of dimensions.
Value transpose(OpBuilder &b, Location loc, Value value,
                ArrayRef<int64_t> order) {
  if (llvm::equal(order, llvm::seq<int64_t>(0, order.size())))
    return value;
  SmallVector<OpFoldResult> extents = tensor::getMixedSizes(b, loc, value);
  SmallVector<OpFoldResult> moved =
      llvm::map_to_vector(order, [&](int64_t dim) { return extents[dim]; });
  Value out = tensor::EmptyOp::create(
      b, loc, moved, cast<RankedTensorType>(value.getType()).getElementType());
  return linalg::TransposeOp::create(b, loc, value, out, order)->getResult(0);
}

class RecognizeLinear final
    : public OpInterfaceRewritePattern<linalg::LinalgOp> {
public:
  RecognizeLinear(MLIRContext *context, const ParameterArguments &parameters)
      : OpInterfaceRewritePattern(context), parameters_(parameters) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    Mismatch mismatch;
    FailureOr<Contraction> found = matchContraction(op, parameters_, mismatch);
    if (failed(found))
      return rewriter.notifyMatchFailure(op, mismatch.reason);
    Location loc = op.getLoc();
    auto out = cast<RankedTensorType>(op->getResult(0).getType());
    Value x = transpose(rewriter, loc, found->x, found->xOrder);
    Value weight = found->parameter;
    if (found->turned)
      weight = transpose(rewriter, loc, weight, {1, 0});
    Value y = product(rewriter, loc, x, weight, out.getElementType());
    y = transpose(rewriter, loc, y, found->resultOrder);
    if (y.getType() != out)
      y = tensor::CastOp::create(rewriter, loc, out, y);
    if (found->init)
      y = arith::AddFOp::create(rewriter, loc, y, found->init);
    rewriter.replaceOp(op, y);
    ++NumRecognized;
    return success();
  }

private:
  // Returns [tokens..., N] for x [tokens..., K] and a weight [N, K]. All
  // dimensions but the last are collapsed into tokens; a single vector is one
  // token.
  static Value product(OpBuilder &b, Location loc, Value x, Value weight,
                       Type element) {
    int64_t features = cast<RankedTensorType>(weight.getType()).getDimSize(0);
    auto shape =
        llvm::to_vector(cast<RankedTensorType>(x.getType()).getShape());
    int64_t rank = static_cast<int64_t>(shape.size());
    shape.back() = features;
    auto out = RankedTensorType::get(shape, element);
    SmallVector<OpFoldResult> extents = tensor::getMixedSizes(b, loc, x);
    extents.back() = b.getIndexAttr(features);
    auto linear = [&](Value rows) -> Value {
      auto type = RankedTensorType::get(
          {cast<RankedTensorType>(rows.getType()).getDimSize(0), features},
          element);
      return nn::LinearOp::create(b, loc, type, rows, weight, Value(), Value());
    };
    if (rank == 1) {
      auto row = RankedTensorType::get(
          {1, cast<RankedTensorType>(x.getType()).getDimSize(0)},
          getElementTypeOrSelf(x.getType()));
      SmallVector<ReassociationIndices> whole = {{0, 1}};
      return tensor::CollapseShapeOp::create(
          b, loc, linear(tensor::ExpandShapeOp::create(b, loc, row, x, whole)),
          whole);
    }
    if (rank == 2)
      return linear(x);
    SmallVector<ReassociationIndices> groups = {
        llvm::to_vector<2>(llvm::seq<int64_t>(0, rank - 1)), {rank - 1}};
    return tensor::ExpandShapeOp::create(
        b, loc, out, linear(tensor::CollapseShapeOp::create(b, loc, x, groups)),
        groups, extents);
  }

  const ParameterArguments &parameters_;
};

class RecognizeLinearPass final
    : public nibble::impl::RecognizeLinearPassBase<RecognizeLinearPass> {
public:
  using RecognizeLinearPassBase::RecognizeLinearPassBase;

  void runOnOperation() override {
    if (layout != "argument" && layout != "value") {
      emitError(getOperation().getLoc())
          << "nibble-recognize-linear: layout is 'argument' or 'value', not '"
          << layout << "'";
      return signalPassFailure();
    }
    if (failed(nameArguments()))
      return signalPassFailure();
    ParameterArguments parameters(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && failed(recognize(function, parameters)))
        return signalPassFailure();
  }

private:
  LogicalResult nameArguments();
  LogicalResult recognize(func::FuncOp function,
                          const ParameterArguments &parameters);
  void turnArguments(func::FuncOp function,
                     const ParameterArguments &parameters);
  LogicalResult reportLeft(func::FuncOp function,
                           const ParameterArguments &parameters);
};

} // namespace

// Sets the names from `parameters`, then the names for the program's table.
LogicalResult RecognizeLinearPass::nameArguments() {
  auto function = getOperation().lookupSymbol<func::FuncOp>(functionName);
  if (!function) {
    if (parameters.empty())
      return success();
    return emitError(getOperation().getLoc())
           << "nibble-recognize-linear: there is no function @" << functionName
           << " to name parameters of";
  }
  Builder b(&getContext());
  SmallVector<StringRef> entries;
  StringRef(parameters).split(entries, ',', -1, /*KeepEmpty=*/false);
  for (StringRef entry : entries) {
    auto [number, name] = entry.split(':');
    unsigned index;
    if (number.getAsInteger(10, index) || name.empty() ||
        index >= function.getNumArguments())
      return emitError(function.getLoc())
             << "nibble-recognize-linear: parameters has '" << entry
             << "', not <number of an argument of @" << functionName
             << ">:<name>";
    function.setArgAttr(index, nn::kParameterAttr, b.getStringAttr(name));
  }
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (!function.getArgAttr(i, nn::kParameterAttr) &&
        !function.getArgAttr(i, nn::kInputAttr) &&
        !function.getArgAttr(i, nn::kStateAttr))
      function.setArgAttr(i, nn::kInputAttr, b.getStringAttr("arg" + Twine(i)));
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (!function.getResultAttr(i, nn::kOutputAttr))
      function.setResultAttr(i, nn::kOutputAttr,
                             b.getStringAttr("result" + Twine(i)));
  return success();
}

// A square argument accepts the old values as well as their transpose, so its
// extents do not tell the caller that the layout has changed.
static void warnOfSquare(func::FuncOp function,
                         ArrayRef<BlockArgument> square) {
  if (square.empty())
    return;
  WeightSource first;
  first.parameters.push_back(square.front());
  InFlightDiagnostic diagnostic = emitWarning(function.getLoc());
  diagnostic << "nibble-recognize-linear: " << first.describe();
  bool isOne = square.size() == 1;
  if (!isOne)
    diagnostic << " and " << square.size() - 1 << " more";
  diagnostic << (isOne ? " is" : " are")
             << " square and turned to [N, K]: bind "
             << (isOne ? "its transpose" : "their transposes")
             << ", or keep [K, N] with layout=value";
}

// [K, N] parameters of a function that nothing calls become [N, K], and other
// users read their transpose. A parameter that some product reads as [N, K]
// stays.
void RecognizeLinearPass::turnArguments(func::FuncOp function,
                                        const ParameterArguments &parameters) {
  llvm::SetVector<BlockArgument> turned;
  // Parameters that another product reads as they are, and would have to turn
  // back.
  DenseSet<BlockArgument> straight;
  function.walk([&](linalg::LinalgOp op) {
    Mismatch mismatch;
    FailureOr<Contraction> found = matchContraction(op, parameters, mismatch);
    if (succeeded(found) && !found->turned)
      straight.insert(found->parameter);
    else if (succeeded(found) &&
             found->parameter.getOwner() == &function.getBody().front())
      turned.insert(found->parameter);
  });
  turned.remove_if(
      [&](BlockArgument argument) { return straight.contains(argument); });
  auto uses = SymbolTable::getSymbolUses(function, getOperation());
  if (!uses || !uses->empty())
    return;
  OpBuilder b = OpBuilder::atBlockBegin(&function.getBody().front());
  SmallVector<BlockArgument> square;
  for (BlockArgument argument : turned) {
    auto type = cast<RankedTensorType>(argument.getType());
    argument.setType(RankedTensorType::get(
        {type.getDimSize(1), type.getDimSize(0)}, type.getElementType()));
    Value back = transpose(b, function.getLoc(), argument, {1, 0});
    argument.replaceAllUsesExcept(back, back.getDefiningOp());
    function.setArgAttr(argument.getArgNumber(), nn::kTransposedAttr,
                        b.getUnitAttr());
    if (type.getDimSize(0) == type.getDimSize(1))
      square.push_back(argument);
  }
  warnOfSquare(function, square);
  function.setFunctionType(b.getFunctionType(
      function.getBody().getArgumentTypes(), function.getResultTypes()));
}

// Warns about each product with a weight that stays linalg, because it is never
// quantized.
LogicalResult
RecognizeLinearPass::reportLeft(func::FuncOp function,
                                const ParameterArguments &parameters) {
  bool left = false;
  function.walk([&](linalg::LinalgOp op) {
    Mismatch mismatch;
    if (succeeded(matchContraction(op, parameters, mismatch)) ||
        !mismatch.hasWeight)
      return;
    left = true;
    InFlightDiagnostic diagnostic =
        strict ? emitError(op.getLoc()) : emitWarning(op.getLoc());
    diagnostic
        << "nibble-recognize-linear: '" << op->getName()
        << "' does not become nn.linear, so its weight cannot be quantized: "
        << mismatch.reason;
  });
  return failure(left && strict);
}

LogicalResult
RecognizeLinearPass::recognize(func::FuncOp function,
                               const ParameterArguments &parameters) {
  // The legalization of StableHLO packs elements of loop bodies into tensors
  // and extracts them again.
  RewritePatternSet simplify(&getContext());
  tensor::ExtractOp::getCanonicalizationPatterns(simplify, &getContext());
  if (failed(applyPatternsGreedily(function, std::move(simplify))))
    return emitError(function.getLoc())
           << "nibble-recognize-linear: @" << function.getSymName()
           << " could not be simplified";
  if (layout == "argument")
    turnArguments(function, parameters);
  RewritePatternSet patterns(&getContext());
  patterns.add<RecognizeLinear>(&getContext(), parameters);
  if (failed(applyPatternsGreedily(function, std::move(patterns))))
    return emitError(function.getLoc())
           << "nibble-recognize-linear: the rewriting of @"
           << function.getSymName() << " did not end";
  return reportLeft(function, parameters);
}
