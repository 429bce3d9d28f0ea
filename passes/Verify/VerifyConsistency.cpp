// nibble-verify-consistency: refuses a rollout that could differ from its
// training by a bit.
#include "passes/Verify/Passes.h"
#include "passes/Verify/Terms.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-verify-consistency"

ALWAYS_ENABLED_STATISTIC(NumTerms,
                         "values that training and rollout are made of");

namespace nibble {
#define GEN_PASS_DEF_VERIFYCONSISTENCYPASS
#include "passes/Verify/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

namespace {

// Compares terms pairwise; the first difference found deepest is the one told.
class Comparison {
public:
  // Null and unset where the two are the same.
  struct Difference {
    const Term *training = nullptr;
    const Term *rollout = nullptr;
    std::string what;
  };
  std::optional<Difference> compare(const Term *training, const Term *rollout);

private:
  std::optional<std::string> compareThemselves(const Term *training,
                                               const Term *rollout);
  std::optional<Difference> compareOperands(const Term *training,
                                            const Term *rollout, bool swapped);

  llvm::DenseSet<std::pair<const Term *, const Term *>> same;
};

} // namespace

static std::string text(Attribute attribute) {
  std::string result;
  llvm::raw_string_ostream(result) << attribute;
  return result;
}

static std::string text(Type type) {
  std::string result;
  llvm::raw_string_ostream(result) << type;
  return result;
}

static std::string describe(const Term *term) {
  switch (term->kind) {
  case Term::Kind::kArgument:
    return "argument '" + term->name + "'";
  case Term::Kind::kDecoded:
    return "'" + term->name + "' on the grid " + text(term->scheme);
  case Term::Kind::kOp:
    return "'" + term->name + "'";
  }
  return "";
}

static std::optional<std::string> compareAttributes(const Term *training,
                                                    const Term *rollout) {
  auto find = [](const Term *term, StringAttr name) -> Attribute {
    for (NamedAttribute attribute : term->attributes)
      if (attribute.getName() == name)
        return attribute.getValue();
    return {};
  };
  for (const Term *term : {rollout, training})
    for (NamedAttribute attribute : term->attributes) {
      StringAttr name = attribute.getName();
      Attribute here = find(rollout, name), there = find(training, name);
      if (here != there)
        return name.str() + " = " + (here ? text(here) : "absent") + " here, " +
               (there ? text(there) : "absent") + " in training";
    }
  return std::nullopt;
}

// What decides bits apart from the operands.
std::optional<std::string> Comparison::compareThemselves(const Term *training,
                                                         const Term *rollout) {
  if (training->kind != rollout->kind ||
      (training->kind != Term::Kind::kDecoded &&
       training->name != rollout->name))
    return describe(rollout) + " here, " + describe(training) + " in training";
  if (training->kind == Term::Kind::kArgument) {
    // A packed argument is told by how it is decoded.
    if (training->type != rollout->type &&
        !isa<qat::PackedType>(training->type) &&
        !isa<qat::PackedType>(rollout->type))
      return describe(rollout) + " is " + text(rollout->type) + " here, " +
             text(training->type) + " in training";
    return std::nullopt;
  }
  if (training->kind == Term::Kind::kDecoded) {
    if (training->scheme != rollout->scheme)
      return describe(rollout) + " here, " + describe(training) +
             " in training";
    if (training->packed != rollout->packed && !training->scheme.isExact())
      return describe(rollout) + ": this scheme decodes packed weights with "
                                 "another scale than training does";
    return std::nullopt;
  }
  if (training->result != rollout->result ||
      training->operands.size() != rollout->operands.size())
    return describe(rollout) +
           " has other operands or results than in training";
  if (getElementTypeOrSelf(training->type) !=
      getElementTypeOrSelf(rollout->type))
    return describe(rollout) + " is " + text(rollout->type) + " here, " +
           text(training->type) + " in training";
  if (auto difference = compareAttributes(training, rollout))
    return difference;
  auto regions = [](const Term *term) {
    return term->op ? term->op->getNumRegions() : 0;
  };
  if (regions(training) != 0 || regions(rollout) != 0) {
    // Operands are compared as terms; inside the regions values correspond by
    // place.
    if (!OperationEquivalence::isEquivalentTo(
            training->op, rollout->op, [](Value, Value) { return success(); },
            nullptr, OperationEquivalence::IgnoreLocations))
      return describe(rollout) + " has another body than in training";
  }
  return std::nullopt;
}

std::optional<Comparison::Difference>
Comparison::compareOperands(const Term *training, const Term *rollout,
                            bool swapped) {
  for (auto [i, operand] : llvm::enumerate(rollout->operands)) {
    size_t other = swapped ? rollout->operands.size() - 1 - i : i;
    if (auto difference = compare(training->operands[other], operand))
      return difference;
  }
  return std::nullopt;
}

std::optional<Comparison::Difference> Comparison::compare(const Term *training,
                                                          const Term *rollout) {
  if (same.contains({training, rollout}))
    return std::nullopt;
  if (auto what = compareThemselves(training, rollout))
    return Difference{training, rollout, *what};
  auto difference = compareOperands(training, rollout, /*swapped=*/false);
  // Sums and products of two numbers commute bit for bit.
  if (difference &&
      (rollout->name == "arith.addf" || rollout->name == "arith.mulf") &&
      !compareOperands(training, rollout, /*swapped=*/true))
    difference = std::nullopt;
  if (!difference)
    same.insert({training, rollout});
  return difference;
}

namespace {

class VerifyConsistencyPass final
    : public nibble::impl::VerifyConsistencyPassBase<VerifyConsistencyPass> {
public:
  using VerifyConsistencyPassBase::VerifyConsistencyPassBase;

  void runOnOperation() override {
    if (failed(verify()))
      signalPassFailure();
    markAllAnalysesPreserved();
  }

private:
  LogicalResult verify() {
    SymbolTable symbols(getOperation());
    TermBuilder builder(symbols);
    SmallVector<const Term *> results;
    for (StringRef name : {StringRef(training), StringRef(rollout)}) {
      auto function = symbols.lookup<func::FuncOp>(name);
      if (!function || function.getNumResults() == 0)
        return getOperation().emitError(
                   "nibble-verify-consistency: there is no function '")
               << name << "' with a result";
      auto terms = builder.resultsOf(function);
      if (failed(terms))
        return failure();
      results.push_back(
          terms->front()); // the logits; a rollout's caches follow
    }
    NumTerms += builder.count();
    auto difference = Comparison().compare(results[0], results[1]);
    if (!difference)
      return success();
    InFlightDiagnostic error = emitError(difference->rollout->loc)
                               << "rollout differs from training: "
                               << difference->what;
    error.attachNote(difference->training->loc) << "in training";
    return error;
  }
};

} // namespace
