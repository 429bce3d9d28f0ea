// nibble-forward-copies: lets kernels write to the destination of a copy.
#include "passes/Bufferize/Passes.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-forward-copies"

ALWAYS_ENABLED_STATISTIC(NumForwarded,
                         "copies whose destination is written directly");

namespace nibble {
#define GEN_PASS_DEF_FORWARDCOPIESPASS
#include "passes/Bufferize/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

// Whether nobody can see that `target`, an argument, is written before the
// copy. That holds when nothing but this copy touches the argument, and only
// ops of the same block use the allocation that is copied.
bool canWriteInPlace(memref::CopyOp copy, memref::AllocOp allocation) {
  auto target = dyn_cast<BlockArgument>(copy.getTarget());
  if (!target || !target.hasOneUse() ||
      !isa<FunctionOpInterface>(target.getOwner()->getParentOp()))
    return false;
  if (target.getType() != allocation.getType())
    return false;
  return llvm::all_of(allocation->getUsers(), [&](Operation *user) {
    return user == copy ||
           isa<nibble::kernel::ComputeOp, memref::DeallocOp, func::CallOp>(
               user);
  });
}

class ForwardCopies final
    : public nibble::impl::ForwardCopiesPassBase<ForwardCopies> {
public:
  void runOnOperation() override {
    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp copy) { copies.push_back(copy); });
    for (memref::CopyOp copy : copies) {
      auto allocation = copy.getSource().getDefiningOp<memref::AllocOp>();
      if (!allocation || !canWriteInPlace(copy, allocation))
        continue;
      Value target = copy.getTarget();
      for (Operation *user : llvm::make_early_inc_range(allocation->getUsers()))
        if (isa<memref::DeallocOp>(user))
          user->erase();
      copy.erase();
      allocation.replaceAllUsesWith(target);
      allocation.erase();
      ++NumForwarded;
    }
  }
};

} // namespace
