// A complete matrix kernel: its roles and its launch.
#include "passes/LowerToHopper/Linear/MatrixBody.h"

using namespace mlir;

namespace nibble::hopper {

void Matrix::write() {
  ring = RingOp::create(b, ringType, 0);
  rank = spec.cluster() > 1 ? b.remI(b.block(0), spec.cluster()) : b.i32(0);
  rowBlock = spec.sideBySide() && spec.cluster() > 1
                 ? b.divI(b.block(0), spec.cluster())
                 : b.block(0);
  columnBlock = b.block(1);
  if (spec.tile >= 128)
    takeTurns();
  // At least one, in a way that the compiler sees: ptxas serializes matrix
  // instructions when a path goes around them.
  steps = b.mulI(b.maxI(b.ceilDivI(args.k, spec.unitDepth()), b.i32(1)),
                 spec.unitDepth() / spec.stageDepth());
  b.ifThen(b.equal(b.thread(), 0), [&] {
    if (spec.sideBySide())
      exchange().init();
    RingInitOp::create(b, ring);
    if (spec.sideBySide())
      exchange().expect();
  });
  if (spec.sideBySide())
    exchange().arrive();
  if (spec.sharers > 1)
    meetSharers();
  else
    b.barrier();
  // setmaxnreg moves registers between the warps of a block, within the number
  // that it was launched with.
  int64_t threads = 128 + spec.consumers(),
          launched = kArchitecture.registersFor(threads, spec.blocksPerSM());
  int64_t producer =
      spec.blocksPerSM() * spec.streams() > 1 || spec.tile > 128 ? 24 : 40;
  int64_t consumer =
      (launched * threads - producer * 128) / spec.consumers() / 8 * 8;
  auto roles = RolesOp::create(b, producer, consumer);
  b.writeRegion(roles.getProducer(), [&] { produce(); });
  b.writeRegion(roles.getConsumers(), [&] { consume(); });
  if (spec.sharers > 1)
    meetSharers();
}

void Matrix::takeTurns() {
  int64_t width = spec.tile == 256 && spec.a == Operand::kPacked ? 4 : 8;
  Value rows = b.ceilDivI(args.m, rowsOfY() * spec.sharers),
        columns = b.ceilDivI(args.n, spec.tile);
  Value number =
      b.addI(b.mulI(b.block(1), rows), b.divI(b.block(0), spec.sharers));
  Value first = b.mulI(b.divI(number, b.mulI(rows, width)), width),
        inGroup = b.remI(number, b.mulI(rows, width));
  Value ofGroup = b.minI(b.subI(columns, first), b.i32(width));
  rowBlock = b.addI(b.mulI(b.divI(inGroup, ofGroup), spec.sharers), rank);
  columnBlock = b.addI(first, b.remI(inGroup, ofGroup));
}

void Matrix::meetSharers() {
  NVVM::ClusterArriveOp::create(b, b.getUnitAttr());
  NVVM::ClusterWaitOp::create(b, b.getUnitAttr());
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
