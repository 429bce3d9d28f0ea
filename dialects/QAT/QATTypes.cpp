// The packed type: its verifier, its bytes in memory, and the buffer that it
// becomes.
#include "dialects/QAT/QAT.h"
#include "lib/Numerics/fragment.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nibble::qat;

// "2048x1024", the spelling of a shape inside a tensor type.
static ParseResult parseExtents(AsmParser &parser, int64_t &n, int64_t &k) {
  SmallVector<int64_t> extents;
  if (parser.parseDimensionList(extents, /*allowDynamic=*/false,
                                /*withTrailingX=*/false))
    return failure();
  if (extents.size() != 2)
    return parser.emitError(parser.getCurrentLocation(),
                            "a packed weight has two extents, NxK");
  n = extents[0];
  k = extents[1];
  return success();
}

static void printExtents(AsmPrinter &printer, int64_t n, int64_t k) {
  printer << n << 'x' << k;
}

#define GET_TYPEDEF_CLASSES
#include "dialects/QAT/QATTypes.cpp.inc"

void QATDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/QAT/QATTypes.cpp.inc"
      >();
}

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

LogicalResult PackedType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t n, int64_t k, SchemeAttr scheme,
                                 Layout layout) {
  if (n <= 0 || k <= 0)
    return emitError() << "a packed weight needs positive extents, not " << n
                       << "x" << k;
  if (scheme.getKind() != Kind::Fp8 && scheme.getGroupSize() != 0 &&
      k % scheme.getGroupSize() != 0)
    return emitError() << "N2: K = " << k << " does not divide by group_size = "
                       << scheme.getGroupSize();
  return success();
}

int64_t PackedType::getCodeBytes() const {
  if (getScheme().getKind() != Kind::Int4)
    return getN() * getK();
  if (inSlabs())
    return ceilDiv(getN(), numerics::kSlabRows) *
           ceilDiv(getK(), numerics::kSlabColumns) * numerics::kSlabBytes;
  return getLayout() == Layout::Interchange
             ? getN() * ceilDiv(getK(), 8) * 4
             : getN() * ceilDiv(getK(), 128) * 64;
}

int64_t PackedType::getScalesPerSlabRow() const {
  int64_t group = getScheme().getGroupSize();
  return group == 0 ? 1 : std::max<int64_t>(1, numerics::kSlabColumns / group);
}

int64_t PackedType::getScaleCount() const {
  if (getScheme().getKind() == Kind::Fp8)
    return ceilDiv(getN(), 128) * ceilDiv(getK(), 128);
  return getN() * getScheme().groupsPerRow(getK());
}

int64_t PackedType::getScaleBytes() const {
  if (inSlabs())
    return ceilDiv(getN(), numerics::kSlabRows) *
           ceilDiv(getK(), numerics::kSlabColumns) * numerics::kSlabRows *
           getScalesPerSlabRow() * 2;
  return getScaleCount() * (getScheme().getKind() == Kind::Fp8 ? 4 : 2);
}

// In memory a packed weight is a plain row of bytes.
FailureOr<bufferization::BufferLikeType>
PackedType::getBufferType(const bufferization::BufferizationOptions &,
                          function_ref<InFlightDiagnostic()>) const {
  return cast<bufferization::BufferLikeType>(
      MemRefType::get({getBytes()}, IntegerType::get(getContext(), 8)));
}

LogicalResult PackedType::verifyCompatibleBufferType(
    bufferization::BufferLikeType bufferType,
    function_ref<InFlightDiagnostic()> emitError) const {
  auto memref = dyn_cast<MemRefType>(bufferType);
  if (!memref || !memref.getElementType().isInteger(8) ||
      memref.getShape() != ArrayRef<int64_t>{getBytes()})
    return emitError() << "the buffer of " << *this << " is memref<"
                       << getBytes() << "xi8>, not " << bufferType;
  return success();
}
