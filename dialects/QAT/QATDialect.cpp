// Registers the qat dialect and verifies the scheme attribute.
#include "dialects/QAT/QAT.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nibble::qat;

#include "dialects/QAT/QATDialect.cpp.inc"
#include "dialects/QAT/QATEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/QAT/QATAttributes.cpp.inc"

void QATDialect::initialize() {
  registerAttributes();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "dialects/QAT/QATOps.cpp.inc"
      >();
}

void QATDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/QAT/QATAttributes.cpp.inc"
      >();
}

// N2: the group sizes there are.
LogicalResult SchemeAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 Kind kind, int64_t groupSize,
                                 Convention convention) {
  if (kind == Kind::Fp8) {
    if (groupSize != 128)
      return emitError()
             << "N2: scheme fp8 has blocks of 128x128, not group_size = "
             << groupSize;
  } else if (groupSize != 0 && groupSize != 16 && groupSize != 32 &&
             groupSize != 64 && groupSize != 128) {
    return emitError()
           << "N2: group_size is 16, 32, 64, 128, or 0 for the whole row, not "
           << groupSize;
  }
  if (convention != Convention::Nibble && kind != Kind::Int4)
    return emitError() << "convention '" << stringifyConvention(convention)
                       << "' is defined for int4 only";
  return success();
}
