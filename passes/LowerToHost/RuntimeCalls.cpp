// Declares and calls functions of the runtime, and stores texts as global
// constants.
#include "passes/LowerToHost/RuntimeCalls.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

func::CallOp nibble::host::callRuntime(ImplicitLocOpBuilder &b, ModuleOp module,
                                       StringRef callee, TypeRange results,
                                       ValueRange operands) {
  if (!module.lookupSymbol(callee)) {
    OpBuilder atEnd = OpBuilder::atBlockEnd(module.getBody());
    auto type = FunctionType::get(b.getContext(), operands.getTypes(), results);
    func::FuncOp::create(atEnd, b.getLoc(), callee, type).setPrivate();
  }
  return func::CallOp::create(b, callee, results, operands);
}

Value nibble::host::textAddress(ImplicitLocOpBuilder &b, ModuleOp module,
                                StringRef symbol, StringRef text) {
  SmallVector<int8_t> bytes(text.begin(), text.end());
  bytes.push_back(0);
  auto tensor = RankedTensorType::get({static_cast<int64_t>(bytes.size())},
                                      b.getI8Type());
  auto type = MemRefType::get(tensor.getShape(), b.getI8Type());
  std::string name;
  for (int64_t number = 0; module.lookupSymbol(
           name = (symbol + "_" + std::to_string(number)).str());
       ++number) {
  }
  OpBuilder atBegin = OpBuilder::atBlockBegin(module.getBody());
  auto global = memref::GlobalOp::create(
      atBegin, b.getLoc(), name, b.getStringAttr("private"), type,
      DenseElementsAttr::get(tensor, ArrayRef<int8_t>(bytes)),
      /*constant=*/true,
      /*alignment=*/IntegerAttr());
  Value memory = memref::GetGlobalOp::create(b, type, global.getName());
  Value index = memref::ExtractAlignedPointerAsIndexOp::create(b, memory);
  return arith::IndexCastOp::create(b, b.getI64Type(), index);
}
