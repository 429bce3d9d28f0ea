// The machinery behind lib/Reference/Reference.h: how a kernel sees its op, and
// the tables of kernels.
#pragma once

#include "lib/Reference/Reference.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

#include <memory>

namespace nibble::reference {

using Handle = std::shared_ptr<const ReferenceValue>;
using Environment = llvm::DenseMap<mlir::Value, Handle>;

class Interpreter;

// One execution of one operation.
class Call {
public:
  Call(Interpreter &interpreter, Environment &environment, mlir::Operation *op)
      : interpreter(interpreter), environment(environment), op(op) {}

  Interpreter &interpreter;
  Environment &environment;
  mlir::Operation *const op;

  // The operand's value: `call[op.getX()]`.
  const ReferenceValue &operator[](mlir::Value operand) const {
    return *environment.find(operand)->second;
  }
  Handle handle(mlir::Value operand) const {
    return environment.find(operand)->second;
  }

  // Room for a result, all zero; null, after an error, when it is larger than
  // allowed or is not what its type says.
  ReferenceValue *make(mlir::Value result, llvm::ArrayRef<int64_t> shape);
  // A result that is a value already there.
  void set(mlir::Value result, Handle value) {
    environment[result] = std::move(value);
  }

  // E(value): rounded to `element` unless the options say exact.
  double round(double value, mlir::Type element) const;
  const ReferenceOptions &options() const;

  // An error unless the operand has this shape.
  llvm::LogicalResult expectShape(mlir::Value operand,
                                  llvm::ArrayRef<int64_t> shape) const;
  // An error unless every integer of the operand lies in [0, bound).
  llvm::LogicalResult expectInRange(mlir::Value operand, int64_t bound) const;
  mlir::InFlightDiagnostic error() const {
    return op->emitOpError() << "in the reference: ";
  }
};

using Kernel = llvm::LogicalResult (*)(Call &);

// Name of an op to its meaning.
class KernelTable {
public:
  // add<&rmsNorm>() for `LogicalResult rmsNorm(nn::RMSNormOp op, Call &call)`.
  template <auto function> void add() { addTyped<function>(function); }
  void add(llvm::StringRef name, Kernel kernel) { kernels_[name] = kernel; }
  Kernel find(llvm::StringRef name) const { return kernels_.lookup(name); }

private:
  template <auto function, typename Op>
  void addTyped(llvm::LogicalResult (*)(Op, Call &)) {
    kernels_[Op::getOperationName()] = [](Call &call) {
      return function(llvm::cast<Op>(call.op), call);
    };
  }
  llvm::StringMap<Kernel> kernels_;
};

const KernelTable &kernelTable();

// Each file of kernels adds its own.
void addControlFlowKernels(KernelTable &table); // func.call, scf.for, scf.if
void addElementwiseKernels(KernelTable &table); // arith and math over scalars
                                                // and tensors, arith.constant
void addTensorKernels(KernelTable &table);
void addLinalgKernels(KernelTable &table);
void addLayerKernels(
    KernelTable &table); // nn: embedding, norms, rope, swiglu, take_rows
void addLayerGradientKernels(KernelTable &table); // nn: their gradients
void addLinearKernels(
    KernelTable &table); // nn.linear, qat.linear and gradients
void addAttentionKernels(KernelTable &table); // nn.attention, nn.attention_grad
void addPagedAttentionKernels(KernelTable &table);
void addLossKernels(KernelTable &table);   // nn: log-probability, sums, adamw
void addSampleKernels(KernelTable &table); // nn.sample
void addQATKernels(KernelTable &table);
void addFusedKernels(KernelTable &table); // ops that stand for several

class Interpreter {
public:
  explicit Interpreter(const ReferenceOptions &options) : options(options) {}
  const ReferenceOptions options;

  llvm::FailureOr<llvm::SmallVector<Handle>>
  callFunction(mlir::func::FuncOp function, llvm::ArrayRef<Handle> arguments);
  // Runs a block's operations; what its terminator passes on is the result. The
  // environment keeps every value.
  llvm::FailureOr<llvm::SmallVector<Handle>>
  runBlock(mlir::Block &block, llvm::ArrayRef<Handle> arguments,
           Environment &environment);
  // Counts `steps` operations; failure after an error at `op` once there are
  // too many.
  llvm::LogicalResult count(mlir::Operation *op, int64_t steps = 1);

private:
  llvm::LogicalResult runOperation(mlir::Operation &op,
                                   Environment &environment);
  int64_t steps_ = 0;
  int depth_ = 0;
};

} // namespace nibble::reference
