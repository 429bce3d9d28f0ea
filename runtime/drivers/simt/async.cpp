// The queue of issued work that is not complete. With checks, each operation
// completes at a moment that the seed chooses.
#include "runtime/drivers/simt/machine.h"

namespace nibble::simt {

namespace {
constexpr uint32_t kLongestDelay = 12; // in rounds of the scheduler
}

Outcome issue(Warp &warp, std::unique_ptr<AsyncOp> op) {
  Cluster &cluster = *warp.cluster;
  if (!cluster.checks) {
    noteChange(cluster, op->storesGlobal());
    return op->perform();
  }
  op->due = cluster.round + cluster.random.below(kLongestDelay);
  cluster.pending.push_back(std::move(op));
  return Outcome::kNext;
}

Outcome completeAt(Cluster &cluster, size_t i) {
  std::unique_ptr<AsyncOp> op = std::move(cluster.pending[i]);
  cluster.pending.erase(cluster.pending.begin() +
                        static_cast<std::ptrdiff_t>(i));
  noteChange(cluster, op->storesGlobal());
  return op->perform();
}

Outcome completeWhere(Cluster &cluster,
                      const std::function<bool(const AsyncOp &)> &which) {
  // One completion may perform other operations, so the search starts again.
  for (size_t i = 0; i < cluster.pending.size();) {
    if (!which(*cluster.pending[i])) {
      ++i;
      continue;
    }
    if (completeAt(cluster, i) == Outcome::kFault)
      return Outcome::kFault;
    i = 0;
  }
  return Outcome::kNext;
}

} // namespace nibble::simt
