// The implementation of lib/Reference/Reference.h: how a kernel accesses its
// op, and the tables of kernels.
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

  // Allocates a result and sets it to zero. Null, after an error, when it is
  // larger than allowed or does not match its type.
  ReferenceValue *make(mlir::Value result, llvm::ArrayRef<int64_t> shape);
  // Makes an existing value a result.
  void set(mlir::Value result, Handle value) {
    environment[result] = std::move(value);
  }

  // E(value): rounded to `element` unless the options ask for exact values.
  double round(double value, mlir::Type element) const;
  const ReferenceOptions &options() const;

  // Reports an error unless the operand has this shape.
  llvm::LogicalResult expectShape(mlir::Value operand,
                                  llvm::ArrayRef<int64_t> shape) const;
  // Reports an error unless every integer of the operand lies in [0, bound).
  llvm::LogicalResult expectInRange(mlir::Value operand, int64_t bound) const;
  mlir::InFlightDiagnostic error() const {
    return op->emitOpError() << "in the reference: ";
  }
};

using Kernel = llvm::LogicalResult (*)(Call &);

// Maps the name of an op to its kernel.
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

// func.call, scf.for, scf.if
void addControlFlowKernels(KernelTable &table);
// arith and math on scalars and tensors, arith.constant
void addElementwiseKernels(KernelTable &table);
void addTensorKernels(KernelTable &table);
void addLinalgKernels(KernelTable &table);
// nn: embedding, norms, rope, swiglu, take_rows
void addLayerKernels(KernelTable &table);
// nn: their gradients
void addLayerGradientKernels(KernelTable &table);
// nn.linear, qat.linear and their gradients
void addLinearKernels(KernelTable &table);
// nn.attention, nn.attention_grad
void addAttentionKernels(KernelTable &table);
void addPagedAttentionKernels(KernelTable &table);
// nn: log-probability, sums, adamw
void addLossKernels(KernelTable &table);
// nn.sample
void addSampleKernels(KernelTable &table);
void addQATKernels(KernelTable &table);
// Ops that fuse several others.
void addFusedKernels(KernelTable &table);

class Interpreter {
public:
  explicit Interpreter(const ReferenceOptions &options) : options(options) {}
  const ReferenceOptions options;

  llvm::FailureOr<llvm::SmallVector<Handle>>
  callFunction(mlir::func::FuncOp function, llvm::ArrayRef<Handle> arguments);
  // Runs a block's operations and returns the operands of its terminator. The
  // environment keeps every value.
  llvm::FailureOr<llvm::SmallVector<Handle>>
  runBlock(mlir::Block &block, llvm::ArrayRef<Handle> arguments,
           Environment &environment);
  // Counts `steps` operations. Fails, after an error at `op`, beyond the limit.
  llvm::LogicalResult count(mlir::Operation *op, int64_t steps = 1);

private:
  llvm::LogicalResult runOperation(mlir::Operation &op,
                                   Environment &environment);
  int64_t steps_ = 0;
  int depth_ = 0;
};

} // namespace nibble::reference
