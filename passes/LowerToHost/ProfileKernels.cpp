// nibble-profile-kernels: adds calls around kernels that take the time.
#include "passes/LowerToHost/Passes.h"

#include "passes/LowerToHost/RuntimeCalls.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/Statistic.h"
#include "llvm/Support/raw_ostream.h"

#define DEBUG_TYPE "nibble-profile-kernels"

ALWAYS_ENABLED_STATISTIC(NumTimed, "kernels and linalg ops that are timed");

namespace nibble {
#define GEN_PASS_DEF_PROFILEKERNELSPASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

// The label of the kernel in the report: "nn.rms_norm ?x64xbf16, 64xbf16 ->
// ?x64xbf16".
std::string labelOf(Operation *op) {
  std::string text;
  llvm::raw_string_ostream out(text);
  auto print = [&](TypeRange types) {
    llvm::interleaveComma(types, out, [&](Type type) {
      if (auto shaped = dyn_cast<ShapedType>(type)) {
        for (int64_t extent : shaped.getShape())
          ShapedType::isDynamic(extent) ? out << "?x" : out << extent << "x";
        type = shaped.getElementType();
      }
      out << type;
    });
  };
  if (auto kernel = dyn_cast<nibble::kernel::ComputeOp>(op)) {
    auto types = [](ArrayAttr list) {
      return llvm::to_vector(list.getAsValueRange<TypeAttr>());
    };
    out << kernel.getSource() << " ";
    print(types(kernel.getInputTypes()));
    out << " -> ";
    print(types(kernel.getOutputTypes()));
    return text;
  }
  auto linalg = cast<linalg::LinalgOp>(op);
  out << op->getName() << " ";
  print(TypeRange(ValueRange(linalg.getDpsInputs())));
  out << " -> ";
  print(TypeRange(ValueRange(linalg.getDpsInits())));
  return text;
}

class ProfileKernels final
    : public nibble::impl::ProfileKernelsPassBase<ProfileKernels> {
public:
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<Operation *> kernels;
    module.walk([&](Operation *op) {
      if (isa<nibble::kernel::ComputeOp, linalg::LinalgOp>(op))
        kernels.push_back(op);
    });
    for (Operation *op : kernels) {
      if (isa<linalg::LinalgOp>(op) &&
          !cast<linalg::LinalgOp>(op).hasPureBufferSemantics()) {
        op->emitOpError() << "is timed after bufferization, on buffers";
        return signalPassFailure();
      }
      ImplicitLocOpBuilder b(op->getLoc(), op);
      Value began = nibble::host::callRuntime(b, module, "nibble_profile_begin",
                                              b.getI64Type(), {})
                        .getResult(0);
      b.setInsertionPointAfter(op);
      Value label =
          nibble::host::textAddress(b, module, "profile_label", labelOf(op));
      nibble::host::callRuntime(b, module, "nibble_profile_end", {},
                                {label, began});
      ++NumTimed;
    }
  }
};

} // namespace
