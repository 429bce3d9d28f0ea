#include "passes/LowerToHopper/ClusterExchange.h"

#include "passes/LowerToHopper/InlineAssembly.h"

using namespace mlir;

namespace nibble::hopper {

void ClusterExchange::init() {
  for (int64_t event = 0; event < 2; ++event)
    emitEffect(b, "mbarrier.init.shared::cta.b64 [$0], $1;", {barrier(event), b.i32(blocks)});
}

void ClusterExchange::waitForAll() {
  NVVM::ClusterArriveOp::create(b, UnitAttr());
  NVVM::ClusterWaitOp::create(b, UnitAttr());
}

void ClusterExchange::announce(int64_t event, Value thread) {
  b.ifThen(b.equal(thread, 0), [&] {
    for (int64_t rank = 0; rank < blocks; ++rank)
      emitEffect(b, "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [$0];", {addressIn(barrier(event), rank)});
  });
}

void ClusterExchange::await(int64_t event) { waitParity(b, barrier(event), b.i32(0), /*ofCluster=*/true); }

Value ClusterExchange::addressIn(Value shared, int64_t rank) {
  return emitValue(b, "mapa.shared::cluster.u32 $0, $1, $2;", b.getI32Type(), {shared, b.i32(rank)});
}

Value ClusterExchange::load(Value address) {
  return emitValue(b, "ld.shared::cluster.f32 $0, [$1];", b.getF32Type(), {address}, /*readsMemory=*/true);
}

} // namespace nibble::hopper
