#include "dialects/Check/Check.h"

using namespace mlir;
using namespace nibble::check;

#include "dialects/Check/CheckDialect.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Check/CheckOps.cpp.inc"

void CheckDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Check/CheckOps.cpp.inc"
      >();
}

LogicalResult ExpectCloseOp::verify() {
  if (!getUlp() && !getRelative())
    return emitOpError() << "says neither 'ulp' nor 'relative'";
  return success();
}
