// The examples of all ops, read from one file.
#include "test/integration/completeness/Examples.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "mlir/Parser/Parser.h"

using namespace mlir;

namespace nibble::test {

std::vector<std::string> allOps(MLIRContext &context) {
  std::vector<std::string> names;
  for (Dialect *dialect :
       {static_cast<Dialect *>(context.getOrLoadDialect<nn::NNDialect>()),
        static_cast<Dialect *>(context.getOrLoadDialect<qat::QATDialect>())}) {
    auto first = static_cast<ptrdiff_t>(names.size());
    for (RegisteredOperationName name :
         context.getRegisteredOperationsByDialect(dialect->getNamespace()))
      names.push_back(name.getStringRef().str());
    std::sort(names.begin() + first, names.end());
  }
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
