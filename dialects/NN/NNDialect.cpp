// Registers the nn dialect and verifies its attributes on modules and on
// arguments and results of functions.
#include "dialects/NN/NN.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace nibble::nn;

#include "dialects/NN/NNDialect.cpp.inc"

void NNDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/NN/NNOps.cpp.inc"
      >();
}

// The only attribute of the dialect on ops is `nn.model`: a dictionary on a
// module, in which the import records the configuration.
LogicalResult NNDialect::verifyOperationAttribute(Operation *op,
                                                  NamedAttribute attribute) {
  if (attribute.getName() == "nn.model") {
    if (!isa<ModuleOp>(op) || !isa<DictionaryAttr>(attribute.getValue()))
      return op->emitOpError() << "'nn.model' is a dictionary on a module";
    return success();
  }
  return op->emitOpError() << "'" << attribute.getName().getValue()
                           << "' is not an attribute of an operation";
}
