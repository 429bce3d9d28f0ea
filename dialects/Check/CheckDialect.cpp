// Registers the check dialect and verifies its ops.
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
  if (getUlp() &&
      (static_cast<int64_t>(*getUlp()) < 0 ||
       !isa<FloatType>(getElementTypeOrSelf(getActual().getType()))))
    return emitOpError() << "'ulp' is a count of steps, 0 or more, between "
                            "floating-point numbers";
  if (getRelative() && !(getRelative()->convertToDouble() >= 0))
    return emitOpError() << "'relative' is 0 or more";
  return success();
}
