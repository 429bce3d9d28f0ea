// Copies forward functions, and removes the dead code that a reverse sweep
// leaves.
#include "passes/Differentiate/FunctionGradients.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace nibble {

static FailureOr<SmallVector<Value>>
cloneInto(func::FuncOp source, ValueRange arguments, OpBuilder &builder,
          SymbolTableCollection &symbols,
          SmallVectorImpl<func::FuncOp> &active) {
  if (source.isExternal() || !source.getBody().hasOneBlock())
    return source.emitOpError()
           << "@" << source.getSymName()
           << " cannot be differentiated: it needs a body of one block";
  if (llvm::is_contained(active, source))
    return source.emitOpError() << "@" << source.getSymName()
                                << " cannot be differentiated: it calls itself";
  active.push_back(source);
  IRMapping mapping;
  mapping.map(source.getArguments(), arguments);
  for (Operation &op : source.getBody().front().without_terminator()) {
    auto call = dyn_cast<func::CallOp>(op);
    auto callee = call ? symbols.lookupNearestSymbolFrom<func::FuncOp>(
                             call, call.getCalleeAttr())
                       : func::FuncOp();
    if (!callee || callee.isPrivate()) {
      builder.clone(op, mapping);
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : call.getOperands())
      operands.push_back(mapping.lookup(operand));
    FailureOr<SmallVector<Value>> returned =
        cloneInto(callee, operands, builder, symbols, active);
    if (failed(returned))
      return failure();
    mapping.map(call.getResults(), *returned);
  }
  active.pop_back();
  SmallVector<Value> returned;
  for (Value value : source.getBody().front().getTerminator()->getOperands())
    returned.push_back(mapping.lookup(value));
  return returned;
}

FailureOr<SmallVector<Value>>
cloneForward(func::FuncOp source, ValueRange arguments, OpBuilder &builder) {
  SymbolTableCollection symbols;
  SmallVector<func::FuncOp> active;
  return cloneInto(source, arguments, builder, symbols, active);
}

LogicalResult simplifyForward(func::FuncOp function) {
  RewritePatternSet patterns(function.getContext());
  tensor::ExtractOp::getCanonicalizationPatterns(patterns,
                                                 function.getContext());
  if (failed(applyPatternsGreedily(function, std::move(patterns))))
    return function.emitOpError()
           << "@" << function.getSymName() << " could not be simplified";
  // Ops such as linalg.softmax, which have no body of their own.
  SmallVector<linalg::AggregatedOpInterface> whole;
  function.walk([&](linalg::AggregatedOpInterface op) { whole.push_back(op); });
  IRRewriter rewriter(function.getContext());
  for (linalg::AggregatedOpInterface op : whole) {
    rewriter.setInsertionPoint(op);
    FailureOr<SmallVector<Value>> parts = op.decomposeOperation(rewriter);
    if (failed(parts))
      return op.emitOpError()
             << "could not be written as the ops that it is made of";
    rewriter.replaceOp(op, *parts);
  }
  return success();
}

SmallVector<Operation *> opsOf(func::FuncOp function) {
  SmallVector<Operation *> ops;
  for (Operation &op : function.getBody().front().without_terminator())
    ops.push_back(&op);
  return ops;
}

static bool hasNoEffects(Operation *op, SymbolTable &symbols) {
  auto call = dyn_cast<func::CallOp>(op);
  if (!call)
    return isMemoryEffectFree(op) || isa<func::ReturnOp>(op);
  auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
  if (!callee || callee.isExternal() || !callee.getBody().hasOneBlock())
    return false;
  return llvm::all_of(callee.getBody().front(), [&](Operation &inner) {
    return hasNoEffects(&inner, symbols);
  });
}

void eraseDeadCode(func::FuncOp function, SymbolTable &symbols) {
  SmallVector<Operation *> ops = opsOf(function);
  for (Operation *op : llvm::reverse(ops))
    if (isOpTriviallyDead(op) ||
        (isa<func::CallOp>(op) && op->use_empty() && hasNoEffects(op, symbols)))
      op->erase();
}

StringRef argumentName(func::FuncOp function, unsigned argument,
                       StringRef name) {
  auto value = function.getArgAttrOfType<StringAttr>(argument, name);
  return value ? value.getValue() : StringRef();
}

} // namespace nibble
