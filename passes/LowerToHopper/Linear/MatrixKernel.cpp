// A complete matrix kernel: its roles and its launch.
#include "passes/LowerToHopper/Linear/MatrixBody.h"

using namespace mlir;

namespace nibble::hopper {

void Matrix::write() {
  ring_ = RingOp::create(b_, ringType_, 0);
  rank_ =
      spec_.cluster() > 1 ? b_.remI(b_.block(0), spec_.cluster()) : b_.i32(0);
  rowBlock_ = spec_.sideBySide() && spec_.cluster() > 1
                  ? b_.divI(b_.block(0), spec_.cluster())
                  : b_.block(0);
  columnBlock_ = b_.block(1);
  if (spec_.tile >= 128)
    takeTurns();
  // At least one, in a way that the compiler sees: ptxas serializes matrix
  // instructions when a path goes around them.
  steps_ = b_.mulI(b_.maxI(b_.ceilDivI(args_.k, spec_.unitDepth()), b_.i32(1)),
                   spec_.unitDepth() / spec_.stageDepth());
  b_.ifThen(b_.equal(b_.thread(), 0), [&] {
    if (spec_.sideBySide())
      exchange().init();
    RingInitOp::create(b_, ring_);
    if (spec_.sideBySide())
      exchange().expect();
  });
  if (spec_.sideBySide())
    exchange().arrive();
  if (spec_.sharers > 1)
    meetSharers();
  else
    b_.barrier();
  // setmaxnreg moves registers between the warps of a block, within the number
  // that it was launched with.
  int64_t threads = 128 + spec_.consumers();
  int64_t launched = kArchitecture.registersFor(threads, spec_.blocksPerSM());
  int64_t producer =
      spec_.blocksPerSM() * spec_.streams() > 1 || spec_.tile > 128 ? 24 : 40;
  int64_t consumer =
      (launched * threads - producer * 128) / spec_.consumers() / 8 * 8;
  auto roles = RolesOp::create(b_, producer, consumer);
  b_.writeRegion(roles.getProducer(), [&] { produce(); });
  b_.writeRegion(roles.getConsumers(), [&] { consume(); });
  if (spec_.sharers > 1)
    meetSharers();
}

void Matrix::takeTurns() {
  int64_t width = spec_.tile == 256 && spec_.a == Operand::kPacked ? 4 : 8;
  Value rows = b_.ceilDivI(args_.m, rowsOfY() * spec_.sharers);
  Value columns = b_.ceilDivI(args_.n, spec_.tile);
  Value number =
      b_.addI(b_.mulI(b_.block(1), rows), b_.divI(b_.block(0), spec_.sharers));
  Value first = b_.mulI(b_.divI(number, b_.mulI(rows, width)), width);
  Value inGroup = b_.remI(number, b_.mulI(rows, width));
  Value ofGroup = b_.minI(b_.subI(columns, first), b_.i32(width));
  rowBlock_ = b_.addI(b_.mulI(b_.divI(inGroup, ofGroup), spec_.sharers), rank_);
  columnBlock_ = b_.addI(first, b_.remI(inGroup, ofGroup));
}

void Matrix::meetSharers() {
  NVVM::ClusterArriveOp::create(b_, b_.getUnitAttr());
  NVVM::ClusterWaitOp::create(b_, b_.getUnitAttr());
}

void launchMatrix(Kernel &kernel, const MatrixSpec &spec,
                  const MatrixArguments &arguments, Value columnBlocks) {
  LaunchSpec launch;
  launch.key = spec.key();
  launch.threads = 128 + spec.consumers();
  launch.sharedBytes = spec.sharedBytes();
  launch.cluster = spec.cluster();
  launch.blocksPerSM = spec.blocksPerSM();
  launch.fetchesEarly = spec.early;
  // Extra blocks that complete the last cluster have no rows.
  int64_t rowsOfBlock = spec.swiglu ? kWarpgroupRows : kBlockRows;
  Value rowBlocks = kernel.ceilDiv(arguments.m, rowsOfBlock * spec.sharers);
  launch.grid = {kernel.mul(rowBlocks, kernel.index(launch.cluster)),
                 columnBlocks};
  launch.arguments = {arguments.a, arguments.b, arguments.result,
                      arguments.m, arguments.n, arguments.k};
  if (arguments.bias)
    launch.arguments.push_back(arguments.bias);
  if (arguments.residual)
    launch.arguments.push_back(arguments.residual);
  if (arguments.pairedA)
    launch.arguments.push_back(arguments.pairedA);
  Value products =
      kernel.mul(arguments.m, kernel.mul(arguments.n, arguments.k));
  launch.operations = kernel.mul(kernel.index(spec.swiglu ? 4 : 2), products);
  Builder b(kernel.op.getContext());
  launch.report = b.getDictionaryAttr({
      b.getNamedAttr("splits", b.getI64IntegerAttr(spec.splits)),
      b.getNamedAttr("stages", b.getI64IntegerAttr(spec.stages())),
      b.getNamedAttr("tile",
                     b.getStringAttr(std::to_string(kBlockRows) + "x" +
                                     std::to_string(spec.tile) + "x" +
                                     std::to_string(spec.stageDepth()))),
  });
  kernel.launch(launch, [&](Emitter &e, ValueRange values) {
    MatrixArguments inside{values[0], {},        values[1], values[2], {},
                           {},        values[3], values[4], values[5]};
    unsigned next = 6;
    if (arguments.bias)
      inside.bias = values[next++];
    if (arguments.residual)
      inside.residual = values[next++];
    if (arguments.pairedA)
      inside.pairedA = values[next++];
    Matrix(e, spec, inside).write();
  });
}

} // namespace nibble::hopper
