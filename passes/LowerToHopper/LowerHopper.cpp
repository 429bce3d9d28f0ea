// nibble-lower-hopper: lowers the hopper dialect inside kernels to nvvm.
#include "passes/LowerToDevice/Emit/InlineAssembly.h"
#include "passes/LowerToHopper/Passes.h"

#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-lower-hopper"

ALWAYS_ENABLED_STATISTIC(NumLowered,
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

// A ring becomes the address of its first slot. The numbers of slots and bytes
// stay in the type of the op that uses it.
class RingsAsAddresses final : public TypeConverter {
public:
  RingsAsAddresses() {
    addConversion([](Type type) { return type; });
    addConversion([](RingType type) -> Type {
      return LLVM::LLVMPointerType::get(type.getContext(), /*addressSpace=*/3);
    });
  }
};

// The addresses of a ring's parts, for use number `use` if one is given.
struct RingUse {
  Emitter &b;
  RingType type;
  Value base, stage, phase;

  RingUse(Emitter &b, RingType type, Value base)
      : b(b), type(type), base(base) {}
  RingUse(Emitter &b, RingType type, Value base, Value use)
      : RingUse(b, type, base) {
    stage = b.remI(use, type.getStages());
    phase = b.andI(b.divI(use, type.getStages()), 1);
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

// One function for each op. `in` has its operands as lowered so far. It returns
// the op's result or results, or nothing.

Value lower(RingOp op, RingOp::Adaptor, Emitter &b) {
  return b.sharedMemory(op.getOffset());
}

void lower(RingInitOp op, RingInitOp::Adaptor in, Emitter &b) {
  RingUse ring(b, op.getRing().getType(), in.getRing());
  for (int64_t stage = 0; stage < ring.type.getStages(); ++stage) {
    emitEffect(b, "mbarrier.init.shared::cta.b64 [$0], $1;",
               {ring.full(b.i32(stage)), b.i32(1)});
    emitEffect(b, "mbarrier.init.shared::cta.b64 [$0], $1;",
               {ring.empty(b.i32(stage)), b.i32(ring.type.getConsumers())});
  }
  emitEffect(b, "fence.mbarrier_init.release.cluster;", {});
}

Value lower(RingAcquireOp op, RingAcquireOp::Adaptor in, Emitter &b) {
  RingUse ring(b, op.getRing().getType(), in.getRing(), in.getUse());
  waitParity(b, ring.empty(ring.stage), b.xorI(ring.phase, b.i32(1)));
  emitEffect(
      b,
      "{\n\t.reg .b64 state;\n\tmbarrier.arrive.expect_tx.shared::cta.b64 "
      "state, [$0], $1;\n\t}",
      {ring.full(ring.stage), in.getBytes()});
  return ring.slot();
}

Value lower(RingWaitOp op, RingWaitOp::Adaptor in, Emitter &b) {
  RingUse ring(b, op.getRing().getType(), in.getRing(), in.getUse());
  waitParity(b, ring.full(ring.stage), ring.phase);
  return ring.slot();
}

void lower(RingReleaseOp op, RingReleaseOp::Adaptor in, Emitter &b) {
  RingUse ring(b, op.getRing().getType(), in.getRing(), in.getUse());
  Value empty = ring.empty(ring.stage);
  if (!op.getBlocks())
    return emitEffect(
        b,
        "{\n\t.reg .b64 state;\n\tmbarrier.arrive.shared::cta.b64 state, "
        "[$0];\n\t}",
        {empty});
  // A branch here would make ptxas serialize the matrix instructions around it.
  emitEffect(
      b,
      "{\n\t.reg .pred tells;\n\t.reg .b32 there;\n\tsetp.lt.u32 tells, $1, "
      "$2;\n\t"
      "@tells mapa.shared::cluster.u32 there, $0, $1;\n\t@tells "
      "mbarrier.arrive.shared::cluster.b64 _, [there];\n\t}",
      {empty, b.lane(),
       b.select(in.getWhen(), b.i32(static_cast<int64_t>(*op.getBlocks())),
                b.i32(0))});
}

void lower(BulkCopyOp op, BulkCopyOp::Adaptor in, Emitter &b) {
  RingUse ring(b, op.getRing().getType(), in.getRing(), in.getUse());
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
             {in.getDestination(), in.getSource(), in.getBytes(),
              ring.full(ring.stage)});
}

void lower(TensorCopyOp op, TensorCopyOp::Adaptor in, Emitter &b) {
  RingUse ring(b, op.getRing().getType(), in.getRing(), in.getUse());
  SmallVector<Value> operands = {in.getDestination(), in.getMap()};
  std::string coordinates;
  for (auto [i, coordinate] : llvm::enumerate(in.getCoordinates())) {
    operands.push_back(coordinate);
    coordinates += (i ? ", $" : "$") + std::to_string(i + 2);
  }
  size_t rank = in.getCoordinates().size();
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

Value lower(SharedMemoryOp op, SharedMemoryOp::Adaptor, Emitter &b) {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext(), 3);
  Value base = LLVM::AddressOfOp::create(b, pointer, kSharedSymbol);
  return LLVM::GEPOp::create(
      b, pointer, b.getI8Type(), base,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(op.getOffset())});
}

// Bits 0-13 hold the start address / 16, bits 16-29 the leading byte offset /
// 16, bits 32-45 the stride byte offset / 16. Bits 62-63 hold the swizzle: 1
// for 128 bytes, 2 for 64, 3 for 32 (PTX ISA, "Matrix descriptor format").
Value lower(DescriptorOp op, DescriptorOp::Adaptor in, Emitter &b) {
  uint64_t mode = op.getSwizzle() == 128  ? 1
                  : op.getSwizzle() == 64 ? 2
                  : op.getSwizzle() == 32 ? 3
                                          : 0;
  uint64_t fixed = static_cast<uint64_t>(op.getLeading() / 16) << 16 |
                   static_cast<uint64_t>(op.getStride() / 16) << 32 |
                   mode << 62;
  Value address = b.shrI(b.andI(b.sharedAddress(in.getAddress()), 0x3FFFF), 4);
  return b.orI(b.wide(address), b.i64(static_cast<int64_t>(fixed)));
}

Value lower(WgmmaOp op, WgmmaOp::Adaptor in, Emitter &b) {
  int64_t count =
      cast<VectorType>(in.getAccumulator().getType()).getNumElements();
  SmallVector<Value> operands;
  bool registers = isa<VectorType>(in.getA().getType());
  if (registers)
    for (int64_t i = 0; i < 4; ++i)
      operands.push_back(b.extract(in.getA(), i));
  else
    operands.push_back(in.getA());
  operands.push_back(in.getB());
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
  return emitInPlace(b, code, in.getAccumulator(), operands)[0];
}

// Each pair of codes takes one shift, one mask with an or, an exact subtraction
// and one rounded product.
Value lower(DequantizeOp op, DequantizeOp::Adaptor in, Emitter &b) {
  SmallVector<Value> registers;
  for (int64_t i = 0; i < 4; ++i) {
    Value pair = i == 0 ? in.getCodes() : b.shrI(in.getCodes(), 4 * i);
    // 128 + u: (pair & 0x000F000F) | 0x43004300 as one instruction. ptxas does
    // not combine the two itself.
    Value biased =
        emitValue(b, "lop3.b32 $0, $1, $2, $3, 0xEA;", b.getI32Type(),
                  {pair, b.i32(0x000F000F), b.i32(0x43004300)});
    Value code = emitValue(b, "sub.rn.bf16x2 $0, $1, $2;", b.getI32Type(),
                           {biased, b.i32(0x43084308)}); // - 136
    registers.push_back(
        emitValue(b, "mul.rn.bf16x2 $0, $1, $2;", b.getI32Type(),
                  {code, i % 2 ? in.getScaleHigh() : in.getScaleLow()}));
  }
  return b.fromElements(registers);
}

// One shift for all, then a mask and a fused multiply-add for each pair of
// codes.
Value lower(DequantizeSmallOp op, DequantizeSmallOp::Adaptor in, Emitter &b) {
  SmallVector<Value> registers;
  Value words[2] = {in.getCodes(), b.shrI(in.getCodes(), 8)};
  for (int64_t i = 0; i < 4; ++i) {
    bool high = i % 2 == 1;
    Value pair = b.andI(words[i / 2], high ? 0x00F000F0 : 0x000F000F);
    registers.push_back(
        emitValue(b, "fma.rn.bf16x2 $0, $1, $2, $3;", b.getI32Type(),
                  {pair, high ? in.getHigh() : in.getLow(),
                   high ? in.getMinusHigh() : in.getMinusLow()}));
  }
  return b.fromElements(registers);
}

SmallVector<Value> lower(WgmmaFenceOp, WgmmaFenceOp::Adaptor in, Emitter &b) {
  return emitInPlace(b, "wgmma.fence.sync.aligned;", in.getAccumulators(), {});
}

SmallVector<Value> lower(WgmmaWaitOp op, WgmmaWaitOp::Adaptor in, Emitter &b) {
  return emitInPlace(b,
                     "wgmma.wait_group.sync.aligned " +
                         std::to_string(op.getPending()) + ";",
                     in.getAccumulators(), {});
}

void lower(gpu::ReturnOp, gpu::ReturnOp::Adaptor, Emitter &b) {
  LLVM::ReturnOp::create(b, ValueRange());
}

template <typename Op> class Lowering final : public OpConversionPattern<Op> {
public:
  using OpConversionPattern<Op>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor in,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter b(op.getLoc(), rewriter);
    if constexpr (std::is_void_v<decltype(lower(op, in, b))>) {
      lower(op, in, b);
      rewriter.eraseOp(op);
    } else {
      rewriter.replaceOp(op, lower(op, in, b));
    }
    return success();
  }
};

// Becomes a branch on the warpgroup, into which the code of the roles moves.
class LowerRoles final : public OpConversionPattern<RolesOp> {
public:
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(RolesOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Emitter b(op.getLoc(), rewriter);
    Value thread = b.thread();
    Value warpgroup = b.uniform(b.shrI(thread, 7));
    auto move = [&](Region &from) {
      rewriter.inlineBlockBefore(&from.front(), b.getInsertionBlock(),
                                 b.getInsertionPoint());
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
    rewriter.eraseOp(op);
    return success();
  }
};

// gpu.func becomes llvm.func: a kernel with the block size that it was written
// for.
class LowerKernel final : public OpConversionPattern<gpu::GPUFuncOp> {
public:
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(gpu::GPUFuncOp function, OpAdaptor,
                                ConversionPatternRewriter &b) const override {
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
    ++NumLowered;
    b.inlineRegionBefore(function.getBody(), kernel.getBody(), kernel.end());
    b.eraseOp(function);
    return success();
  }
};

// Checks what lowering relies on and no verifier checks.
LogicalResult checkKernel(gpu::GPUFuncOp function) {
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
  return failure(walked.wasInterrupted());
}

class LowerHopper final
    : public nibble::impl::LowerHopperPassBase<LowerHopper> {
public:
  void runOnOperation() override {
    gpu::GPUModuleOp kernels = getOperation();
    for (auto function : kernels.getOps<gpu::GPUFuncOp>())
      if (failed(checkKernel(function)))
        return signalPassFailure();
    OpBuilder b(&getContext());
    b.setInsertionPointToStart(kernels.getBody());
    auto array = LLVM::LLVMArrayType::get(b.getI8Type(), 0);
    LLVM::GlobalOp::create(b, kernels.getLoc(), array,
                           /*isConstant=*/false, LLVM::Linkage::External,
                           kSharedSymbol, Attribute(), /*alignment=*/1024,
                           /*addrSpace=*/3);
    RingsAsAddresses types;
    RewritePatternSet patterns(&getContext());
    patterns.add<
        LowerKernel, LowerRoles, Lowering<gpu::ReturnOp>,
        Lowering<SharedMemoryOp>, Lowering<RingOp>, Lowering<RingInitOp>,
        Lowering<RingAcquireOp>, Lowering<RingWaitOp>, Lowering<RingReleaseOp>,
        Lowering<BulkCopyOp>, Lowering<TensorCopyOp>, Lowering<DescriptorOp>,
        Lowering<WgmmaOp>, Lowering<WgmmaFenceOp>, Lowering<WgmmaWaitOp>,
        Lowering<DequantizeOp>, Lowering<DequantizeSmallOp>>(types,
                                                             &getContext());
    ConversionTarget target(getContext());
    target.addIllegalDialect<HopperDialect>();
    target.addIllegalOp<gpu::GPUFuncOp, gpu::ReturnOp>();
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    if (failed(applyFullConversion(kernels, target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
