// nibble-emit-hopper-kernels: replaces each kernel.compute by launches and
// emits their kernels.
#include "passes/LowerToDevice/DeviceKernels.h"
#include "passes/LowerToDevice/Emit/UpdateBatches.h"
#include "passes/LowerToHopper/HopperKernels.h"
#include "passes/LowerToHopper/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-emit-hopper-kernels"

ALWAYS_ENABLED_STATISTIC(NumReplaced, "ops that became launches");
ALWAYS_ENABLED_STATISTIC(NumKernels,
                         "kernels written, one for all equal launches");

namespace nibble {
#define GEN_PASS_DEF_EMITHOPPERKERNELSPASS
#include "passes/LowerToHopper/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble::device;
using namespace nibble::hopper;

namespace {

class EmitHopperKernels final
    : public nibble::impl::EmitHopperKernelsPassBase<EmitHopperKernels> {
public:
  void runOnOperation() override {
    FailureOr<TargetAttr> target =
        nibble::kernel::targetOf<TargetAttr>(getOperation());
    if (failed(target))
      return signalPassFailure();
    nibble::GpuTarget facts = target->getFacts();
    KernelTable table;
    addDeviceKernels(table);
    addHopperKernels(table, *facts.architecture);

    getOperation().walk([](memref::StoreOp store) { copyOnDevice(store); });
    KernelWriter writer(getOperation(), facts);
    FailureOr<SmallVector<UpdateBatch>> batches =
        findUpdateBatches(getOperation());
    if (failed(batches))
      return signalPassFailure();
    for (const UpdateBatch &batch : *batches)
      if (failed(emitUpdate(writer, batch)))
        return signalPassFailure();
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<nibble::kernel::ComputeOp, linalg::LinalgOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      LogicalResult emitted = success();
      if (auto compute = dyn_cast<nibble::kernel::ComputeOp>(op))
        emitted = emit(compute, table, writer);
      else
        emitted = emitElementwise(writer, cast<linalg::LinalgOp>(op));
      if (failed(emitted))
        return signalPassFailure();
      op->erase();
      ++NumReplaced;
    }
    getOperation().walk([](gpu::GPUFuncOp) { ++NumKernels; });
  }

private:
  // Adds the kernels whose instructions the architecture has.
  static void addHopperKernels(KernelTable &table,
                               const nibble::GpuArchitecture &architecture) {
    if (!architecture.hasWarpgroupMatrix || !architecture.hasTensorCopies ||
        !architecture.hasClusters || !architecture.hasRegisterMoves)
      return;
    addLinearKernels(table);
    addAttentionKernels(table);
    addAttentionGradKernels(table);
  }

  // A scalar that is loaded only to be stored elsewhere is copied on the
  // device, so that the host never needs it.
  static void copyOnDevice(memref::StoreOp store) {
    auto load = store.getValueToStore().getDefiningOp<memref::LoadOp>();
    if (!load || !load.getIndices().empty() || !store.getIndices().empty() ||
        !load->hasOneUse() || load->getBlock() != store->getBlock())
      return;
    for (Operation *op = load->getNextNode(); op != store;
         op = op->getNextNode())
      if (!isa<memref::AllocOp>(op) && !isMemoryEffectFree(op))
        return;
    OpBuilder b(store);
    memref::CopyOp::create(b, store.getLoc(), load.getMemRef(),
                           store.getMemRef());
    store.erase();
    load.erase();
  }

  static LogicalResult emit(nibble::kernel::ComputeOp op,
                            const KernelTable &table, KernelWriter &writer) {
    const KernelTable::Write *write = table.find(op.getSource());
    if (!write)
      return op.emitError()
             << "there is no kernel for '" << op.getSource() << "' on an H200";
    OpBuilder host(op);
    Kernel kernel(writer, host, op);
    return (*write)(kernel);
  }
};

} // namespace
