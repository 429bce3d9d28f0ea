// Exchanges partial sums between the blocks of a cluster.
#include "passes/LowerToHopper/Linear/ClusterExchange.h"

#include "passes/LowerToDevice/Emit/InlineAssembly.h"

using namespace mlir;

namespace nibble::hopper {

void ClusterExchange::init() {
  if (blocks > 1)
    emitEffect(b, "mbarrier.init.shared::cta.b64 [$0], $1;",
               {barrier(), b.i32(1)});
}

void ClusterExchange::expect() {
  if (blocks > 1)
    emitEffect(
        b,
        "{\n\t.reg .b64 state;\n\tmbarrier.arrive.expect_tx.shared::cta.b64 "
        "state, [$0], $1;\n\t}",
        {barrier(), b.i32(bytes)});
}

void ClusterExchange::arrive() {
  if (blocks > 1)
    NVVM::ClusterArriveRelaxedOp::create(b, b.getUnitAttr());
}

void ClusterExchange::waitForAll() {
  if (blocks > 1)
    NVVM::ClusterWaitOp::create(b, b.getUnitAttr());
}

void ClusterExchange::send(Value rank, Value at, Value first, Value second) {
  if (blocks == 1)
    return b.store(b.fromElements({first, second}), b.atByte(received(), at));
  emitEffect(b,
             "st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 "
             "[$0], {$1, $2}, [$3];",
             {b.addI(addressIn(received(), rank), at), first, second,
              addressIn(barrier(), rank)});
}

void ClusterExchange::await() {
  if (blocks == 1)
    b.barrier(kConsumerBarrier, threads);
  else
    waitParity(b, barrier(), b.i32(0));
}

Value ClusterExchange::load(Value at) {
  return b.load(b.atByte(received(), at), b.getF32Type());
}

Value ClusterExchange::addressIn(Value shared, Value rank) {
  return emitValue(b, "mapa.shared::cluster.u32 $0, $1, $2;", b.getI32Type(),
                   {shared, rank});
}

} // namespace nibble::hopper
