// A function's results as terms over its named arguments, in a form in which
// training and rollout are spelled alike.
#pragma once

#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

#include <deque>

namespace nibble {

// An attribute of an op, inherent or discardable, that is compared.
struct TermAttribute {
  // What it is compared under: the name of the op, and of what several ops
  // spell the plain one (nn.linear of a qat.linear), so that the two
  // correspond.
  std::string owner;
  // Who has it, as the IR is written: "'qat.linear'", "argument 'w'".
  std::string holder;
  mlir::StringAttr name;
  mlir::Attribute value;
};

// One value. Calls are gone, and with them the difference between a weight's
// name inside a layer and outside.
struct Term {
  enum class Kind {
    kArgument, // `name`: of the parameter, input or state
    kDecoded,  // `operands[0]`, a weight, on the grid of `scheme`; `packed`:
               // decoded from codes, else by fake_quant
    kOp,       // `name`: of the op; of what several ops spell, the plain one
               // (nn.linear, nn.attention, arith.addf)
  };
  Kind kind = Kind::kOp;
  std::string name;
  mlir::Type type;               // as in the IR
  mlir::Operation *op = nullptr; // of kOp and kDecoded
  mlir::Location loc;            // where it is written
  unsigned result = 0;           // of kOp: which one
  // Of every op that the term stands for.
  llvm::SmallVector<TermAttribute> attributes;
  llvm::SmallVector<const Term *> operands;
  qat::SchemeAttr scheme;
  bool packed = false;
  bool someRows = false; // below nn.take_rows
};

// Owns the terms of any number of functions.
class TermBuilder {
public:
  explicit TermBuilder(mlir::SymbolTable &symbols) : symbols(symbols) {}

  // The function's results; a diagnostic where something has no term:
  // recursion, control flow between blocks, a call of nothing known, a paged
  // attention over pages that were not just written.
  mlir::FailureOr<llvm::SmallVector<const Term *>>
  resultsOf(mlir::func::FuncOp function);

  // How many values have been made a term of.
  size_t count() const { return terms.size(); }

private:
  using Environment = llvm::DenseMap<mlir::Value, const Term *>;

  Term *make(Term::Kind kind, llvm::StringRef name, mlir::Type type,
             mlir::Operation *op, mlir::Location loc);
  // The term gets the op's attributes, to be compared as those of `owner`.
  void hold(Term *term, mlir::Operation &op, llvm::StringRef owner);
  // A value that the op hands on as it is: the same term where the op has no
  // attribute that is compared, else a copy that holds them.
  const Term *handOn(const Term *term, mlir::Operation &op);
  mlir::FailureOr<llvm::SmallVector<const Term *>>
  evaluate(mlir::func::FuncOp function, mlir::ArrayRef<const Term *> arguments);
  // An error for an op whose results' terms do not hold its attributes.
  mlir::LogicalResult evaluate(mlir::Operation &op, Environment &values);
  mlir::LogicalResult makeTerms(mlir::Operation &op, Environment &values);
  mlir::LogicalResult makePlainTerms(mlir::Operation &op, Environment &values);
  mlir::LogicalResult call(mlir::func::CallOp op, Environment &values);
  const Term *linear(mlir::Operation &op, const Term *x, const Term *weight,
                     const Term *bias, const Term *residual);
  Term *decoded(mlir::Operation &op, const Term *weight, qat::SchemeAttr scheme,
                bool packed);

  mlir::SymbolTable &symbols;
  std::deque<Term> terms;
  llvm::DenseSet<mlir::Operation *> held; // ops whose attributes a term holds
  llvm::DenseSet<mlir::Operation *> open; // functions being evaluated
};

// The attributes of an op, inherent and discardable, to be compared as those of
// `owner`, or of the op itself where none is given. `all`: also those that are
// compared otherwise (ExemptAttributes.h), but none that decides no bit.
llvm::SmallVector<TermAttribute>
attributesOf(mlir::Operation &op, llvm::StringRef owner = {}, bool all = false);

} // namespace nibble
