// Registers the host dialect.
#include "dialects/Host/Host.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::host;

#include "dialects/Host/HostDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Host/HostAttributes.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Host/HostOps.cpp.inc"

void HostDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Host/HostAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Host/HostOps.cpp.inc"
      >();
}

LogicalResult TargetAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef cpu, int64_t vectorRegisters,
                                 int64_t vectorFloats, int64_t l1Bytes,
                                 int64_t l2Bytes) {
  if (cpu.empty())
    return emitError() << "the CPU has no name";
  if (!llvm::is_contained({4, 8, 16}, vectorFloats))
    return emitError() << "a vector register has 4, 8 or 16 float32, not "
                       << vectorFloats;
  if (vectorRegisters < 1 || l1Bytes < 1 || l2Bytes < 1)
    return emitError() << "a CPU has at least one vector register and a byte "
                          "in each cache";
  return success();
}

TargetAttr TargetAttr::get(MLIRContext *context, const CpuTarget &facts) {
  return get(context, facts.name, facts.vectorRegisters, facts.vectorFloats,
             facts.l1Bytes, facts.l2Bytes);
}

CpuTarget TargetAttr::getFacts() const {
  return {.name = getCpu().str(),
          .vectorRegisters = getVectorRegisters(),
          .vectorFloats = getVectorFloats(),
          .l1Bytes = getL1Bytes(),
          .l2Bytes = getL2Bytes()};
}
