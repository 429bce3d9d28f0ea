// Finds the readers of a weight and says why one of them keeps it in full
// precision.
#include "passes/Quantize/Unquantized.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace nibble;

namespace {

// An op that reads a parameter, and the first op on the way that computed
// another value from it; null for a direct read.
struct Read {
  Operation *op;
  Operation *through;
};

// All reads of a parameter, also in the functions that are called with it.
class Reads {
public:
  Reads(ModuleOp module, BlockArgument parameter) : symbols_(module) {
    collect(parameter, nullptr);
  }

  bool isQuantized = false;
  SmallVector<Read> linears;  // linears that read it in full precision
  SmallVector<Read> products; // sums of products other than nn.linear
  SmallVector<Read> others;

private:
  // Whether the op combines the parameter with another value and sums.
  static bool isProduct(Operation *op) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    return linalgOp && linalgOp.getNumDpsInputs() >= 2 &&
           linalgOp.getNumReductionLoops() > 0;
  }
  // Whether the op only moves or converts the parameter's elements.
  static bool isCopy(Operation *op) {
    if (op->getNumResults() != 1 ||
        !isa<TensorType>(op->getResult(0).getType()))
      return false;
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
      return linalgOp.getNumDpsInputs() == 1 &&
             linalgOp.getNumReductionLoops() == 0;
    return isa<tensor::TensorDialect, arith::ArithDialect>(op->getDialect());
  }

  void collect(Value value, Operation *through) {
    if (!seen_.insert(value).second)
      return;
    for (OpOperand &use : value.getUses()) {
      Operation *op = use.getOwner();
      if (isa<qat::FakeQuantOp>(op)) {
        isQuantized |= through == nullptr;
      } else if (auto call = dyn_cast<func::CallOp>(op)) {
        auto callee = symbols_.lookup<func::FuncOp>(call.getCallee());
        if (callee && !callee.isDeclaration())
          collect(callee.getArgument(use.getOperandNumber()), through);
      } else if (auto linear = dyn_cast<nn::LinearOp>(op)) {
        (linear.getWeight() == value ? linears : others)
            .push_back({op, through});
      } else if (isProduct(op)) {
        products.push_back({op, through});
      } else if (isCopy(op)) {
        others.push_back({op, through});
        collect(op->getResult(0), through ? through : op);
      } else {
        others.push_back({op, through});
      }
    }
  }

  SymbolTable symbols_;
  DenseSet<Value> seen_;
};

} // namespace

bool nibble::isVector(BlockArgument parameter) {
  auto type = dyn_cast<ShapedType>(parameter.getType());
  return !type || !type.hasRank() || type.getRank() < 2;
}

bool nibble::isQuantized(ModuleOp module, BlockArgument parameter) {
  return Reads(module, parameter).isQuantized;
}

int64_t nibble::reportUnquantized(ModuleOp module, BlockArgument parameter,
                                  StringRef name, bool quantizedElsewhere,
                                  bool strict) {
  if (isVector(parameter))
    return 0;
  auto type = cast<ShapedType>(parameter.getType());
  Reads reads(module, parameter);
  int64_t count = 0;
  auto report = [&](Location loc) {
    ++count;
    InFlightDiagnostic diagnostic = strict ? emitError(loc) : emitWarning(loc);
    diagnostic << "nibble-quantize: parameter '" << name
               << "' is named by the recipe and stays in full precision";
    diagnostic << (reads.isQuantized ? " here: " : ": ");
    return diagnostic;
  };
  Type element = type.getElementType();
  if (!reads.isQuantized) {
    Location loc = parameter.getOwner()->getParentOp()->getLoc();
    if (!isa<RankedTensorType>(type)) {
      report(loc) << "it is of type " << type
                  << ", and what is quantized are tensors: quantize before "
                     "bufferization";
      return count;
    }
    if (type.getRank() != 2 || !(element.isBF16() || element.isF32())) {
      report(loc) << "it is of type " << type
                  << ", and what is quantized are matrices [N, K] of bf16 or "
                     "f32; exclude it to say so";
      return count;
    }
  }
  for (Read read : reads.linears) {
    InFlightDiagnostic diagnostic = report(read.op->getLoc());
    if (read.through)
      diagnostic << "'nn.linear' reads it through '" << read.through->getName()
                 << "', not as it is";
    else
      diagnostic
          << "'nn.linear' reads it in a function that the recipe leaves out";
  }
  for (Read read : reads.products)
    report(read.op->getLoc())
        << "'" << read.op->getName()
        << "' reads it, and only weights of 'nn.linear' are quantized; "
           "nibble-recognize-linear says why it is none";
  if (count > 0 || reads.isQuantized || quantizedElsewhere)
    return count;
  if (reads.others.empty())
    report(parameter.getOwner()->getParentOp()->getLoc()) << "nothing reads it";
  else
    report(reads.others.front().op->getLoc())
        << "no 'nn.linear' reads it, but '"
        << reads.others.front().op->getName() << "' does; exclude it to say so";
  return count;
}
