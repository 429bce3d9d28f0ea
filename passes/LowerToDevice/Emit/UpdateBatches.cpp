// Finds the batches of an optimizer's update and emits them.
#include "passes/LowerToDevice/Emit/UpdateBatches.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace nibble::device {

namespace {

// The allocation or argument that contains the buffer. Different ones do not
// overlap, because a program's arguments have separate memory.
Value rootOf(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
    buffer = view.getViewSource();
  return buffer;
}

// The memory that ops read and write.
class Footprint {
public:
  // Adds the op. Returns whether all its memory effects are known.
  bool add(Operation *op) {
    std::optional<SmallVector<MemoryEffects::EffectInstance>> effects =
        getEffectsRecursively(op);
    if (!effects)
      return false;
    for (const MemoryEffects::EffectInstance &effect : *effects) {
      if (isa<MemoryEffects::Allocate>(effect.getEffect()))
        continue; // nothing else refers to new memory yet
      if (!effect.getValue())
        return false;
      Value root = rootOf(effect.getValue());
      (isa<MemoryEffects::Read>(effect.getEffect()) ? read_ : written_)
          .insert(root);
    }
    return true;
  }
  // Whether the two sides conflict, so that their order matters.
  bool meets(const Footprint &other) const {
    auto writes = [](const Footprint &one, const Footprint &two) {
      return llvm::any_of(one.written_, [&](Value root) {
        return two.read_.contains(root) || two.written_.contains(root);
      });
    };
    return writes(*this, other) || writes(other, *this);
  }
  void addAll(const Footprint &other) {
    read_.insert(other.read_.begin(), other.read_.end());
    written_.insert(other.written_.begin(), other.written_.end());
  }

private:
  DenseSet<Value> read_, written_;
};

// Walks a block with one open batch.
class BatchFinder {
public:
  explicit BatchFinder(SmallVectorImpl<UpdateBatch> &found) : found_(found) {}

  LogicalResult visit(Operation *op) {
    Footprint own;
    bool known = own.add(op);
    auto compute = dyn_cast<kernel::ComputeOp>(op);
    StringRef source = compute ? compute.getSource() : "";
    if (source == nn::AdamWOp::getOperationName()) {
      FailureOr<OptimizerStep> step = stepOf(compute);
      if (failed(step))
        return failure();
      if (own.meets(steps_) || own.meets(quantizes_) ||
          (!batch_.steps.empty() && batch_.steps.front().hyper != step->hyper))
        close();
      join(batch_.steps, steps_, *step, own);
    } else if (source == qat::QuantizeOp::getOperationName()) {
      FailureOr<WeightQuantization> quantize = quantizationOf(compute);
      if (failed(quantize))
        return failure();
      // It runs after the steps, so sharing memory with them is allowed.
      if (own.meets(quantizes_))
        close();
      join(batch_.quantizes, quantizes_, *quantize, own);
    } else if (!known || own.meets(steps_) || own.meets(quantizes_)) {
      close();
    }
    return success();
  }
  void close() {
    if (batch_.last)
      found_.push_back(std::move(batch_));
    batch_ = {};
    steps_ = quantizes_ = {};
  }

private:
  static FailureOr<OptimizerStep> stepOf(kernel::ComputeOp op) {
    kernels::KernelOp kernel{op, op.getInputs(), op.getOutputs()};
    auto view = kernels::BufferView<nn::AdamWOp>::of(kernel);
    if (failed(view))
      return failure();
    nn::AdamWOp::Adaptor step = view->adaptor();
    return OptimizerStep{op,
                         step.getGradient(),
                         step.getMaster(),
                         step.getMoment1(),
                         step.getMoment2(),
                         kernel.result(3),
                         step.getHyper()};
  }
  static FailureOr<WeightQuantization> quantizationOf(kernel::ComputeOp op) {
    kernels::KernelOp kernel{op, op.getInputs(), op.getOutputs()};
    auto view = kernels::BufferView<qat::QuantizeOp>::of(kernel);
    if (failed(view))
      return failure();
    Value bytes = kernel.result(0);
    return WeightQuantization{op, view->adaptor().getWeight(), bytes,
                              kernel.packedType(bytes)};
  }

  template <typename Op>
  void join(SmallVector<Op> &ops, Footprint &footprint, const Op &op,
            const Footprint &own) {
    ops.push_back(op);
    footprint.addAll(own);
    batch_.last = op.op;
  }

  SmallVectorImpl<UpdateBatch> &found_;
  UpdateBatch batch_;
  Footprint steps_, quantizes_;
};

} // namespace

FailureOr<SmallVector<UpdateBatch>> findUpdateBatches(ModuleOp module) {
  SmallVector<UpdateBatch> found;
  WalkResult walked = module.walk([&](Block *block) {
    BatchFinder finder(found);
    for (Operation &op : *block)
      if (failed(finder.visit(&op)))
        return WalkResult::interrupt();
    finder.close();
    return WalkResult::advance();
  });
  if (walked.wasInterrupted())
    return failure();
  return found;
}

} // namespace nibble::device
