// Registers the hopper dialect and verifies its ops and types.
#include "dialects/Hopper/Hopper.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::hopper;

#include "dialects/Hopper/HopperDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Hopper/HopperAttributes.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Hopper/HopperTypes.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Hopper/HopperOps.cpp.inc"

void HopperDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Hopper/HopperAttributes.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Hopper/HopperTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Hopper/HopperOps.cpp.inc"
      >();
}

LogicalResult TargetAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef name, int64_t sms) {
  const GpuTarget *target = findGpuTarget(name);
  if (!target || target->architecture != &kArchitecture) {
    InFlightDiagnostic diagnostic = emitError();
    diagnostic << "'" << name << "' is no Hopper GPU that is known; known are";
    StringRef separator = " ";
    for (const GpuTarget *known : kGpuTargets)
      if (known->architecture == &kArchitecture) {
        diagnostic << separator << StringRef(known->name);
        separator = ", ";
      }
    return diagnostic;
  }
  if (sms < 0 || sms > target->sms)
    return emitError() << "'" << name << "' has " << target->sms
                       << " multiprocessors; " << sms
                       << " cannot be used, give 0 for all or fewer";
  return success();
}

GpuTarget TargetAttr::getFacts() const {
  GpuTarget facts = *findGpuTarget(getName());
  if (getSms() != 0)
    facts.sms = getSms();
  return facts;
}

LogicalResult RingType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t stages, int64_t bytes,
                               int64_t consumers) {
  if (stages < 1 || consumers < 1 || bytes < 1 || bytes % 1024 != 0)
    return emitError() << "a ring has at least one stage and one consumer, and "
                          "slots of a multiple of 1024 bytes";
  constexpr int64_t limit = kArchitecture.sharedBytesOfBlock;
  if (stages > limit / (bytes + 16)) // the product may overflow
    return emitError() << "a ring of " << stages << " stages of " << bytes
                       << " bytes does not fit into the " << limit
                       << " bytes of shared memory";
  return success();
}

LogicalResult LaunchOp::verify() {
  auto check = [&](std::optional<ArrayRef<int32_t>> numbers, StringRef name,
                   bool maps) -> LogicalResult {
    for (int32_t number : numbers.value_or(ArrayRef<int32_t>())) {
      bool there =
          number >= 0 && static_cast<size_t>(number) < getArguments().size();
      Type type = there ? getArguments()[number].getType() : Type();
      if (!there ||
          !(isa<MemRefType>(type) || (maps && isa<TensorMapType>(type))))
        return emitOpError() << "names argument " << number << " in '" << name
                             << "', which is no buffer";
    }
    return success();
  };
  if (failed(check(getPartly(), "partly", /*maps=*/true)) ||
      failed(check(getConsumed(), "consumed", /*maps=*/false)))
    return failure();
  if (getTouches() && !getPartly())
    return emitOpError()
           << "counts what it touches of buffers, and names none in 'partly'";
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // Once lowered, a kernel is an llvm.func with the same arguments.
  if (symbols.lookupNearestSymbolFrom<LLVM::LLVMFuncOp>(*this, getKernelAttr()))
    return success();
  auto kernel =
      symbols.lookupNearestSymbolFrom<gpu::GPUFuncOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError() << "launches " << getKernel()
                         << ", which is no gpu.func";
  auto tableAttr = kernel->getAttrOfType<IntegerAttr>(kTableAttr);
  size_t table = tableAttr ? tableAttr.getInt() : 0;
  size_t single = kernel.getNumArguments() - (tableAttr ? 1 : 0);
  if (tableAttr &&
      (tableAttr.getInt() < 1 || kernel.getNumArguments() == 0 ||
       !isa<LLVM::LLVMPointerType>(kernel.getArgumentTypes().back())))
    return emitOpError() << getKernel() << " has a table of "
                         << tableAttr.getInt()
                         << " values and no pointer to it";
  if (single + table != getArguments().size())
    return emitOpError() << "gives " << getArguments().size()
                         << " arguments to " << getKernel() << ", which takes "
                         << single + table;
  for (Value entry : getArguments().drop_front(single))
    if (!isa<MemRefType, IndexType>(entry.getType()))
      return emitOpError() << "has " << entry.getType() << " in the table of "
                           << getKernel()
                           << "; there are buffers and indices in it";
  for (auto [i, argument] :
       llvm::enumerate(getArguments().take_front(single))) {
    Type type = argument.getType();
    Type wanted = kernel.getArgument(i).getType();
    bool map = isa<TensorMapType>(type);
    bool pointer = map || isa<MemRefType>(type);
    if (pointer ? !isa<LLVM::LLVMPointerType>(wanted)
                : !(type.isIndex() && wanted.isInteger(64)))
      return emitOpError() << "gives " << type << " for argument " << i
                           << " of " << getKernel() << ", which is " << wanted;
    if (map != (kernel.getArgAttr(i, kTensorMapAttr) != nullptr))
      return emitOpError() << "argument " << i << " of " << getKernel()
                           << (map ? " is no tensor map" : " is a tensor map");
  }
  return success();
}

LogicalResult TensorMapOp::verify() {
  size_t rank = getBox().size();
  if (rank < 1 || rank > 5 || getExtents().size() != rank ||
      getStrides().size() + 1 != rank)
    return emitOpError()
           << "has a box of rank " << rank << ", " << getExtents().size()
           << " extents and " << getStrides().size()
           << " strides; it takes 1 to 5 dimensions and a stride less";
  for (int64_t extent : getBox())
    if (extent < 1 || extent > 256)
      return emitOpError() << "has a box extent of " << extent
                           << "; they are 1 to 256";
  int64_t swizzle = getSwizzle();
  int64_t bytes =
      getBox()[0] *
      cast<MemRefType>(getBuffer().getType()).getElementTypeBitWidth() / 8;
  if (!llvm::is_contained({0, 32, 64, 128}, swizzle) ||
      (swizzle && bytes > swizzle) || bytes % 16 != 0)
    return emitOpError() << "has rows of " << bytes
                         << " bytes and a swizzle of " << swizzle
                         << "; rows are multiples of 16 bytes, and no longer "
                            "than a swizzle of 32, 64 or 128";
  return success();
}

LogicalResult RingReleaseOp::verify() {
  if (getBlocks() && (*getBlocks() < 2 || *getBlocks() > 16))
    return emitOpError() << "tells " << *getBlocks()
                         << " blocks; a cluster has 2 to 16";
  return success();
}

LogicalResult TensorCopyOp::verify() {
  if (getMulticast() && (*getMulticast() < 2 || *getMulticast() > 16))
    return emitOpError() << "copies to " << *getMulticast()
                         << " blocks; a cluster has 2 to 16";
  return success();
}

LogicalResult WgmmaOp::verify() {
  int64_t columns =
      cast<VectorType>(getAccumulator().getType()).getNumElements() * 2;
  if (columns < 8 || columns > 256 || columns % 8 != 0)
    return emitOpError()
           << "has " << columns
           << " columns; matrix instructions have 8 to 256, a multiple of 8";
  if (getATransposed() && !getA().getType().isInteger(64))
    return emitOpError() << "has A in registers, which cannot be transposed";
  return success();
}
