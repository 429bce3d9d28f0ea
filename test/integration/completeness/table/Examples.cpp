// Reads the examples of all ops from one file.
#include "test/integration/completeness/table/Examples.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "mlir/Parser/Parser.h"

using namespace mlir;

namespace nibble::test {

std::vector<std::string> allOps(MLIRContext &context) {
  context.loadDialect<nn::NNDialect, qat::QATDialect>();
  std::vector<std::string> names;
  for (RegisteredOperationName name : context.getRegisteredOperations())
    if (name.getDialectNamespace() == "nn" ||
        name.getDialectNamespace() == "qat")
      names.push_back(name.getStringRef().str());
  std::sort(names.begin(), names.end());
  return names;
}

OwningOpRef<ModuleOp> parseExamples(MLIRContext &context) {
  return parseSourceFile<ModuleOp>(NIBBLE_TEST_DATA "/dialects/Inputs/ops.mlir",
                                   &context);
}

OwningOpRef<ModuleOp> exampleOf(ModuleOp examples, const std::string &op) {
  auto function = examples.lookupSymbol<func::FuncOp>(op);
  if (!function)
    return {};
  OwningOpRef<ModuleOp> module = ModuleOp::create(function.getLoc());
  module->push_back(function.clone());
  return module;
}

Operation *findOp(Operation *root, const std::string &op) {
  Operation *found = nullptr;
  root->walk([&](Operation *inner) {
    if (inner->getName().getStringRef() != op)
      return WalkResult::advance();
    found = inner;
    return WalkResult::interrupt();
  });
  return found;
}

} // namespace nibble::test
