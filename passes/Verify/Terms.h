// A function's results as terms over its named arguments, in a form that is the
// same for training and rollout.
#pragma once

#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

#include <deque>

namespace nibble {

// An inherent or discardable attribute of an op that is compared.
struct TermAttribute {
  // The op name under which it is compared. For an op with several spellings it
  // is the plain one (nn.linear for a qat.linear), so that the two correspond.
  std::string owner;
  // The op or argument that has it, as messages write it: "'qat.linear'",
  // "argument 'w'".
  std::string holder;
  mlir::StringAttr name;
  mlir::Attribute value;
};

// One value. Calls are inlined, so a weight has the same name inside and
// outside of a layer.
struct Term {
  enum class Kind {
    // `name` is that of the parameter, input or state.
    kArgument,
    // `operands[0]`, a weight, on the grid of `scheme`. If `packed` it is
    // decoded from codes, else rounded by fake_quant.
    kDecoded,
    // `name` is that of the op. For ops with several spellings it is the plain
    // one (nn.linear, nn.attention, arith.addf).
    kOp,
  };
  Kind kind = Kind::kOp;
  std::string name;
  mlir::Type type;               // as in the IR
  mlir::Operation *op = nullptr; // only for kOp and kDecoded
  mlir::Location loc;            // of the op in the IR
  unsigned result = 0;           // number of the op's result, for kOp
  // Attributes of all ops that the term stands for.
  llvm::SmallVector<TermAttribute> attributes;
  llvm::SmallVector<const Term *> operands;
  qat::SchemeAttr scheme;
  bool packed = false;
  bool someRows = false; // computed from nn.take_rows
};

// Owns the terms of any number of functions.
class TermBuilder {
public:
  explicit TermBuilder(mlir::SymbolTable &symbols) : symbols_(symbols) {}

  // The function's results. Fails with a diagnostic when something has no term:
  // recursion, control flow between blocks, or a call of an unknown function.
  // So does a paged attention on pages that were not just written.
  mlir::FailureOr<llvm::SmallVector<const Term *>>
  resultsOf(mlir::func::FuncOp function);

  // The number of values that have a term.
  size_t count() const { return terms_.size(); }

private:
  using Environment = llvm::DenseMap<mlir::Value, const Term *>;

  Term *make(Term::Kind kind, llvm::StringRef name, mlir::Type type,
             mlir::Operation *op, mlir::Location loc);
  // Gives the term the op's attributes, which are compared as those of `owner`.
  void hold(Term *term, mlir::Operation &op, llvm::StringRef owner);
  // A value that the op passes on unchanged. It is the same term, or a copy
  // that holds the op's attributes if some are compared.
  const Term *handOn(const Term *term, mlir::Operation &op);
  mlir::FailureOr<llvm::SmallVector<const Term *>>
  evaluate(mlir::func::FuncOp function, mlir::ArrayRef<const Term *> arguments);
  // Reports an error for an op whose attributes are missing in the terms of its
  // results.
  mlir::LogicalResult evaluate(mlir::Operation &op, Environment &values);
  mlir::LogicalResult makeTerms(mlir::Operation &op, Environment &values);
  mlir::LogicalResult makePlainTerms(mlir::Operation &op, Environment &values);
  mlir::LogicalResult call(mlir::func::CallOp op, Environment &values);
  const Term *linear(mlir::Operation &op, const Term *x, const Term *weight,
                     const Term *bias, const Term *residual);
  Term *decoded(mlir::Operation &op, const Term *weight, qat::SchemeAttr scheme,
                bool packed);

  mlir::SymbolTable &symbols_;
  std::deque<Term> terms_;
  llvm::DenseSet<mlir::Operation *> held_; // ops whose attributes a term holds
  llvm::DenseSet<mlir::Operation *> open_; // functions being evaluated
};

// The inherent and discardable attributes of an op, compared as those of
// `owner`, or of the op itself by default. With `all` they include those that
// are compared otherwise, but none that decides no bit (ExemptAttributes.h).
llvm::SmallVector<TermAttribute>
attributesOf(mlir::Operation &op, llvm::StringRef owner = {}, bool all = false);

} // namespace nibble
