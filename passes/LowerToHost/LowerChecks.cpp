// nibble-lower-checks: lowers the check dialect and cf.assert to calls of the
// runtime.
#include "passes/LowerToHost/Passes.h"

#include "dialects/Check/Check.h"
#include "passes/LowerToHost/RuntimeCalls.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/Statistic.h"
#include "llvm/Support/raw_ostream.h"

#define DEBUG_TYPE "nibble-lower-checks"

ALWAYS_ENABLED_STATISTIC(NumChecks, "checks that became calls of the runtime");
ALWAYS_ENABLED_STATISTIC(NumAsserts,
                         "asserts that became calls of the runtime");

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

// Upstream's lowering would end the process without a message.
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
  ++NumAsserts;
}

// Lowers one check. Every operand of the call is an integer (addresses,
// extents, the element type), except `relative`.
class CheckLowering {
public:
  CheckLowering(ModuleOp module, Operation *op)
      : module_(module), op_(op), b_(op->getLoc(), op) {}

  void lower(StringRef callee, ArrayRef<Value> further) {
    Value actual = op_->getOperand(0);
    Value expected = op_->getOperand(1);
    auto type = cast<MemRefType>(actual.getType());
    SmallVector<Value> operands{
        nibble::host::textAddress(b_, module_, "check_place",
                                  placeOf(op_, op_->getName().getStringRef())),
        integer(isa<FloatType>(type.getElementType())),
        integer(type.getElementTypeBitWidth()),
        integer(type.getRank()),
        shapeAddress(actual),
        shapeAddress(expected),
        address(actual),
        address(expected)};
    llvm::append_range(operands, further);
    nibble::host::callRuntime(b_, module_, callee, TypeRange(), operands);
    op_->erase();
    ++NumChecks;
  }

  Value integer(int64_t value) {
    return arith::ConstantIntOp::create(b_, value, 64);
  }
  Value real(double value) {
    return arith::ConstantFloatOp::create(b_, b_.getF64Type(), APFloat(value));
  }

private:
  Value address(Value memref) {
    Value index = memref::ExtractAlignedPointerAsIndexOp::create(b_, memref);
    return arith::IndexCastOp::create(b_, b_.getI64Type(), index);
  }

  // Stores the extents on the stack. A scalar has none, but the call gets an
  // address all the same.
  Value shapeAddress(Value memref) {
    auto type = cast<MemRefType>(memref.getType());
    Value room = memref::AllocaOp::create(
        b_, MemRefType::get({std::max<int64_t>(1, type.getRank())},
                            b_.getI64Type()));
    for (int64_t dimension = 0; dimension < type.getRank(); ++dimension) {
      Value extent = memref::DimOp::create(b_, memref, dimension);
      memref::StoreOp::create(
          b_, arith::IndexCastOp::create(b_, b_.getI64Type(), extent), room,
          ValueRange{arith::ConstantIndexOp::create(b_, dimension)});
    }
    return address(room);
  }

  ModuleOp module_;
  Operation *op_;
  ImplicitLocOpBuilder b_;
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
