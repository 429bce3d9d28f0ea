// A rollout whose op differs in an attribute from its training op is refused.
// The test takes ops and attributes from the dialects' registration, so it
// either covers a new one or fails.
#include "dialects/Hopper/Hopper.h"
#include "dialects/NN/NN.h"
#include "passes/Verify/ExemptAttributes.h"
#include "passes/Verify/Passes.h"
#include "test/integration/completeness/table/Examples.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

using namespace mlir;
using namespace nibble;
using namespace nibble::test;
using ::testing::HasSubstr;

namespace {

// Discardable attributes: those of linears, and one that is unknown.
const StringRef kDiscardable[] = {hopper::kSplitsAttr, hopper::kTileAttr,
                                  hopper::kStagesAttr, "test.attribute"};
const StringRef kHalves[] = {"forward", "logits"};

// Another value of the same kind, or null when the kind is unknown.
Attribute changed(Attribute value) {
  MLIRContext *context = value.getContext();
  if (auto number = dyn_cast<IntegerAttr>(value))
    return IntegerAttr::get(number.getType(), number.getValue() + 1);
  if (auto number = dyn_cast<FloatAttr>(value))
    return FloatAttr::get(number.getType(), number.getValueAsDouble() + 1);
  if (auto scheme = dyn_cast<qat::SchemeAttr>(value))
    return qat::SchemeAttr::get(context, scheme.getKind(),
                                scheme.getGroupSize() == 32 ? 64 : 32,
                                scheme.getConvention());
  if (auto array = dyn_cast<DenseF32ArrayAttr>(value)) {
    SmallVector<float> numbers(array.asArrayRef());
    numbers.front() += 1;
    return DenseF32ArrayAttr::get(context, numbers);
  }
  // Operand segments get one operand more in the last segment and one less in
  // the one before.
  if (auto array = dyn_cast<DenseI32ArrayAttr>(value)) {
    SmallVector<int32_t> sizes(array.asArrayRef());
    size_t before = sizes.size() - 2;
    while (before > 0 && sizes[before] == 0)
      --before;
    --sizes[before];
    ++sizes.back();
    return DenseI32ArrayAttr::get(context, sizes);
  }
  return {};
}

// Gives the attribute another value. A missing attribute becomes a number if it
// is discardable, else a flag.
bool change(Operation *op, StringRef name) {
  Builder b(op->getContext());
  Attribute before = op->getAttr(name);
  if (llvm::is_contained(kDiscardable, name) && !before)
    op->setAttr(name, b.getI64IntegerAttr(2));
  else if (!before)
    op->setAttr(name, b.getUnitAttr());
  else if (isa<UnitAttr>(before))
    op->removeAttr(name);
  else if (Attribute after = changed(before))
    op->setAttr(name, after);
  return op->getAttr(name) != before;
}

class VerifyConsistencyTest : public ::testing::Test {
protected:
  VerifyConsistencyTest() {
    context
        .loadDialect<func::FuncDialect, arith::ArithDialect, math::MathDialect,
                     tensor::TensorDialect, nn::NNDialect, qat::QATDialect>();
    OwningOpRef<ModuleOp> examples = parseExamples(context);
    for (const std::string &op : allOps(context))
      if (OwningOpRef<ModuleOp> example =
              examples ? exampleOf(*examples, op) : OwningOpRef<ModuleOp>())
        pairs.emplace_back(op, pairOf(*example));
      else
        ADD_FAILURE() << "dialects/Inputs/ops.mlir has no example of " << op;
    OwningOpRef<ModuleOp> file = parseSourceFile<ModuleOp>(
        NIBBLE_TEST_DATA "/passes/Verify/Inputs/pairs.mlir", &context);
    if (!file)
      ADD_FAILURE() << "Inputs/pairs.mlir cannot be read";
    else
      for (ModuleOp pair : file->getOps<ModuleOp>())
        pairs.emplace_back(pair.getName()->str(), pair.clone());
  }

  // Makes both halves from the example.
  static OwningOpRef<ModuleOp> pairOf(ModuleOp example) {
    OwningOpRef<ModuleOp> pair = ModuleOp::create(example.getLoc());
    auto function = *example.getOps<func::FuncOp>().begin();
    for (StringRef half : kHalves) {
      func::FuncOp clone = function.clone();
      clone.setName(half);
      pair->push_back(clone);
    }
    return pair;
  }

  // The message of the pass for a pair; empty when it accepts the pair. The
  // pair need not verify: an attribute that does not fit the shapes is still a
  // different one.
  std::string refusal(ModuleOp pair) {
    std::string said;
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      said += diagnostic.str() + "\n";
    });
    PassManager manager(&context);
    manager.enableVerifier(false);
    manager.addPass(createVerifyConsistencyPass());
    if (succeeded(manager.run(pair)))
      return "";
    return said.empty() ? "refused without a word" : said;
  }

  MLIRContext context;
  std::vector<std::pair<std::string, OwningOpRef<ModuleOp>>> pairs;
};

std::vector<std::string> attributesOf(OperationName op) {
  std::vector<std::string> names;
  for (StringAttr name : op.getAttributeNames())
    names.push_back(name.str());
  names.insert(names.end(), std::begin(kDiscardable), std::end(kDiscardable));
  return names;
}

// The ops of nn and qat in one half of a pair.
std::vector<Operation *> opsOf(ModuleOp pair, StringRef half) {
  std::vector<Operation *> ops;
  pair.lookupSymbol(half)->walk([&](Operation *op) {
    if (isa<nn::NNDialect, qat::QATDialect>(op->getDialect()))
      ops.push_back(op);
  });
  return ops;
}

TEST_F(VerifyConsistencyTest, EveryAttributeOfEveryOpIsCompared) {
  std::set<std::string> covered;
  std::set<const ExemptAttribute *> exercised;
  int refused = 0, taken = 0;
  for (auto &[name, pair] : pairs) {
    // The pass does not accept pages that this call did not write. For this op
    // there is a pair in the file.
    if (std::string said = refusal(*pair); !said.empty()) {
      EXPECT_EQ(name, nn::PagedAttentionOp::getOperationName().str()) << said;
      continue;
    }
    for (StringRef half : kHalves)
      for (size_t i = 0; i < opsOf(*pair, half).size(); ++i)
        for (const std::string &attribute :
             attributesOf(opsOf(*pair, half)[i]->getName())) {
          OwningOpRef<ModuleOp> other = pair->clone();
          Operation *op = opsOf(*other, half)[i];
          std::string opName = op->getName().getStringRef().str();
          SCOPED_TRACE(name + ", " + half.str() + ": " + attribute + " of " +
                       opName);
          if (!change(op, attribute)) {
            ADD_FAILURE() << "no other value of it is known";
            continue;
          }
          std::string said = refusal(*other);
          covered.insert(opName + " " + attribute);
          const ExemptAttribute *exempt = findExempt(opName, attribute);
          exercised.insert(exempt);
          ++(said.empty() ? taken : refused);
          if (exempt && exempt->why == ExemptAttribute::Why::kDecidesNoBit) {
            EXPECT_EQ(said, "");
            continue;
          }
          EXPECT_NE(said, "");
          // Training may spell the op differently, so only a change in the
          // rollout is reported at this op.
          if (half == kHalves[0] && !exempt) {
            EXPECT_THAT(said, HasSubstr("'" + opName + "' has " + attribute));
          }
          if (attribute == "scheme") {
            EXPECT_THAT(said, HasSubstr("'" + opName + "'"));
            EXPECT_THAT(said, HasSubstr("with scheme = "));
          }
        }
  }
  EXPECT_GT(allOps(context).size(), 30u);
  for (const std::string &op : allOps(context))
    for (const std::string &attribute :
         attributesOf(OperationName(op, &context)))
      EXPECT_TRUE(covered.count(op + " " + attribute))
          << attribute << " of " << op << " is in no pair";
  for (const ExemptAttribute &row : exemptAttributes()) {
    bool ours = row.op.empty() || row.op.starts_with("nn.") ||
                row.op.starts_with("qat.");
    EXPECT_TRUE(!ours || exercised.count(&row))
        << row.op.str() << " " << row.name.str()
        << " is exempt, but no op has it";
  }
  std::printf("%zu attributes of %zu ops in %zu pairs: %d changes refused, %d "
              "decide no bit\n",
              covered.size(), allOps(context).size(), pairs.size(), refused,
              taken);
}

// The table's rows for other dialects name existing attributes.
TEST_F(VerifyConsistencyTest, ExemptionsAreOfAttributesThatExist) {
  for (const ExemptAttribute &row : exemptAttributes()) {
    EXPECT_FALSE(row.reason.empty());
    if (row.op.empty()) {
      EXPECT_TRUE(llvm::is_contained(kDiscardable, row.name)) << row.name.str();
      continue;
    }
    OperationName op(row.op, &context);
    ASSERT_TRUE(op.isRegistered()) << row.op.str();
    EXPECT_TRUE(llvm::is_contained(attributesOf(op), row.name.str()))
        << row.op.str() << " has no " << row.name.str();
  }
}

} // namespace
