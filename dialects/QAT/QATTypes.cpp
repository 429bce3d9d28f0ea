// The packed type: its verifier, its size in memory, and the buffer type that
// it becomes.
#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::qat;

// Parses "2048x1024", the spelling of a shape inside a tensor type.
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

// The layouts are also listed in QATAttributes.td, for the assembly of the
// type.
static_assert(getMaxEnumValForLayout() ==
              static_cast<uint32_t>(numerics::Layout::kHopper));
static numerics::Layout plain(Layout layout) {
  return static_cast<numerics::Layout>(layout);
}

LogicalResult PackedType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t n, int64_t k, SchemeAttr scheme,
                                 Layout layout) {
  numerics::PackedLayout packed = {n, k, scheme.numericsScheme(),
                                   plain(layout)};
  if (std::string problem = packed.problem(); !problem.empty())
    return emitError() << problem;
  return success();
}

numerics::PackedLayout PackedType::numericsLayout() const {
  return {getN(), getK(), getScheme().numericsScheme(), plain(getLayout())};
}

// In memory a packed weight is an array of bytes.
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
