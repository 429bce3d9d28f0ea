// nibble-lower-hopper: lowers the hopper dialect inside kernels to nvvm.
#include "passes/LowerToDevice/Emit/InlineAssembly.h"
#include "passes/LowerToHopper/Passes.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-lower-hopper"

ALWAYS_ENABLED_STATISTIC(NumKernels,
                         "kernels that became functions of the LLVM dialect");

namespace nibble {
#define GEN_PASS_DEF_LOWERHOPPERPASS
#include "passes/LowerToHopper/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble::device;
using namespace nibble::hopper;

namespace {

constexpr StringLiteral kSharedSymbol = "nibble_shared";

// The addresses of a ring's parts for one use.
struct RingUse {
  Emitter &b;
  RingType type;
  Value base, stage, phase;

  RingUse(Emitter &b, Value ring, Value use) : RingUse(b, ring) {
    stage = b.remI(use, type.getStages());
    phase = b.andI(b.divI(use, type.getStages()), 1);
  }
  RingUse(Emitter &b, Value ring) : b(b), type(cast<RingType>(ring.getType())) {
    base = b.sharedMemory(ring.getDefiningOp<RingOp>().getOffset());
  }
  Value slot() const { return b.atByte(base, b.mulI(stage, type.getBytes())); }
  Value full(Value stage) const {
    return b.atByte(
        base, b.addI(b.mulI(stage, 8), type.getStages() * type.getBytes()));
  }
  Value empty(Value stage) const {
    return b.atByte(base, b.addI(b.mulI(stage, 8),
                                 type.getStages() * (type.getBytes() + 8)));
  }
};

void lower(RingInitOp op, Emitter &b) {
  RingUse ring(b, op.getRing());
  for (int64_t stage = 0; stage < ring.type.getStages(); ++stage) {
    emitEffect(b, "mbarrier.init.shared::cta.b64 [$0], $1;",
               {ring.full(b.i32(stage)), b.i32(1)});
    emitEffect(b, "mbarrier.init.shared::cta.b64 [$0], $1;",
               {ring.empty(b.i32(stage)), b.i32(ring.type.getConsumers())});
  }
  emitEffect(b, "fence.mbarrier_init.release.cluster;", {});
}

Value lower(RingAcquireOp op, Emitter &b) {
  RingUse ring(b, op.getRing(), op.getUse());
  waitParity(b, ring.empty(ring.stage), b.xorI(ring.phase, b.i32(1)));
  emitEffect(
      b,
      "{\n\t.reg .b64 state;\n\tmbarrier.arrive.expect_tx.shared::cta.b64 "
      "state, [$0], $1;\n\t}",
      {ring.full(ring.stage), op.getBytes()});
  return ring.slot();
}

Value lower(RingWaitOp op, Emitter &b) {
  RingUse ring(b, op.getRing(), op.getUse());
  waitParity(b, ring.full(ring.stage), ring.phase);
  return ring.slot();
}

void lower(RingReleaseOp op, Emitter &b) {
  RingUse ring(b, op.getRing(), op.getUse());
  Value empty = ring.empty(ring.stage);
  if (!op.getBlocks())
    return emitEffect(
        b,
        "{\n\t.reg .b64 state;\n\tmbarrier.arrive.shared::cta.b64 state, "
        "[$0];\n\t}",
        {empty});
  // A branch here would make ptxas run the matrix instructions around it one by
  // one.
  emitEffect(
      b,
      "{\n\t.reg .pred tells;\n\t.reg .b32 there;\n\tsetp.lt.u32 tells, $1, "
      "$2;\n\t"
      "@tells mapa.shared::cluster.u32 there, $0, $1;\n\t@tells "
      "mbarrier.arrive.shared::cluster.b64 _, [there];\n\t}",
      {empty, b.lane(),
       b.select(op.getWhen(), b.i32(static_cast<int64_t>(*op.getBlocks())),
                b.i32(0))});
}

void lower(BulkCopyOp op, Emitter &b) {
  RingUse ring(b, op.getRing(), op.getUse());
  StringRef code =
      op.getOnce() ? "{\n\t.reg .b64 "
                     "policy;\n\tcreatepolicy.fractional.L2::evict_first.b64 "
                     "policy, 1.0;\n\t"
                     "cp.async.bulk.shared::cluster.global.mbarrier::complete_"
                     "tx::bytes.L2::cache_hint [$0], [$1], $2, [$3], "
                     "policy;\n\t}"
                   : "cp.async.bulk.shared::cluster.global.mbarrier::complete_"
                     "tx::bytes [$0], [$1], $2, [$3];";
  emitEffect(b, code,
             {op.getDestination(), op.getSource(), op.getBytes(),
              ring.full(ring.stage)});
}

void lower(TensorCopyOp op, Emitter &b) {
  RingUse ring(b, op.getRing(), op.getUse());
  SmallVector<Value> operands = {op.getDestination(), op.getMap()};
  std::string coordinates;
  for (auto [i, coordinate] : llvm::enumerate(op.getCoordinates())) {
    operands.push_back(coordinate);
    coordinates += (i ? ", $" : "$") + std::to_string(i + 2);
  }
  size_t rank = op.getCoordinates().size();
  operands.push_back(ring.full(ring.stage));
  std::string to, mask, code;
  if (auto blocks = op.getMulticast()) {
    to = ".multicast::cluster";
    mask = ", blocks";
    code = "{\n\t.reg .b16 blocks;\n\tmov.b16 blocks, " +
           std::to_string((1 << *blocks) - 1) + ";\n\t";
  }
  code += "cp.async.bulk.tensor." + std::to_string(rank) +
          "d.shared::cluster.global.tile.mbarrier::complete_tx::bytes" + to +
          " [$0], [$1, {" + coordinates + "}], [$" + std::to_string(rank + 2) +
          "]" + mask + ";" + (mask.empty() ? "" : "\n\t}");
  emitEffect(b, code, operands);
}

Value lower(SharedMemoryOp op, Emitter &b) {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext(), 3);
  Value base = LLVM::AddressOfOp::create(b, pointer, kSharedSymbol);
  return LLVM::GEPOp::create(
      b, pointer, b.getI8Type(), base,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(op.getOffset())});
}

// Bits 0-13 start address / 16, 16-29 leading and 32-45 stride byte offset /
// 16, 62-63 swizzle: 1 for 128 bytes, 2 for 64, 3 for 32 (PTX ISA, "Matrix
// descriptor format").
Value lower(DescriptorOp op, Emitter &b) {
  uint64_t mode = op.getSwizzle() == 128  ? 1
                  : op.getSwizzle() == 64 ? 2
                  : op.getSwizzle() == 32 ? 3
                                          : 0;
  uint64_t fixed = static_cast<uint64_t>(op.getLeading() / 16) << 16 |
                   static_cast<uint64_t>(op.getStride() / 16) << 32 |
                   mode << 62;
  Value address = b.shrI(b.andI(b.sharedAddress(op.getAddress()), 0x3FFFF), 4);
  return b.orI(b.wide(address), b.i64(static_cast<int64_t>(fixed)));
}

Value lower(WgmmaOp op, Emitter &b) {
  int64_t count =
      cast<VectorType>(op.getAccumulator().getType()).getNumElements();
  SmallVector<Value> operands;
  bool registers = isa<VectorType>(op.getA().getType());
  if (registers)
    for (int64_t i = 0; i < 4; ++i)
      operands.push_back(b.extract(op.getA(), i));
  else
    operands.push_back(op.getA());
  operands.push_back(op.getB());
  auto name = [&](int64_t i) { return "$" + std::to_string(i); };
  std::string sums;
  for (int64_t i = 0; i < count; ++i)
    sums += (i ? ", " : "") + name(i);
  std::string a = registers
                      ? "{" + name(count) + ", " + name(count + 1) + ", " +
                            name(count + 2) + ", " + name(count + 3) + "}"
                      : name(count);
  int64_t bAt = count + (registers ? 4 : 1);
  std::string flags = ", accumulate, 1, 1";
  if (!registers)
    flags += op.getATransposed() ? ", 1" : ", 0";
  flags += op.getBTransposed() ? ", 1" : ", 0";
  std::string code = "{\n\t.reg .pred accumulate;\n\tsetp.eq.u32 accumulate, "
                     "0, 0;\n\twgmma.mma_async.sync.aligned.m64n" +
                     std::to_string(2 * count) + "k16.f32.bf16.bf16 {" + sums +
                     "}, " + a + ", " + name(bAt) + flags + ";\n\t}";
  return emitInPlace(b, code, op.getAccumulator(), operands)[0];
}

// One shift, one mask with an or, an exact subtraction and one rounded product
// for each pair of codes.
Value lower(DequantizeOp op, Emitter &b) {
  SmallVector<Value> registers;
  for (int64_t i = 0; i < 4; ++i) {
    Value pair = i == 0 ? op.getCodes() : b.shrI(op.getCodes(), 4 * i);
    // 128 + u: (pair & 0x000F000F) | 0x43004300 in one instruction, which ptxas
    // does not make of two.
    Value biased =
        emitValue(b, "lop3.b32 $0, $1, $2, $3, 0xEA;", b.getI32Type(),
                  {pair, b.i32(0x000F000F), b.i32(0x43004300)});
    Value code = emitValue(b, "sub.rn.bf16x2 $0, $1, $2;", b.getI32Type(),
                           {biased, b.i32(0x43084308)}); // - 136
    registers.push_back(
        emitValue(b, "mul.rn.bf16x2 $0, $1, $2;", b.getI32Type(),
                  {code, i % 2 ? op.getScaleHigh() : op.getScaleLow()}));
  }
  return b.fromElements(registers);
}

// One shift for all, a mask and a fused multiply-add for each pair of codes.
Value lower(DequantizeSmallOp op, Emitter &b) {
  SmallVector<Value> registers;
  Value words[2] = {op.getCodes(), b.shrI(op.getCodes(), 8)};
  for (int64_t i = 0; i < 4; ++i) {
    bool high = i % 2 == 1;
    Value pair = b.andI(words[i / 2], high ? 0x00F000F0 : 0x000F000F);
    registers.push_back(
        emitValue(b, "fma.rn.bf16x2 $0, $1, $2, $3;", b.getI32Type(),
                  {pair, high ? op.getHigh() : op.getLow(),
                   high ? op.getMinusHigh() : op.getMinusLow()}));
  }
  return b.fromElements(registers);
}

void lower(RolesOp op, Emitter &b) {
  Value thread = b.thread();
  Value warpgroup = b.uniform(b.shrI(thread, 7));
  auto move = [&](Region &from) {
    Block *to = b.getInsertionBlock();
    to->getOperations().splice(b.getInsertionPoint(),
                               from.front().getOperations());
  };
  auto setRegisters = [&](int64_t count, NVVM::SetMaxRegisterAction action) {
    NVVM::SetMaxRegisterOp::create(b, static_cast<uint32_t>(count), action);
  };
  b.ifThenElse(
      b.equal(warpgroup, 0),
      [&] {
        setRegisters(op.getProducerRegisters(),
                     NVVM::SetMaxRegisterAction::decrease);
        b.ifThen(b.equal(thread, 0), [&] { move(op.getProducer()); });
      },
      [&] {
        setRegisters(op.getConsumerRegisters(),
                     NVVM::SetMaxRegisterAction::increase);
        move(op.getConsumers());
      });
}

class LowerHopper final
    : public nibble::impl::LowerHopperPassBase<LowerHopper> {
public:
  void runOnOperation() override {
    if (failed(checkKernels()))
      return signalPassFailure();
    OpBuilder b(&getContext());
    b.setInsertionPointToStart(getOperation().getBody());
    auto array = LLVM::LLVMArrayType::get(b.getI8Type(), 0);
    LLVM::GlobalOp::create(b, getOperation().getLoc(), array,
                           /*isConstant=*/false, LLVM::Linkage::External,
                           kSharedSymbol, Attribute(), /*alignment=*/1024,
                           /*addrSpace=*/3);
    // Roles first: what is in them is lowered where it lands. Shared memory
    // last: the others ask for it.
    lowerAll<RolesOp>();
    lowerAll<RingInitOp, RingAcquireOp, RingWaitOp, RingReleaseOp, BulkCopyOp,
             TensorCopyOp, DescriptorOp, WgmmaOp, WgmmaFenceOp, WgmmaWaitOp,
             DequantizeOp, DequantizeSmallOp>();
    lowerAll<RingOp>();
    lowerAll<SharedMemoryOp>();
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<gpu::GPUFuncOp>()))
      makeKernel(function);
  }

private:
  // What lowering relies on and no verifier says.
  LogicalResult checkKernels() {
    for (auto function : getOperation().getOps<gpu::GPUFuncOp>()) {
      for (StringRef name : {kThreadsAttr, kClusterAttr})
        if (!function->getAttrOfType<IntegerAttr>(name))
          return function.emitError()
                 << "has no integer '" << name
                 << "'; a kernel is written for a block of known size";
      WalkResult walked = function.walk([](Operation *op) {
        for (Value operand : op->getOperands())
          if (isa<RingType>(operand.getType()) &&
              !operand.getDefiningOp<RingOp>()) {
            op->emitError() << "has a ring that no hopper.ring gives; where it "
                               "lies is known at compile time only";
            return WalkResult::interrupt();
          }
        return WalkResult::advance();
      });
      if (walked.wasInterrupted())
        return failure();
    }
    return success();
  }

  template <typename... Ops> void lowerAll() {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<Ops...>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      OpBuilder builder(op);
      Emitter b(op->getLoc(), builder);
      (lowerOne<Ops>(op, b) || ...);
      op->erase();
    }
  }

  template <typename Op> static bool lowerOne(Operation *op, Emitter &b) {
    auto typed = dyn_cast<Op>(op);
    if (!typed)
      return false;
    if constexpr (std::is_same_v<Op, WgmmaFenceOp>)
      typed->replaceAllUsesWith(emitInPlace(b, "wgmma.fence.sync.aligned;",
                                            typed.getAccumulators(), {}));
    else if constexpr (std::is_same_v<Op, WgmmaWaitOp>)
      typed->replaceAllUsesWith(
          emitInPlace(b,
                      "wgmma.wait_group.sync.aligned " +
                          std::to_string(typed.getPending()) + ";",
                      typed.getAccumulators(), {}));
    else if constexpr (std::is_same_v<Op, RingOp>)
      return true; // its users have asked it
    else if constexpr (std::is_same_v<decltype(lower(typed, b)), Value>)
      typed->getResult(0).replaceAllUsesWith(lower(typed, b));
    else
      lower(typed, b);
    return true;
  }

  // gpu.func to llvm.func, a kernel with the block that it was written for.
  void makeKernel(gpu::GPUFuncOp function) {
    OpBuilder b(function);
    MLIRContext *context = b.getContext();
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                            function.getArgumentTypes());
    auto kernel = LLVM::LLVMFuncOp::create(b, function.getLoc(),
                                           function.getName(), type);
    auto integer = [&](StringRef name) {
      return function->getAttrOfType<IntegerAttr>(name).getInt();
    };
    kernel->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    b.getUnitAttr());
    kernel->setAttr(
        NVVM::NVVMDialect::getReqntidAttrName(),
        b.getDenseI32ArrayAttr({static_cast<int32_t>(integer(kThreadsAttr))}));
    auto blocks = function->getAttrOfType<IntegerAttr>(kBlocksPerSMAttr);
    kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                    b.getI32IntegerAttr(
                        blocks ? static_cast<int32_t>(blocks.getInt()) : 1));
    if (int64_t cluster = integer(kClusterAttr); cluster > 1)
      kernel->setAttr(
          NVVM::NVVMDialect::getClusterDimAttrName(),
          b.getDenseI32ArrayAttr({static_cast<int32_t>(cluster), 1, 1}));
    for (StringRef name : {kThreadsAttr, kSharedBytesAttr, kClusterAttr,
                           kOverlapAttr, kTableAttr, kReportAttr})
      if (Attribute attribute = function->getAttr(name))
        kernel->setAttr(name, attribute);
    auto passByValue = [&](unsigned i, int64_t bytes, int64_t alignment) {
      Type type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes);
      kernel.setArgAttr(i, LLVM::LLVMDialect::getByValAttrName(),
                        TypeAttr::get(type));
      kernel.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(),
                        b.getI64IntegerAttr(alignment));
      kernel.setArgAttr(i, NVVM::NVVMDialect::getGridConstantAttrName(),
                        b.getUnitAttr());
    };
    auto table = function->getAttrOfType<IntegerAttr>(kTableAttr);
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      if (function.getArgAttr(i, kTensorMapAttr)) {
        passByValue(i, 128, 64);
      } else if (table && i + 1 == function.getNumArguments()) {
        passByValue(i, 8 * table.getInt(), 8);
      } else if (isa<LLVM::LLVMPointerType>(
                     function.getArgument(i).getType())) {
        kernel.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(),
                          b.getI64IntegerAttr(16));
      }
    }
    ++NumKernels;
    kernel.getBody().takeBody(function.getBody());
    kernel.walk([&](gpu::ReturnOp end) {
      OpBuilder inner(end);
      LLVM::ReturnOp::create(inner, end.getLoc(), ValueRange());
      end->erase();
    });
    function.erase();
  }
};

} // namespace
