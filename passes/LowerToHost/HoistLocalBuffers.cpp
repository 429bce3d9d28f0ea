// nibble-hoist-local-buffers: turns buffers of one iteration into buffers of
// one thread.
#include "passes/LowerToHost/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-hoist-local-buffers"

ALWAYS_ENABLED_STATISTIC(NumHoisted, "buffers that a thread allocates once");

namespace nibble {
#define GEN_PASS_DEF_HOISTLOCALBUFFERSPASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

class HoistLocalBuffers final
    : public nibble::impl::HoistLocalBuffersPassBase<HoistLocalBuffers> {
public:
  void runOnOperation() override {
    SmallVector<memref::AllocaScopeOp> scopes;
    getOperation().walk(
        [&](memref::AllocaScopeOp scope) { scopes.push_back(scope); });
    IRRewriter rewriter(&getContext());
    for (memref::AllocaScopeOp scope : scopes)
      if (auto threads = scope->getParentOfType<omp::ParallelOp>();
          threads && scope.getNumResults() == 0)
        hoist(rewriter, scope, threads);
  }

private:
  // A buffer of known size that each iteration allocates can be the same one
  // every time.
  static void hoist(IRRewriter &rewriter, memref::AllocaScopeOp scope,
                    omp::ParallelOp threads) {
    Block *entry = &threads.getRegion().front();
    Block *body = &scope.getBodyRegion().front();
    for (auto buffer :
         llvm::make_early_inc_range(body->getOps<memref::AllocaOp>())) {
      if (buffer->getNumOperands() != 0)
        return;
      rewriter.moveOpBefore(buffer, entry, entry->begin());
      ++NumHoisted;
    }
    rewriter.eraseOp(body->getTerminator());
    rewriter.inlineBlockBefore(body, scope);
    rewriter.eraseOp(scope);
  }
};

} // namespace
