// Registers the host dialect.
#include "dialects/Host/Host.h"

using namespace mlir;
using namespace nibble::host;

#include "dialects/Host/HostDialect.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Host/HostOps.cpp.inc"

void HostDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Host/HostOps.cpp.inc"
      >();
}
