// Backward functions of callees. Each is made once.
#pragma once

#include "passes/Differentiate/Gradients.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"

#include <map>

namespace nibble {

// The gradient that a caller needs for an argument of a callee.
enum class GradientMode {
  None,
  Own,  // a gradient in the argument's type
  Wide, // a float32 gradient: the argument is computed from parameters
  // The argument is a parameter: its accumulator is passed in and returned.
  Accumulate,
};

// The backward of a callee takes the callee's arguments, then the gradients of
// the results that have one, then accumulators. Without recomputation the
// values that `forward` keeps follow the callee's arguments. It returns one
// gradient or accumulator for each argument that needs one, in argument order.
struct Backward {
  mlir::func::FuncOp function;
  // The callee, which also returns what the backward needs; null when the
  // backward recomputes it.
  mlir::func::FuncOp forward;
};

class FunctionGradients {
public:
  // With `recompute`, backward functions recompute the callee's forward from
  // its arguments, so that only those are kept between forward and backward.
  FunctionGradients(mlir::ModuleOp module, bool recompute)
      : module_(module), symbols_(module), recompute_(recompute) {}

  // The backward of `callee` for these needs. The same needs give the same
  // function.
  llvm::FailureOr<Backward> get(mlir::func::FuncOp callee,
                                llvm::ArrayRef<GradientMode> arguments,
                                llvm::ArrayRef<bool> hasGradient);
  mlir::func::FuncOp lookup(llvm::StringRef name) const {
    return symbols_.lookup<mlir::func::FuncOp>(name);
  }
  // Adds `function` to the module after `after`. If its name is taken, the
  // function is renamed.
  void insert(mlir::func::FuncOp function, mlir::func::FuncOp after);

private:
  llvm::FailureOr<Backward> build(mlir::func::FuncOp callee,
                                  llvm::ArrayRef<GradientMode> arguments,
                                  llvm::ArrayRef<bool> hasGradient);
  // Moves the forward half, all ops before `end`, out of `backward`.
  mlir::func::FuncOp splitForward(mlir::func::FuncOp callee,
                                  mlir::func::FuncOp backward,
                                  mlir::Operation *end,
                                  llvm::ArrayRef<mlir::Value> returned);

  mlir::ModuleOp module_;
  mlir::SymbolTable symbols_;
  bool recompute_;
  std::map<std::pair<std::string, std::string>, Backward> made_;
};

// Clones the body of `source` at `builder` with its arguments replaced, and
// returns the values that it returned. Calls of public functions are inlined.
// Calls of private functions remain, as the units of recomputation. Fails,
// after an error, when a function has no body or control flow.
llvm::FailureOr<llvm::SmallVector<mlir::Value>>
cloneForward(mlir::func::FuncOp source, mlir::ValueRange arguments,
             mlir::OpBuilder &builder);

// Folds what foreign front ends leave in loop bodies, such as an element that
// is packed into a tensor and extracted again.
llvm::LogicalResult simplifyForward(mlir::func::FuncOp function);

// The ops of the function's only block, in order, without the terminator.
llvm::SmallVector<mlir::Operation *> opsOf(mlir::func::FuncOp function);

// Erases ops whose results have no readers, including calls of functions
// without effects.
void eraseDeadCode(mlir::func::FuncOp function, mlir::SymbolTable &symbols);

// The string attribute `name` of an argument, or "".
llvm::StringRef argumentName(mlir::func::FuncOp function, unsigned argument,
                             llvm::StringRef name);

} // namespace nibble
