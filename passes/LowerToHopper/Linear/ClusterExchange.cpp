// Exchanges partial sums between the blocks of a cluster.
#include "passes/LowerToHopper/Linear/ClusterExchange.h"

#include "passes/LowerToDevice/Emit/InlineAssembly.h"

using namespace mlir;

namespace nibble::hopper {

void ClusterExchange::init() {
  if (blocks_ > 1)
    emitEffect(b_, "mbarrier.init.shared::cta.b64 [$0], $1;",
               {barrier(), b_.i32(1)});
}

void ClusterExchange::expect() {
  if (blocks_ > 1)
    emitEffect(
        b_,
        "{\n\t.reg .b64 state;\n\tmbarrier.arrive.expect_tx.shared::cta.b64 "
        "state, [$0], $1;\n\t}",
        {barrier(), b_.i32(bytes_)});
}

void ClusterExchange::arrive() {
  if (blocks_ > 1)
    NVVM::ClusterArriveRelaxedOp::create(b_, b_.getUnitAttr());
}

void ClusterExchange::waitForAll() {
  if (blocks_ > 1)
    NVVM::ClusterWaitOp::create(b_, b_.getUnitAttr());
}

void ClusterExchange::send(Value rank, Value at, Value first, Value second) {
  if (blocks_ == 1)
    return b_.store(b_.fromElements({first, second}),
                    b_.atByte(received(), at));
  emitEffect(b_,
             "st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 "
             "[$0], {$1, $2}, [$3];",
             {b_.addI(addressIn(received(), rank), at), first, second,
              addressIn(barrier(), rank)});
}

void ClusterExchange::await() {
  if (blocks_ == 1)
    b_.barrier(kConsumerBarrier, threads_);
  else
    waitParity(b_, barrier(), b_.i32(0));
}

Value ClusterExchange::load(Value at) {
  return b_.load(b_.atByte(received(), at), b_.getF32Type());
}

Value ClusterExchange::addressIn(Value shared, Value rank) {
  return emitValue(b_, "mapa.shared::cluster.u32 $0, $1, $2;", b_.getI32Type(),
                   {shared, rank});
}

} // namespace nibble::hopper
