// nibble-verify-consistency: rejects a rollout that could differ from its
// training by a bit.
#include "passes/Verify/Passes.h"
#include "passes/Verify/Terms.h"
#include "llvm/ADT/Statistic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/ADT/StringExtras.h"

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

// Compares pairs of terms. Reports the first difference, at the deepest level.
class Comparison {
public:
  // Null and unset when the two are equal.
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

  llvm::DenseSet<std::pair<const Term *, const Term *>> same_;
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

// The attributes of one side that are compared under `key`.
static SmallVector<TermAttribute>
correspondingTo(const TermAttribute &key, ArrayRef<TermAttribute> attributes) {
  return llvm::filter_to_vector(attributes, [&](const TermAttribute &other) {
    return other.owner == key.owner && other.name == key.name;
  });
}

static std::string values(ArrayRef<TermAttribute> attributes) {
  return llvm::join(llvm::map_range(attributes,
                                    [](const TermAttribute &attribute) {
                                      return text(attribute.value);
                                    }),
                    " and ");
}

// Checks that every attribute of one side has an equal one on the other.
static std::optional<std::string>
compareAttributes(ArrayRef<TermAttribute> training,
                  ArrayRef<TermAttribute> rollout) {
  for (ArrayRef<TermAttribute> side : {rollout, training})
    for (const TermAttribute &key : side) {
      auto here = correspondingTo(key, rollout);
      auto there = correspondingTo(key, training);
      if (llvm::equal(here, there,
                      [](const TermAttribute &a, const TermAttribute &b) {
                        return a.value == b.value;
                      }))
        continue;
      std::string has = key.holder + " has " + key.name.str() + " = ";
      if (here.empty())
        return has + values(there) + " in training, none here";
      return has + values(here) + " here, " +
             (there.empty() ? "none" : values(there)) + " in training";
    }
  return std::nullopt;
}

static SmallVector<Operation *> opsInside(Operation *op) {
  SmallVector<Operation *> ops;
  op->walk<WalkOrder::PreOrder>([&](Operation *inner) {
    if (inner != op)
      ops.push_back(inner);
  });
  return ops;
}

// Ops and values inside the regions correspond by position. Values from outside
// that the regions read are compared as operands of the terms.
static std::optional<std::string> compareRegions(Operation *training,
                                                 Operation *rollout) {
  if (training == rollout)
    return std::nullopt;
  for (auto [there, here] : llvm::zip(opsInside(training), opsInside(rollout)))
    if (there->getName() == here->getName())
      if (auto difference =
              compareAttributes(attributesOf(*there, {}, /*all=*/true),
                                attributesOf(*here, {}, /*all=*/true)))
        return difference;
  llvm::DenseSet<std::pair<Value, Value>> same;
  auto correspond = [&](auto there, auto here) {
    for (auto pair : llvm::zip(there, here))
      same.insert({std::get<0>(pair), std::get<1>(pair)});
  };
  llvm::SetVector<Value> there, here;
  getUsedValuesDefinedAbove(training->getRegions(), there);
  getUsedValuesDefinedAbove(rollout->getRegions(), here);
  correspond(there, here);
  correspond(training->getOperands(), rollout->getOperands());
  if (there.size() == here.size() &&
      OperationEquivalence::isEquivalentTo(
          training, rollout,
          [&](Value a, Value b) { return success(same.contains({a, b})); },
          [&](Value a, Value b) { same.insert({a, b}); },
          OperationEquivalence::IgnoreLocations |
              OperationEquivalence::IgnoreDiscardableAttrs)) // compared above
    return std::nullopt;
  return "'" + rollout->getName().getStringRef().str() +
         "' has another body than in training";
}

static std::optional<std::string> compareDecoding(const Term *training,
                                                  const Term *rollout) {
  if (training->scheme != rollout->scheme)
    return "'" + rollout->op->getName().getStringRef().str() + "' reads '" +
           rollout->name + "' with scheme = " + text(rollout->scheme) +
           " here, '" + training->op->getName().getStringRef().str() +
           "' with " + text(training->scheme) + " in training";
  if (training->packed != rollout->packed && !training->scheme.isExact())
    return describe(rollout) + ": this scheme decodes packed weights with "
                               "another scale than training does";
  return std::nullopt;
}

static std::optional<std::string> compareTypes(const Term *training,
                                               const Term *rollout) {
  bool same = getElementTypeOrSelf(training->type) ==
              getElementTypeOrSelf(rollout->type);
  // A packed argument is described by how it is decoded.
  if (training->kind == Term::Kind::kArgument)
    same = training->type == rollout->type ||
           isa<qat::PackedType>(training->type) ||
           isa<qat::PackedType>(rollout->type);
  if (same)
    return std::nullopt;
  return describe(rollout) + " is " + text(rollout->type) + " here, " +
         text(training->type) + " in training";
}

// Compares what decides bits beside the operands.
std::optional<std::string> Comparison::compareThemselves(const Term *training,
                                                         const Term *rollout) {
  if (training->kind != rollout->kind ||
      (training->kind != Term::Kind::kDecoded &&
       training->name != rollout->name))
    return describe(rollout) + " here, " + describe(training) + " in training";
  bool isOp = training->kind == Term::Kind::kOp;
  if (training->kind == Term::Kind::kDecoded) {
    if (auto difference = compareDecoding(training, rollout))
      return difference;
  } else {
    if (isOp && (training->result != rollout->result ||
                 training->operands.size() != rollout->operands.size()))
      return describe(rollout) +
             " has other operands or results than in training";
    if (auto difference = compareTypes(training, rollout))
      return difference;
  }
  if (auto difference =
          compareAttributes(training->attributes, rollout->attributes))
    return difference;
  if (isOp &&
      (training->op->getNumRegions() != 0 || rollout->op->getNumRegions() != 0))
    return compareRegions(training->op, rollout->op);
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
  if (same_.contains({training, rollout}))
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
    same_.insert({training, rollout});
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
      // The first result is the logits; a rollout's caches follow.
      results.push_back(terms->front());
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
