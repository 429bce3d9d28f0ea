// nibble-emit-host-kernels: emits a function of loops and vectors for each
// distinct kernel.compute, and calls it.
#include "dialects/NN/NN.h"
#include "passes/LowerToHost/Emit/Kernels.h"
#include "passes/LowerToHost/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-emit-host-kernels"

ALWAYS_ENABLED_STATISTIC(NumWritten,
                         "functions written, one for all equal kernels");
ALWAYS_ENABLED_STATISTIC(NumCalls, "kernel.compute ops that became calls");

namespace nibble {
#define GEN_PASS_DEF_EMITHOSTKERNELSPASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble::host;

namespace {

// The key of a kernel: kernels with the same key share their code.
Attribute identityOf(nibble::kernel::ComputeOp op) {
  Builder b(op.getContext());
  SmallVector<Attribute> types;
  for (Value value : op->getOperands())
    types.push_back(TypeAttr::get(value.getType()));
  return b.getArrayAttr({op.getSourceAttr(), op.getParameters(),
                         op.getInputTypes(), op.getOutputTypes(),
                         b.getArrayAttr(types)});
}

// Splits a sum over many tensors into one op per tensor, which continues in the
// same buffer. So one kernel serves all tensors of a shape.
void takeOneByOne(nibble::kernel::ComputeOp op) {
  if (op.getSource() != nibble::nn::SquareSumOp::getOperationName() ||
      op.getInputs().size() == 1)
    return;
  OpBuilder b(op);
  for (auto [x, type] : llvm::zip(op.getInputs(), op.getInputTypes()))
    nibble::kernel::ComputeOp::create(
        b, op.getLoc(), op.getSource(), x, op.getOutputs(), op.getParameters(),
        b.getArrayAttr(type), op.getOutputTypes());
  op.erase();
}

// Frees scratch memory at the end of the kernel.
void releaseScratch(func::FuncOp function, Emitter &b) {
  for (auto allocation : function.getBody().front().getOps<memref::AllocOp>())
    memref::DeallocOp::create(b, allocation);
}

class EmitHostKernels final
    : public nibble::impl::EmitHostKernelsPassBase<EmitHostKernels> {
public:
  void runOnOperation() override {
    FailureOr<TargetAttr> target =
        nibble::kernel::targetOf<TargetAttr>(getOperation());
    if (failed(target))
      return signalPassFailure();
    nibble::CpuTarget machine = target->getFacts();
    KernelTable table;
    addNormKernels(table);
    addElementwiseKernels(table);
    addLossKernels(table);
    addAttentionKernels(table);
    addLinearKernels(table);
    addQuantizeKernels(table);

    SymbolTable symbols(getOperation());
    DenseMap<Attribute, func::FuncOp> outlined;
    getOperation().walk(takeOneByOne);
    SmallVector<nibble::kernel::ComputeOp> kernels;
    getOperation().walk(
        [&](nibble::kernel::ComputeOp op) { kernels.push_back(op); });
    for (nibble::kernel::ComputeOp op : kernels) {
      func::FuncOp &function = outlined[identityOf(op)];
      if (!function) {
        const KernelTable::Write *write = table.find(op.getSource());
        if (!write) {
          op.emitError() << "there is no host kernel for '" << op.getSource()
                         << "'";
          return signalPassFailure();
        }
        FailureOr<func::FuncOp> written = outline(op, *write, machine, symbols);
        if (failed(written))
          return signalPassFailure();
        function = *written;
        ++NumWritten;
      }
      OpBuilder b(op);
      func::CallOp::create(b, op.getLoc(), function, op->getOperands());
      ++NumCalls;
      op.erase();
    }
  }

private:
  FailureOr<func::FuncOp> outline(nibble::kernel::ComputeOp op,
                                  const KernelTable::Write &write,
                                  const nibble::CpuTarget &machine,
                                  SymbolTable &symbols) {
    OpBuilder builder(op.getContext());
    std::string name = op.getSource().str();
    std::replace(name.begin(), name.end(), '.', '_');
    auto type = builder.getFunctionType(op->getOperandTypes(), {});
    auto function = func::FuncOp::create(op.getLoc(), name + "_0", type);
    function.setPrivate();
    symbols.insert(function);
    Block *body = function.addEntryBlock();
    Emitter b(op.getLoc(), op.getContext());
    b.setInsertionPointToStart(body);
    unsigned inputs = op.getInputs().size();
    ValueRange arguments = body->getArguments();
    Kernel kernel{
        {op, arguments.take_front(inputs), arguments.drop_front(inputs)},
        b,
        machine};
    if (failed(write(kernel)))
      return failure();
    b.setInsertionPointToEnd(body);
    releaseScratch(function, b);
    func::ReturnOp::create(b);
    return function;
  }
};

} // namespace
