// Registers the nn dialect and verifies the attributes that it puts on modules
// and on arguments and results of functions.
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

// The dialect's attributes stand on ops only as `nn.model`, the import's record
// of the configuration, a dictionary on a module.
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
