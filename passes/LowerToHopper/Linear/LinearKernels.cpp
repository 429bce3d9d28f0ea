// Linears and their gradients: chooses the matrix product and tiles of each.
#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"
#include "passes/LowerToDevice/Quantize/QuantizeKernels.h"
#include "passes/LowerToHopper/HopperKernels.h"
#include "passes/LowerToHopper/Linear/MatrixKernel.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nibble::hopper {

namespace {

// Tiles of tokens. All give the same bits.
constexpr int64_t kTokenTiles[] = {8, 16, 32, 64, 128, 256};

// A tensor map for boxes of a bf16 matrix [rows, columns].
Value mapOf(Kernel &k, Value matrix, int64_t boxRows) {
  Value columns = k.extent(matrix, 1);
  Value rows = k.extent(matrix, 0);
  return TensorMapOp::create(
      k.host, k.loc(), TensorMapType::get(k.host.getContext()), matrix,
      ValueRange{columns, rows}, ValueRange{k.mul(columns, k.index(2))},
      k.host.getDenseI64ArrayAttr({64, boxRows}),
      k.host.getI64IntegerAttr(128));
}

LinearChoices choicesOf(Kernel &k) {
  return LinearChoices::of(k.op.getParameters());
}

// `splits` is given or chosen.
LogicalResult checkChoices(Kernel &k, int64_t splits, int64_t columns) {
  auto [tile, stages, given] = choicesOf(k);
  if (tile != 0 && !llvm::is_contained(kTokenTiles, tile))
    return k.op.emitError() << "has " << kTileAttr << " = " << tile
                            << "; there are 8, 16, 32, 64, 128 and 256";
  if (stages < 0 || stages == 1)
    return k.op.emitError()
           << "has " << kStagesAttr << " = " << stages << "; give 2 or more";
  if (!llvm::is_contained({1, 2, 4, 8}, splits) ||
      (splits > 1 && columns < 128 * splits))
    return k.op.emitError()
           << "has " << kSplitsAttr << " = " << splits << " of " << columns
           << " columns; there are 1, 2, 4 and 8, of 128 columns at least";
  return success();
}

LogicalResult checkMatrix(Kernel &k, Value matrix) {
  if (!elementOf(matrix).isBF16())
    return k.op.emitError() << "has operands of " << elementOf(matrix)
                            << "; an H200's matrix kernels take bf16";
  if (columnsOf(matrix) % 8 != 0)
    return k.op.emitError()
           << "has rows of " << columnsOf(matrix)
           << " elements; an H200 copies rows of a multiple of 8 (16 bytes)";
  return success();
}

// 1 when lower < tokens <= upper, else 0.
Value inRange(Kernel &k, Value tokens, int64_t lower, int64_t upper) {
  auto above = [&](int64_t bound) -> Value { // tokens > bound
    Value quotient = k.host.createOrFold<arith::DivUIOp>(k.loc(), tokens,
                                                         k.index(bound + 1));
    return k.host.createOrFold<arith::MinUIOp>(k.loc(), quotient, k.index(1));
  };
  if (upper == ShapedType::kDynamic)
    return above(lower);
  Value result =
      k.host.createOrFold<arith::SubIOp>(k.loc(), k.index(1), above(upper));
  return lower == 0 ? result : k.mul(result, above(lower));
}

// Whether tiles of 256 columns are faster than tiles of 128. A tile of 256
// takes 1.8 times as long as a tile of 128, and the busiest SM decides (wave
// quantization). Never for 128 columns or less.
constexpr int64_t kNarrowTime = 5;
constexpr int64_t kWideTime = 9;

bool isWideFaster(int64_t rows, int64_t columns, int64_t sms) {
  auto ofBusiest = [&](int64_t tile) {
    return llvm::divideCeil(llvm::divideCeil(rows, kBlockRows) *
                                llvm::divideCeil(columns, tile),
                            sms);
  };
  return kWideTime * ofBusiest(256) <= kNarrowTime * ofBusiest(128);
}

// The same for a number of tokens known on the host only: 1 or 0.
Value isWideFaster(Kernel &k, int64_t rows, Value tokens) {
  auto ofBusiest = [&](int64_t tile) {
    return k.ceilDiv(k.mul(k.ceilDiv(tokens, tile),
                           k.index(llvm::divideCeil(rows, kBlockRows))),
                     k.sms());
  };
  Value narrow = k.mul(ofBusiest(128), k.index(kNarrowTime));
  Value wide = k.mul(ofBusiest(256), k.index(kWideTime));
  Value some = k.host.createOrFold<arith::MaxUIOp>(k.loc(), wide, k.index(1));
  Value quotient = k.host.createOrFold<arith::DivUIOp>(k.loc(), narrow, some);
  return k.host.createOrFold<arith::MinUIOp>(k.loc(), quotient, k.index(1));
}

// Whether the buffer is a parameter of the program, passed down through calls.
// It is read only, so an earlier call has written it.
bool isGiven(Value buffer) {
  auto argument = dyn_cast<BlockArgument>(buffer);
  auto function =
      argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp())
               : func::FuncOp();
  if (!function ||
      !function.getArgAttr(argument.getArgNumber(), nn::kParameterAttr))
    return false;
  if (function.isPublic())
    return true;
  bool given = true;
  function->getParentOfType<ModuleOp>().walk([&](func::CallOp call) {
    if (call.getCallee() == function.getName())
      given &= isGiven(call.getOperand(argument.getArgNumber()));
  });
  return given;
}

// Whether splits of up to 64 tokens should run side by side. Exchanging partial
// sums costs as much as 8000 columns of serial work, so this needs a larger K.
// Each cluster of two also needs two free SMs.
bool isDeep(const MatrixSpec &spec, int64_t rows, int64_t columns,
            int64_t sms) {
  int64_t blocks =
      llvm::divideCeil(rows, spec.swiglu ? kBlockRows / 2 : kBlockRows);
  return spec.a == Operand::kPacked && spec.splits == 4 && 2 * blocks <= sms &&
         columns >= 10240;
}

// One launch for each tile of tokens; all but one have an empty grid.
void launchTokens(Kernel &k, MatrixSpec spec, MatrixArguments arguments,
                  Value b) {
  LinearChoices choices = choicesOf(k);
  spec.givenStages = choices.stages;
  auto launch = [&](int64_t tile, Value columnBlocks) {
    spec.tile = tile;
    spec.sharers = sharersOf(columnsOf(arguments.result), tile);
    arguments.b = mapOf(k, b, tile / spec.sharers);
    launchMatrix(k, spec, arguments, columnBlocks);
  };
  if (choices.tile)
    return launch(choices.tile, k.ceilDiv(arguments.n, choices.tile));
  int64_t rows = columnsOf(arguments.result);
  int64_t lower = 0;
  auto launchUpTo = [&](int64_t upper, int64_t tile) {
    launch(tile, k.mul(k.ceilDiv(arguments.n, tile),
                       inRange(k, arguments.n, lower, upper)));
    lower = upper;
  };
  for (int64_t tile : {8, 16, 32})
    launchUpTo(tile, tile);
  if (spec.beside = isDeep(spec, rows, columnsOf(b), k.sms()); spec.beside)
    launchUpTo(64, 64);
  spec.beside = false;
  // Few rows make few blocks. Tiles of 64 then serve twice as many tokens, so
  // that more SMs have a block.
  launchUpTo(rows < 100 * 128 ? 128 : 64, 64);
  Value many = inRange(k, arguments.n, lower, ShapedType::kDynamic);
  Value wide =
      k.mul(many, isWideFaster(k, spec.swiglu ? 2 * rows : rows, arguments.n));
  launch(128, k.mul(k.ceilDiv(arguments.n, 128),
                    k.host.createOrFold<arith::SubIOp>(k.loc(), many, wide)));
  launch(256, k.mul(k.ceilDiv(arguments.n, 256), wide));
}

// The operands of any linear op. `paired` is the second weight of a swiglu. It,
// bias and residual may be null.
struct LinearOperands {
  Value x, weight, paired, bias, residual;
};

// y = x wT (+ bias) (+ residual), or swiglu(x wT, x pairedT). Weights are bf16
// [N, K], or the bytes of `packed`.
LogicalResult forward(Kernel &k, const LinearOperands &operands,
                      qat::PackedType packed = {}) {
  auto [x, weight, paired, bias, residual] = operands;
  Value y = k.result(0);
  MatrixSpec spec;
  spec.element = elementOf(y);
  MatrixArguments arguments;
  arguments.bias = bias;
  arguments.residual = residual;
  spec.bias = static_cast<bool>(arguments.bias);
  spec.residual = static_cast<bool>(arguments.residual);
  spec.wholeRows = columnsOf(y) % 8 == 0;
  spec.swiglu = static_cast<bool>(paired);
  if (failed(checkMatrix(k, x)) || (paired && failed(checkActivations(k, y))))
    return failure();
  for (Value operand : {arguments.bias, arguments.residual})
    if (operand && elementOf(operand) != spec.element)
      return k.op.emitError()
             << "adds " << elementOf(operand) << " to " << spec.element
             << "; an H200's linear adds what it returns";
  if (packed) {
    spec.a = Operand::kPacked;
    spec.scheme = packed.getScheme();
    spec.scalesPerSlabRow = packed.getScalesPerSlabRow();
    spec.early = isGiven(weight) && (!paired || isGiven(paired));
    arguments.a = weight;
    arguments.pairedA = paired;
  } else {
    if (failed(checkMatrix(k, weight)))
      return failure();
    arguments.a = mapOf(k, weight, paired ? 64 : 128);
    if (paired)
      arguments.pairedA = mapOf(k, paired, 64);
  }
  int64_t splits = choicesOf(k).splits;
  spec.splits = splits ? splits : splitsOf(columnsOf(y), columnsOf(x), k.sms());
  if (failed(checkChoices(k, spec.splits, columnsOf(x))))
    return failure();
  arguments.result = y;
  arguments.m = k.extent(y, 1);
  arguments.n = k.extent(y, 0);
  arguments.k = k.extent(x, 1);
  launchTokens(k, spec, arguments, x);
  return success();
}

LogicalResult emitLinear(Kernel &k, nn::LinearOp::Adaptor op) {
  return forward(
      k, {op.getX(), op.getWeight(), {}, op.getBias(), op.getResidual()});
}

// When the matrix kernel cannot read the packed weight, it reads a temporary
// bf16 copy.
LogicalResult emitPackedLinear(Kernel &k, qat::LinearOp::Adaptor op) {
  LinearOperands operands{
      op.getX(), op.getPacked(), {}, op.getBias(), op.getResidual()};
  qat::PackedType packed = k.packedType(op.getPacked());
  if (packed.inSlabs())
    return forward(k, operands, packed);
  FailureOr<Value> weight = emitDequantized(k, op.getPacked(), packed);
  if (failed(weight))
    return failure();
  operands.weight = *weight;
  return forward(k, operands);
}

LogicalResult emitLinearSwiglu(Kernel &k, nn::LinearSwigluOp::Adaptor op) {
  return forward(k, {op.getX(), op.getGate(), op.getUp(), {}, {}});
}

LogicalResult emitPackedLinearSwiglu(Kernel &k,
                                     qat::LinearSwigluOp::Adaptor op) {
  LinearOperands operands{op.getX(), op.getGate(), op.getUp(), {}, {}};
  qat::PackedType packed = k.packedType(op.getGate());
  if (packed.inSlabs())
    return forward(k, operands, packed);
  FailureOr<Value> gate = emitDequantized(k, op.getGate(), packed);
  FailureOr<Value> up = emitDequantized(k, op.getUp(), packed);
  if (failed(gate) || failed(up))
    return failure();
  operands.weight = *gate;
  operands.paired = *up;
  return forward(k, operands);
}

// dx = dy w: the rows of A are the columns of w.
LogicalResult inputGrad(Kernel &k, Value dy, Value weight) {
  Value dx = k.result(0);
  if (failed(checkMatrix(k, dy)) || failed(checkMatrix(k, weight)))
    return failure();
  MatrixSpec spec;
  spec.a = Operand::kTransposed;
  spec.element = elementOf(dx);
  spec.wholeRows = columnsOf(dx) % 8 == 0;
  MatrixArguments arguments;
  arguments.a = mapOf(k, weight, 64);
  arguments.result = dx;
  arguments.m = k.extent(dx, 1);
  arguments.n = k.extent(dx, 0);
  arguments.k = k.extent(dy, 1);
  launchTokens(k, spec, arguments, dy);
  return success();
}

LogicalResult emitInputGrad(Kernel &k, nn::LinearInputGradOp::Adaptor op) {
  return inputGrad(k, op.getDy(), op.getWeight());
}

LogicalResult emitPackedInputGrad(Kernel &k,
                                  qat::LinearInputGradOp::Adaptor op) {
  FailureOr<Value> weight =
      emitDequantized(k, op.getPacked(), k.packedType(op.getPacked()));
  return failed(weight) ? failure() : inputGrad(k, op.getDy(), *weight);
}

// dw += dyT x: k is the tokens, ascending, starting at the value of dw.
LogicalResult emitWeightGrad(Kernel &k, nn::LinearWeightGradOp::Adaptor op) {
  Value dy = op.getDy();
  Value x = op.getX();
  Value dw = op.getInit();
  if (failed(checkMatrix(k, dy)) || failed(checkMatrix(k, x)))
    return failure();
  MatrixSpec spec;
  spec.a = spec.b = Operand::kTransposed;
  spec.result = Result::kAccumulate;
  int64_t given = choicesOf(k).tile;
  int64_t rows = columnsOf(dy);
  int64_t columns = columnsOf(x);
  if (given != 0 && given != 128 && given != 256)
    return k.op.emitError() << "has " << kTileAttr << " = " << given
                            << "; a weight gradient has 128 and 256";
  spec.tile = given ? given : isWideFaster(rows, columns, k.sms()) ? 256 : 128;
  spec.sharers = sharersOf(columnsOf(dy), spec.tile);
  MatrixArguments arguments;
  arguments.a = mapOf(k, dy, 64);
  arguments.b = mapOf(k, x, 64);
  arguments.result = dw;
  arguments.m = k.extent(dw, 0);
  arguments.n = k.extent(dw, 1);
  arguments.k = k.extent(dy, 0);
  launchMatrix(k, spec, arguments,
               k.blocksIfAny(arguments.k, k.ceilDiv(arguments.n, spec.tile)));
  return success();
}

} // namespace

void addLinearKernels(KernelTable &table) {
  table.add<nn::LinearOp>(emitLinear);
  table.add<nn::LinearSwigluOp>(emitLinearSwiglu);
  table.add<nn::LinearInputGradOp>(emitInputGrad);
  table.add<nn::LinearWeightGradOp>(emitWeightGrad);
  table.add<qat::LinearOp>(emitPackedLinear);
  table.add<qat::LinearSwigluOp>(emitPackedLinearSwiglu);
  table.add<qat::LinearInputGradOp>(emitPackedInputGrad);
}

} // namespace nibble::hopper
