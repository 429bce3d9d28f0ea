// nn.attention_grad: its launches, and the statistics of rows that both kernels
// read.
#include "passes/LowerToHopper/Attention/AttentionGrad.h"
#include "passes/LowerToDevice/Rows/NormRows.h"
#include "passes/LowerToHopper/HopperKernels.h"

#include <numbers>

using namespace mlir;

namespace nibble::hopper {

namespace {

constexpr int64_t kRowsPerBlock = 8; // one per warp

// logs = -lse in base 2 and means = sum(dy * y) for every row. Sums are as in
// the norms, in an order that depends on the size only (N13).
void launchStatistics(Kernel &k, const AttentionShape &shape,
                      const AttentionGradArguments &arguments, Value y,
                      Value lse) {
  NormRows norm(shape.size, k.host.getBF16Type(), 0);
  Value rows = k.mul(arguments.tokens, k.index(shape.heads));
  LaunchSpec launch;
  launch.key = "attention_grad_statistics_" + std::to_string(shape.heads) +
               "_" + std::to_string(shape.kvHeads) + "_" +
               std::to_string(shape.size);
  launch.threads = 32 * kRowsPerBlock;
  launch.grid = {k.ceilDiv(rows, kRowsPerBlock)};
  launch.arguments = {
      arguments.dy,    y, lse, arguments.logs, arguments.means, rows,
      arguments.tokens};
  k.launch(launch, [&](Emitter &b, ValueRange values) {
    Value dy = values[0];
    Value y = values[1];
    Value lse = values[2];
    Value logs = values[3];
    Value means = values[4];
    Value rows = values[5];
    Value tokens = values[6];
    Value row = b.addI(b.mulI(b.block(), kRowsPerBlock), b.warp());
    b.ifThen(b.less(row, rows), [&] {
      Type f32 = b.getF32Type();
      Value sum = norm.dot(b, [&](Value column) {
        return std::pair(norm.load(b, dy, row, column),
                         norm.load(b, y, row, column));
      });
      b.ifThen(b.equal(b.lane(), 0), [&] {
        Value token = b.divI(row, shape.heads);
        Value head = b.remI(row, shape.heads);
        Value cell = b.place(b.place(b.divI(head, shape.group), tokens, token),
                             shape.group, b.remI(head, shape.group));
        Value log = b.load(b.at(lse, f32, row), f32);
        b.store(b.mul(log, b.f32(-std::numbers::log2e)), b.at(logs, f32, cell));
        b.store(sum, b.at(means, f32, cell));
      });
    });
  });
}

LogicalResult emitAttentionGrad(Kernel &k, nn::AttentionGradOp::Adaptor op) {
  Value q = op.getQ();
  int64_t size = columnsOf(q) / static_cast<int64_t>(op.getHeads());
  FailureOr<AttentionShape> shape =
      AttentionShape::of(k, op.getDy(), kernels::AttentionHeads::of(op, size));
  if (failed(shape))
    return failure();
  AttentionGradArguments arguments;
  arguments.dy = op.getDy();
  arguments.q = q;
  arguments.keys = op.getK();
  arguments.values = op.getV();
  arguments.positions = op.getPositions();
  arguments.sequences = op.getSequences();
  arguments.tokens = k.extent(q, 0);
  arguments.sequenceCount = k.host.createOrFold<arith::SubIOp>(
      k.loc(), k.extent(arguments.sequences, 0), k.index(1));
  for (Value *statistic : {&arguments.logs, &arguments.means})
    *statistic = k.scratch({shape->kvHeads, ShapedType::kDynamic, shape->group},
                           arguments.tokens, k.host.getF32Type());
  launchStatistics(k, *shape, arguments, op.getY(), op.getLse());
  launchQueryGrad(k, *shape, arguments, k.result(0));
  // Registers do not hold the sums of both gradients for longer heads.
  if (shape->size > 128) {
    launchKeyGrad(k, *shape, arguments, k.result(1), {});
    launchKeyGrad(k, *shape, arguments, {}, k.result(2));
  } else {
    launchKeyGrad(k, *shape, arguments, k.result(1), k.result(2));
  }
  return success();
}

} // namespace

void addAttentionGradKernels(KernelTable &table) {
  table.add<nn::AttentionGradOp>(emitAttentionGrad);
}

} // namespace nibble::hopper
