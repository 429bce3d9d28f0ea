// Writes the program's table of functions into LLVM IR.
#include "lib/Target/Host/CompleteLibrary.h"

#include "lib/Target/Host/GenerateCode.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"

using namespace llvm;
using namespace nibble::host;

namespace {

// Builds constants with the layout of the structs in ABI.h.
class TableBuilder {
public:
  explicit TableBuilder(Module &module)
      : module_(module), b_(module.getContext()), pointer_(b_.getPtrTy()),
        word_(b_.getInt32Ty()),
        extents_(ArrayType::get(b_.getInt64Ty(), NIBBLE_MAX_RANK)),
        value_(StructType::get(b_.getContext(), {pointer_, pointer_, word_,
                                                 word_, word_, extents_})),
        function_(
            StructType::get(b_.getContext(), {pointer_, word_, word_, pointer_,
                                              pointer_, pointer_})) {}

  Constant *function(const Interface::Entry &entry) {
    return ConstantStruct::get(
        function_,
        {text(entry.name), number(entry.arguments.size()),
         number(entry.results.size()), values(entry.arguments),
         values(entry.results), module_.getFunction(entrySymbol(entry.name))});
  }

  void program(ArrayRef<Constant *> functions) {
    auto *type = StructType::get(b_.getContext(), {word_, word_, pointer_});
    Constant *table = ConstantStruct::get(type, {number(NIBBLE_ABI_VERSION),
                                                 number(functions.size()),
                                                 list(function_, functions)});
    auto *global = new GlobalVariable(module_, type, /*isConstant=*/true,
                                      GlobalValue::ExternalLinkage, table,
                                      "nibble_program");
    global->setVisibility(GlobalValue::DefaultVisibility);
  }

private:
  Constant *number(int64_t value) {
    return ConstantInt::get(word_, value, /*IsSigned=*/true);
  }
  Constant *text(StringRef text) {
    return hidden(ConstantDataArray::getString(b_.getContext(), text));
  }
  Constant *hidden(Constant *content) {
    return new GlobalVariable(module_, content->getType(), /*isConstant=*/true,
                              GlobalValue::PrivateLinkage, content);
  }
  Constant *list(Type *element, ArrayRef<Constant *> items) {
    return hidden(
        ConstantArray::get(ArrayType::get(element, items.size()), items));
  }
  Constant *values(const std::vector<nibble_value_info> &infos) {
    SmallVector<Constant *> items;
    for (const nibble_value_info &info : infos) {
      SmallVector<uint64_t> extents(info.shape, info.shape + NIBBLE_MAX_RANK);
      Constant *packed =
          info.packed ? text(info.packed) : ConstantPointerNull::get(pointer_);
      items.push_back(ConstantStruct::get(
          value_, {text(info.name), packed, number(info.role),
                   number(info.dtype), number(info.rank),
                   ConstantDataArray::get(b_.getContext(), extents)}));
    }
    return list(value_, items);
  }

  Module &module_;
  IRBuilder<> b_;
  PointerType *pointer_;
  IntegerType *word_;
  ArrayType *extents_;
  StructType *value_, *function_;
};

// Makes `name` call the runtime's function `target`, if the code uses it.
void forward(Module &module, StringRef name, StringRef target,
             bool addAlignment) {
  Function *function = module.getFunction(name);
  if (!function || !function->isDeclaration())
    return;
  IRBuilder<> b(BasicBlock::Create(module.getContext(), "", function));
  SmallVector<Value *> arguments;
  SmallVector<Type *> types;
  if (addAlignment)
    arguments.push_back(b.getInt64(64));
  for (Argument &argument : function->args())
    arguments.push_back(&argument);
  for (Value *argument : arguments)
    types.push_back(argument->getType());
  auto type = FunctionType::get(function->getReturnType(), types, false);
  CallInst *call =
      b.CreateCall(module.getOrInsertFunction(target, type), arguments);
  if (function->getReturnType()->isVoidTy())
    b.CreateRetVoid();
  else
    b.CreateRet(call);
  function->setLinkage(GlobalValue::InternalLinkage);
}

} // namespace

void nibble::host::completeLibrary(Module &module, const Interface &interface) {
  forward(module, "_mlir_memref_to_llvm_alloc", "nibble_arena_allocate",
          /*addAlignment=*/true);
  forward(module, "_mlir_memref_to_llvm_aligned_alloc", "nibble_arena_allocate",
          /*addAlignment=*/false);
  forward(module, "_mlir_memref_to_llvm_free", "nibble_arena_release",
          /*addAlignment=*/false);
  TableBuilder builder(module);
  SmallVector<Constant *> functions;
  for (const Interface::Entry &entry : interface.entries()) {
    functions.push_back(builder.function(entry));
    module.getFunction(entrySymbol(entry.name))
        ->setLinkage(GlobalValue::InternalLinkage);
  }
  builder.program(functions);
}
