#include "passes/LowerToHost/Passes.h"

#include "dialects/Check/Check.h"
#include "passes/LowerToHost/RuntimeCalls.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/Support/raw_ostream.h"

namespace nibble {
#define GEN_PASS_DEF_LOWERCHECKSPASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

// "test.mlir:12: check.expect_eq"
std::string placeOf(Operation *op, StringRef what) {
  std::string text;
  llvm::raw_string_ostream out(text);
  if (auto file = op->getLoc()->findInstanceOf<FileLineColLoc>())
    out << file.getFilename().getValue() << ":" << file.getLine() << ": ";
  out << what;
  return text;
}

// Upstream's lowering ends the process, without a word.
void lowerAssert(ModuleOp module, cf::AssertOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  Value violated = arith::XOrIOp::create(b, op.getArg(),
                                         arith::ConstantIntOp::create(b, 1, 1));
  auto branch = scf::IfOp::create(b, violated, /*withElseRegion=*/false);
  b.setInsertionPointToStart(branch.thenBlock());
  Value text = nibble::host::textAddress(b, module, "assert_text",
                                         placeOf(op, op.getMsg()));
  nibble::host::callRuntime(b, module, "nibble_assert_failed", TypeRange(),
                            text);
  op->erase();
}

// Every operand of the call is an integer: addresses, extents, the element
// type; and `relative`.
class CheckLowering {
public:
  CheckLowering(ModuleOp module, Operation *op)
      : module(module), op(op), b(op->getLoc(), op) {}

  void lower(StringRef callee, ArrayRef<Value> further) {
    Value actual = op->getOperand(0);
    Value expected = op->getOperand(1);
    auto type = cast<MemRefType>(actual.getType());
    SmallVector<Value> operands{
        nibble::host::textAddress(b, module, "check_place",
                                  placeOf(op, op->getName().getStringRef())),
        integer(isa<FloatType>(type.getElementType())),
        integer(type.getElementTypeBitWidth()),
        integer(type.getRank()),
        shapeAddress(actual),
        shapeAddress(expected),
        address(actual),
        address(expected)};
    llvm::append_range(operands, further);
    nibble::host::callRuntime(b, module, callee, TypeRange(), operands);
    op->erase();
  }

  Value integer(int64_t value) {
    return arith::ConstantIntOp::create(b, value, 64);
  }
  Value real(double value) {
    return arith::ConstantFloatOp::create(b, b.getF64Type(), APFloat(value));
  }

private:
  Value address(Value memref) {
    Value index = memref::ExtractAlignedPointerAsIndexOp::create(b, memref);
    return arith::IndexCastOp::create(b, b.getI64Type(), index);
  }

  // The extents in memory of the stack. A scalar has none; the call gets a
  // place all the same.
  Value shapeAddress(Value memref) {
    auto type = cast<MemRefType>(memref.getType());
    Value room = memref::AllocaOp::create(
        b, MemRefType::get({std::max<int64_t>(1, type.getRank())},
                           b.getI64Type()));
    for (int64_t dimension = 0; dimension < type.getRank(); ++dimension) {
      Value extent = memref::DimOp::create(b, memref, dimension);
      memref::StoreOp::create(
          b, arith::IndexCastOp::create(b, b.getI64Type(), extent), room,
          ValueRange{arith::ConstantIndexOp::create(b, dimension)});
    }
    return address(room);
  }

  ModuleOp module;
  Operation *op;
  ImplicitLocOpBuilder b;
};

class LowerChecks final
    : public nibble::impl::LowerChecksPassBase<LowerChecks> {
public:
  void runOnOperation() override {
    getOperation().walk(
        [&](cf::AssertOp op) { lowerAssert(getOperation(), op); });
    SmallVector<Operation *> checks;
    getOperation().walk([&](Operation *op) {
      if (isa<nibble::check::ExpectEqOp, nibble::check::ExpectCloseOp>(op))
        checks.push_back(op);
    });
    for (Operation *op : checks) {
      auto type = dyn_cast<MemRefType>(op->getOperand(0).getType());
      if (!type || !type.getLayout().isIdentity()) {
        op->emitOpError()
            << "is lowered after bufferization, on dense buffers, not on "
            << op->getOperand(0).getType();
        return signalPassFailure();
      }
      CheckLowering lowering(getOperation(), op);
      auto close = dyn_cast<nibble::check::ExpectCloseOp>(op);
      if (!close) {
        lowering.lower("nibble_check_expect_eq", {});
        continue;
      }
      int64_t ulp = close.getUlp() ? static_cast<int64_t>(*close.getUlp()) : -1;
      double relative =
          close.getRelative() ? close.getRelative()->convertToDouble() : -1.0;
      lowering.lower("nibble_check_expect_close",
                     {lowering.integer(ulp), lowering.real(relative)});
    }
  }
};

} // namespace
