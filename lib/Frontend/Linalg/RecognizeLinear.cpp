//===- RecognizeLinear.cpp - parameter matmuls to nn.linear ----------------===//

#include "lib/Frontend/Linalg/Contraction.h"
#include "lib/Frontend/Linalg/Passes.h"

#include "dialects/NN/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include "llvm/ADT/SetVector.h"

#define DEBUG_TYPE "nibble-recognize-linear"

namespace nibble {
#define GEN_PASS_DEF_RECOGNIZELINEARPASS
#include "lib/Frontend/Linalg/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

namespace {

// The transpose of a matrix.
Value transpose(OpBuilder &b, Location loc, Value matrix) {
  auto type = cast<RankedTensorType>(matrix.getType());
  Value out = tensor::EmptyOp::create(b, loc, {type.getDimSize(1), type.getDimSize(0)}, type.getElementType());
  return linalg::TransposeOp::create(b, loc, matrix, out, ArrayRef<int64_t>{1, 0})->getResult(0);
}

class RecognizeLinear final : public OpInterfaceRewritePattern<linalg::LinalgOp> {
public:
  RecognizeLinear(MLIRContext *context, std::function<void()> count)
      : OpInterfaceRewritePattern(context), count(std::move(count)) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    std::string reason;
    FailureOr<Contraction> found = matchContraction(op, reason);
    if (failed(found))
      return rewriter.notifyMatchFailure(op, reason);
    Location loc = op.getLoc();
    auto out = cast<RankedTensorType>(op->getResult(0).getType());
    int64_t rank = out.getRank();
    Value x = found->x, weight = found->parameter;
    SmallVector<OpFoldResult> extents = tensor::getMixedSizes(rewriter, loc, x);
    if (found->turned)
      weight = transpose(rewriter, loc, weight);
    // Everything but the features is tokens.
    auto leading = llvm::to_vector<2>(llvm::seq<int64_t>(0, rank - 1));
    SmallVector<ReassociationIndices> groups = {leading, {rank - 1}};
    if (rank > 2)
      x = tensor::CollapseShapeOp::create(rewriter, loc, x, groups);
    auto rows = cast<RankedTensorType>(x.getType()).getDimSize(0);
    auto flat = RankedTensorType::get({rows, out.getDimSize(rank - 1)}, out.getElementType());
    Value y = nn::LinearOp::create(rewriter, loc, flat, x, weight, Value(), Value());
    if (rank > 2) {
      extents.back() = rewriter.getIndexAttr(out.getDimSize(rank - 1));
      y = tensor::ExpandShapeOp::create(rewriter, loc, out, y, groups, extents);
    }
    if (y.getType() != out)
      y = tensor::CastOp::create(rewriter, loc, out, y);
    if (found->init)
      y = arith::AddFOp::create(rewriter, loc, y, found->init);
    rewriter.replaceOp(op, y);
    count();
    return success();
  }

private:
  std::function<void()> count;
};

class RecognizeLinearPass final : public nibble::impl::RecognizeLinearPassBase<RecognizeLinearPass> {
public:
  using RecognizeLinearPassBase::RecognizeLinearPassBase;

  void runOnOperation() override {
    if (layout != "argument" && layout != "value") {
      getOperation().emitError() << "nibble-recognize-linear: layout is 'argument' or 'value', not '" << layout << "'";
      return signalPassFailure();
    }
    if (failed(nameArguments()))
      return signalPassFailure();
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && failed(recognize(function)))
        return signalPassFailure();
  }

private:
  LogicalResult nameArguments();
  LogicalResult recognize(func::FuncOp function);
  void turnArguments(func::FuncOp function);
};

} // namespace

// Names from `parameters`, then names for the program's table.
LogicalResult RecognizeLinearPass::nameArguments() {
  auto function = getOperation().lookupSymbol<func::FuncOp>(functionName);
  if (!function) {
    if (parameters.empty())
      return success();
    return getOperation().emitError() << "nibble-recognize-linear: there is no function @" << functionName
                                      << " to name parameters of";
  }
  Builder b(&getContext());
  SmallVector<StringRef> entries;
  StringRef(parameters).split(entries, ',', -1, /*KeepEmpty=*/false);
  for (StringRef entry : entries) {
    auto [number, name] = entry.split(':');
    unsigned index;
    if (number.getAsInteger(10, index) || name.empty() || index >= function.getNumArguments())
      return function.emitError() << "nibble-recognize-linear: parameters has '" << entry
                                  << "', not <number of an argument of @" << functionName << ">:<name>";
    function.setArgAttr(index, nn::kParameterAttr, b.getStringAttr(name));
  }
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (!function.getArgAttr(i, nn::kParameterAttr) && !function.getArgAttr(i, nn::kInputAttr) &&
        !function.getArgAttr(i, nn::kStateAttr))
      function.setArgAttr(i, nn::kInputAttr, b.getStringAttr("arg" + Twine(i)));
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (!function.getResultAttr(i, nn::kOutputAttr))
      function.setResultAttr(i, nn::kOutputAttr, b.getStringAttr("result" + Twine(i)));
  return success();
}

// [K, N] parameters of a function that nobody calls become [N, K]; what else reads them reads their transpose.
void RecognizeLinearPass::turnArguments(func::FuncOp function) {
  llvm::SetVector<BlockArgument> turned;
  function.walk([&](linalg::LinalgOp op) {
    std::string reason;
    FailureOr<Contraction> found = matchContraction(op, reason);
    if (succeeded(found) && found->turned && found->parameter.getOwner() == &function.getBody().front())
      turned.insert(found->parameter);
  });
  auto uses = SymbolTable::getSymbolUses(function, getOperation());
  if (!uses || !uses->empty())
    return;
  OpBuilder b = OpBuilder::atBlockBegin(&function.getBody().front());
  for (BlockArgument argument : turned) {
    auto type = cast<RankedTensorType>(argument.getType());
    argument.setType(RankedTensorType::get({type.getDimSize(1), type.getDimSize(0)}, type.getElementType()));
    Value back = transpose(b, function.getLoc(), argument);
    argument.replaceAllUsesExcept(back, back.getDefiningOp());
    function.setArgAttr(argument.getArgNumber(), nn::kTransposedAttr, b.getUnitAttr());
  }
  function.setFunctionType(b.getFunctionType(function.getBody().getArgumentTypes(), function.getResultTypes()));
}

LogicalResult RecognizeLinearPass::recognize(func::FuncOp function) {
  // StableHLO's legalization packs elements of loop bodies into tensors and takes them out again.
  RewritePatternSet simplify(&getContext());
  tensor::ExtractOp::getCanonicalizationPatterns(simplify, &getContext());
  if (failed(applyPatternsGreedily(function, std::move(simplify))))
    return function.emitError() << "nibble-recognize-linear: @" << function.getSymName() << " could not be simplified";
  if (layout == "argument")
    turnArguments(function);
  RewritePatternSet patterns(&getContext());
  patterns.add<RecognizeLinear>(&getContext(), [this] { ++recognized; });
  if (failed(applyPatternsGreedily(function, std::move(patterns))))
    return function.emitError() << "nibble-recognize-linear: the rewriting of @" << function.getSymName()
                                << " did not end";
  return success();
}
