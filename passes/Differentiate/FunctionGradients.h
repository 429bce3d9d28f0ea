// Backward functions of callees, each made once.
#pragma once

#include "passes/Differentiate/Gradients.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"

#include <map>

namespace nibble {

// What a caller wants of an argument of a callee.
enum class GradientMode {
  None,
  Own,        // a gradient in the argument's type
  Wide,       // a float32 gradient: the argument is computed from parameters
  Accumulate, // the argument is a parameter: its accumulator comes in and goes
              // out
};

// A callee's backward takes the callee's arguments (and, without recomputation,
// the values that `forward` keeps), then the gradients of the results that have
// one, then accumulators. It returns one gradient or accumulator for each
// argument that wants one, in argument order.
struct Backward {
  mlir::func::FuncOp function;
  // The callee returning also what the backward needs; null when the backward
  // computes it again.
  mlir::func::FuncOp forward;
};

class FunctionGradients {
public:
  // `recompute`: backward functions compute the callee's forward again from its
  // arguments, so that nothing but those is kept between forward and backward.
  FunctionGradients(mlir::ModuleOp module, bool recompute)
      : module_(module), symbols_(module), recompute_(recompute) {}

  // The backward of `callee` for these wishes. The same wishes give the same
  // function.
  llvm::FailureOr<Backward> get(mlir::func::FuncOp callee,
                                llvm::ArrayRef<GradientMode> arguments,
                                llvm::ArrayRef<bool> hasGradient);
  mlir::func::FuncOp lookup(llvm::StringRef name) const {
    return symbols_.lookup<mlir::func::FuncOp>(name);
  }
  // Adds `function` to the module, behind `after`, under its name or, where
  // that is taken, another.
  void insert(mlir::func::FuncOp function, mlir::func::FuncOp after);

private:
  llvm::FailureOr<Backward> build(mlir::func::FuncOp callee,
                                  llvm::ArrayRef<GradientMode> arguments,
                                  llvm::ArrayRef<bool> hasGradient);
  // Cuts the forward half, all before `end`, off `backward`.
  mlir::func::FuncOp splitForward(mlir::func::FuncOp callee,
                                  mlir::func::FuncOp backward,
                                  mlir::Operation *end,
                                  llvm::ArrayRef<mlir::Value> returned);

  mlir::ModuleOp module_;
  mlir::SymbolTable symbols_;
  bool recompute_;
  std::map<std::pair<std::string, std::string>, Backward> made_;
};

// The body of `source` at `builder`, with its arguments replaced; calls of
// public functions are written out, so that what remains is calls of private
// ones, the units of recomputation. Returns what it returned. Failure, after an
// error, when a function has no body or control flow.
llvm::FailureOr<llvm::SmallVector<mlir::Value>>
cloneForward(mlir::func::FuncOp source, mlir::ValueRange arguments,
             mlir::OpBuilder &builder);

// Folds what foreign front ends leave in loop bodies (an element packed into a
// tensor and taken out again).
llvm::LogicalResult simplifyForward(mlir::func::FuncOp function);

// The ops of the function's only block, in order, without the terminator.
llvm::SmallVector<mlir::Operation *> opsOf(mlir::func::FuncOp function);

// Erases ops whose results nobody reads, calls of functions without effects
// among them.
void eraseDeadCode(mlir::func::FuncOp function, mlir::SymbolTable &symbols);

// The string attribute `name` of an argument, or "".
llvm::StringRef argumentName(mlir::func::FuncOp function, unsigned argument,
                             llvm::StringRef name);

} // namespace nibble
