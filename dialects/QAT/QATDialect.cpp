// Registers the qat dialect and verifies the scheme attribute.
#include "dialects/QAT/QAT.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::qat;

#include "dialects/QAT/QATDialect.cpp.inc"
#include "dialects/QAT/QATEnums.cpp.inc"

// Parses a keyword that `named` knows; `choices` lists them for the error.
template <typename Enum>
static FailureOr<Enum>
parseNamed(AsmParser &parser, StringRef noun,
           std::optional<Enum> (*named)(std::string_view),
           const std::string &choices) {
  StringRef name;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return failure();
  if (std::optional<Enum> found = named(name))
    return *found;
  return parser.emitError(loc)
         << noun << " '" << name << "' is not one; there are " << choices;
}

FailureOr<Kind> nibble::qat::parseKind(AsmParser &parser) {
  return parseNamed(parser, "scheme", numerics::kindNamed,
                    numerics::schemeChoices(" and ", /*withNone=*/false));
}

FailureOr<Convention> nibble::qat::parseConvention(AsmParser &parser) {
  std::vector<std::string> names;
  for (const numerics::ConventionRow &row : numerics::conventionTable())
    names.push_back(row.name);
  return parseNamed(parser, "convention", numerics::conventionNamed,
                    llvm::join(names, ", "));
}

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

LogicalResult SchemeAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 Kind kind, int64_t groupSize,
                                 Convention convention) {
  std::string problem = numerics::problemOf({kind, groupSize, convention});
  if (!problem.empty())
    return emitError() << problem;
  return success();
}
