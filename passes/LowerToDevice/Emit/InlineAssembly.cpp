// Builds PTX instructions as LLVM inline assembly.
#include "passes/LowerToDevice/Emit/InlineAssembly.h"

using namespace mlir;

namespace nibble::device {

// The constraint for the register class of a type: 32-bit and 64-bit integers,
// float32 and predicates.
static StringRef constraintOf(Type type) {
  if (type.isF32())
    return "f";
  if (type.isInteger(64))
    return "l";
  if (auto pointer = dyn_cast<LLVM::LLVMPointerType>(type))
    return pointer.getAddressSpace() == 3 ? "r" : "l";
  return "r";
}

static LLVM::InlineAsmOp create(Emitter &b, Type result, ValueRange operands,
                                StringRef code, StringRef constraints,
                                bool effects) {
  return LLVM::InlineAsmOp::create(
      b, result ? TypeRange(result) : TypeRange(), operands, code, constraints,
      effects,
      /*is_align_stack=*/false, LLVM::tailcallkind::TailCallKind::None,
      LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
}

// Shared pointers are passed as 32-bit addresses, although LLVM's are 64 bits
// wide.
static SmallVector<Value> legal(Emitter &b, ArrayRef<Value> operands) {
  SmallVector<Value> values;
  for (Value operand : operands) {
    auto pointer = dyn_cast<LLVM::LLVMPointerType>(operand.getType());
    values.push_back(pointer && pointer.getAddressSpace() == 3
                         ? b.sharedAddress(operand)
                         : operand);
  }
  return values;
}

static void append(std::string &constraints, Twine constraint) {
  if (!constraints.empty())
    constraints += ",";
  constraints += constraint.str();
}

void emitEffect(Emitter &b, StringRef code, ArrayRef<Value> operands) {
  SmallVector<Value> values = legal(b, operands);
  std::string constraints;
  for (Value value : values)
    append(constraints, constraintOf(value.getType()));
  append(constraints, "~{memory}");
  create(b, Type(), values, code, constraints, true);
}

Value emitValue(Emitter &b, StringRef code, Type result,
                ArrayRef<Value> operands, bool readsMemory) {
  SmallVector<Value> values = legal(b, operands);
  std::string constraints = ("=" + constraintOf(result)).str();
  for (Value value : values)
    append(constraints, constraintOf(value.getType()));
  if (readsMemory)
    append(constraints, "~{memory}");
  return create(b, result, values, code, constraints, readsMemory).getRes();
}

SmallVector<Value> emitInPlace(Emitter &b, StringRef code, ValueRange vectors,
                               ArrayRef<Value> operands) {
  SmallVector<Value> elements;
  for (Value vector : vectors)
    for (int64_t i = 0,
                 count = cast<VectorType>(vector.getType()).getNumElements();
         i < count; ++i)
      elements.push_back(b.extract(vector, i));
  std::string constraints;
  for (size_t i = 0; i < elements.size(); ++i)
    append(constraints, "=f");
  SmallVector<Value> values;
  // $n counts outputs first, then operands that are not tied to an output. Tied
  // operands may be anywhere, so they come last.
  for (Value value : legal(b, operands)) {
    values.push_back(value);
    append(constraints, constraintOf(value.getType()));
  }
  for (auto [i, element] : llvm::enumerate(elements)) {
    values.push_back(element);
    append(constraints, std::to_string(i));
  }
  append(constraints, "~{memory}");
  Type scalar = b.getF32Type();
  bool one = elements.size() == 1;
  Type result =
      one ? scalar
          : LLVM::LLVMStructType::getLiteral(
                b.getContext(), SmallVector<Type>(elements.size(), scalar));
  Value out = create(b, result, values, code, constraints, true).getRes();
  SmallVector<Value> results;
  int64_t next = 0;
  for (Value vector : vectors) {
    SmallVector<Value> parts;
    for (int64_t i = 0,
                 count = cast<VectorType>(vector.getType()).getNumElements();
         i < count; ++i, ++next)
      parts.push_back(one ? out
                          : Value(LLVM::ExtractValueOp::create(
                                b, out, ArrayRef<int64_t>{next})));
    results.push_back(b.fromElements(parts));
  }
  return results;
}

void waitParity(Emitter &b, Value barrier, Value parity, bool ofCluster) {
  std::string acquire = ofCluster ? ".acquire.cluster" : "";
  emitEffect(
      b,
      "{\n\t.reg .pred done;\n\tnibble_wait:\n\tmbarrier.try_wait.parity" +
          acquire +
          ".shared::cta.b64 done, [$0], $1;\n\t@!done bra nibble_wait;\n\t}",
      {barrier, parity});
}

void waitForKernelBefore(Emitter &b) {
  emitEffect(b, "griddepcontrol.wait;", {});
}
void letNextKernelBegin(Emitter &b) {
  emitEffect(b, "griddepcontrol.launch_dependents;", {});
}

} // namespace nibble::device
