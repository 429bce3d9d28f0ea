// Reads the table of a program's functions from their MLIR types and
// attributes.
#include "lib/Target/Host/Interface.h"

#include "dialects/NN/NN.h"
#include "lib/Target/Dtype.h"
#include "lib/Target/PackedText.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace nibble::host;

const char *Interface::keep(std::string text) {
  texts_.push_back(std::move(text));
  return texts_.back().c_str();
}

// `what`: "argument 0" or "result 1".
static LogicalResult describe(Operation *function, const std::string &what,
                              Type type, nibble_value_info &info) {
  auto memref = dyn_cast<MemRefType>(type);
  auto dtype = memref ? nibble::dtypeOf(memref.getElementType()) : std::nullopt;
  if (!memref || !dtype || memref.getRank() > NIBBLE_MAX_RANK ||
      !memref.getLayout().isIdentity()) {
    // The table has the type of the source, not of the buffer that it became.
    if (memref)
      type = RankedTensorType::get(memref.getShape(), memref.getElementType());
    return function->emitError()
           << "cannot be an entry: " << what << " is " << type
           << ", which does not cross into the runtime; use a tensor of rank "
              "<= "
           << NIBBLE_MAX_RANK << " of f32, bf16, f16, f64, i1, i8, i32 or i64";
  }
  info.dtype = *dtype;
  info.rank = memref.getRank();
  for (int64_t dim = 0; dim < memref.getRank(); ++dim)
    info.shape[dim] = memref.isDynamicDim(dim) ? -1 : memref.getDimSize(dim);
  return success();
}

// Names must be unique, because files and callers find a value by its name. A
// weight and its packed forms share one name.
static LogicalResult checkNames(Operation *function, const char *what,
                                ArrayRef<nibble_value_info> values) {
  llvm::StringSet<> names;
  for (const nibble_value_info &value : values)
    if (!names
             .insert(value.packed ? std::string(value.name) + " " + value.packed
                                  : value.name)
             .second)
      return function->emitError()
             << "has two " << what << " of the name '" << value.name
             << "'; give each a name of its own";
  return success();
}

FailureOr<Interface> Interface::read(ModuleOp module) {
  Interface interface;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isExternal())
      continue;
    Entry &entry = interface.entries_.emplace_back();
    entry.name = function.getName().str();
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      nibble_value_info info{};
      if (failed(describe(function, "argument " + std::to_string(i),
                          function.getArgument(i).getType(), info)))
        return failure();
      std::string name = "arg" + std::to_string(i);
      auto named = [&](StringRef attribute, nibble_role role) {
        if (auto text = function.getArgAttrOfType<StringAttr>(i, attribute)) {
          name = text.str();
          info.role = role;
        }
      };
      named(nn::kInputAttr, NIBBLE_ROLE_INPUT);
      named(nn::kParameterAttr, NIBBLE_ROLE_PARAMETER);
      named(nn::kStateAttr, NIBBLE_ROLE_STATE);
      info.name = interface.keep(name);
      if (auto packed =
              function.getArgAttrOfType<TypeAttr>(i, nn::kPackedAttr)) {
        FailureOr<std::string> text = packedText(function, packed);
        if (failed(text))
          return failure();
        info.packed = interface.keep(std::move(*text));
        info.dtype = NIBBLE_DTYPE_U8;
      }
      entry.arguments.push_back(info);
    }
    for (unsigned i = 0; i < function.getNumResults(); ++i) {
      nibble_value_info info{};
      if (failed(describe(function, "result " + std::to_string(i),
                          function.getResultTypes()[i], info)))
        return failure();
      auto name = function.getResultAttrOfType<StringAttr>(i, nn::kOutputAttr);
      info.name =
          interface.keep(name ? name.str() : "result" + std::to_string(i));
      entry.results.push_back(info);
    }
    if (failed(checkNames(function, "arguments", entry.arguments)) ||
        failed(checkNames(function, "results", entry.results)))
      return failure();
    function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                      UnitAttr::get(module.getContext()));
  }
  return interface;
}
