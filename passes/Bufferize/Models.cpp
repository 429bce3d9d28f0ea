// Bufferization of each nn and qat op to a kernel.compute, and of the ops of
// kernel and check.
#include "passes/Bufferize/Models.h"

#include "dialects/Check/Check.h"
#include "dialects/Kernel/Kernel.h"
#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bufferization;

namespace {

// Kernels read plain row-major memory, so a strided view is copied first.
Value makeContiguous(RewriterBase &rewriter, Location loc, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  if (type.getLayout().isIdentity())
    return buffer;
  SmallVector<Value> dynamic;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      dynamic.push_back(memref::DimOp::create(rewriter, loc, buffer, dim));
  auto plain = MemRefType::get(type.getShape(), type.getElementType());
  Value copy = memref::AllocOp::create(rewriter, loc, plain, dynamic,
                                       rewriter.getI64IntegerAttr(64));
  memref::CopyOp::create(rewriter, loc, buffer, copy);
  return copy;
}

// The operand whose first extent gives the first extent of the result, when
// that is known only at run time.
unsigned rowsOperand(Operation *op) {
  return isa<nibble::nn::TakeRowsOp, nibble::nn::BroadcastOp>(op) ? 1 : 0;
}

template <typename Op>
struct KernelModel
    : BufferizableOpInterface::ExternalModel<KernelModel<Op>, Op> {
  static std::optional<unsigned> resultOf(unsigned operand) {
    for (nibble::nn::InPlacePair pair : nibble::nn::inPlacePairs<Op>())
      if (pair.operand == operand)
        return pair.result;
    return std::nullopt;
  }
  static std::optional<unsigned> operandOf(unsigned result) {
    for (nibble::nn::InPlacePair pair : nibble::nn::inPlacePairs<Op>())
      if (pair.result == result)
        return pair.operand;
    return std::nullopt;
  }

  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return true;
  }

  bool bufferizesToMemoryWrite(Operation *, OpOperand &operand,
                               const AnalysisState &) const {
    return resultOf(operand.getOperandNumber()).has_value();
  }

  AliasingValueList getAliasingValues(Operation *op, OpOperand &operand,
                                      const AnalysisState &) const {
    if (auto result = resultOf(operand.getOperandNumber()))
      return {{op->getResult(*result), BufferRelation::Equivalent}};
    return {};
  }

  bool bufferizesToAllocation(Operation *, Value value) const {
    return !operandOf(cast<OpResult>(value).getResultNumber()).has_value();
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    Location loc = op->getLoc();
    SmallVector<Value> operands, inputs, outputs;
    SmallVector<Attribute> inputTypes, outputTypes;
    for (OpOperand &operand : op->getOpOperands()) {
      FailureOr<Value> buffer =
          getBuffer(rewriter, operand.get(), options, state);
      if (failed(buffer))
        return failure();
      operands.push_back(*buffer);
      // An init is an output that holds a value on entry.
      bool init = resultOf(operand.getOperandNumber()).has_value();
      if (!init) {
        inputs.push_back(makeContiguous(rewriter, loc, *buffer));
        inputTypes.push_back(TypeAttr::get(operand.get().getType()));
      }
    }
    for (OpResult result : op->getResults()) {
      outputTypes.push_back(TypeAttr::get(result.getType()));
      if (auto operand = operandOf(result.getResultNumber())) {
        outputs.push_back(operands[*operand]);
        continue;
      }
      SmallVector<Value> dynamic;
      MemRefType type;
      if (auto packed = dyn_cast<nibble::qat::PackedType>(result.getType())) {
        type = MemRefType::get({packed.getBytes()}, rewriter.getIntegerType(8));
      } else {
        auto tensor = cast<RankedTensorType>(result.getType());
        type = MemRefType::get(tensor.getShape(), tensor.getElementType());
        for (int64_t dim = 0; dim < type.getRank(); ++dim)
          if (type.isDynamicDim(dim))
            dynamic.push_back(memref::DimOp::create(
                rewriter, loc, operands[rowsOperand(op)], dim));
      }
      outputs.push_back(memref::AllocOp::create(
          rewriter, loc, type, dynamic, rewriter.getI64IntegerAttr(64)));
    }
    for (Value &output : outputs)
      if (!cast<MemRefType>(output.getType()).getLayout().isIdentity())
        return op->emitOpError()
               << "updates a strided view in place, which no kernel can";
    nibble::kernel::ComputeOp::create(
        rewriter, loc, op->getName().getStringRef(), inputs, outputs,
        op->getAttrDictionary(), rewriter.getArrayAttr(inputTypes),
        rewriter.getArrayAttr(outputTypes));
    replaceOpWithBufferizedValues(rewriter, op, outputs);
    return success();
  }
};

// Copies the value to the destination. ForwardCopies removes the copy if a
// kernel can write to the destination directly.
struct WriteStateModel
    : BufferizableOpInterface::ExternalModel<WriteStateModel,
                                             nibble::kernel::WriteStateOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &operand,
                              const AnalysisState &) const {
    return operand.getOperandNumber() == 0;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &operand,
                               const AnalysisState &) const {
    return operand.getOperandNumber() == 1;
  }
  AliasingValueList getAliasingValues(Operation *op, OpOperand &operand,
                                      const AnalysisState &) const {
    if (operand.getOperandNumber() == 1)
      return {{op->getResult(0), BufferRelation::Equivalent}};
    return {};
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    FailureOr<Value> value =
        getBuffer(rewriter, op->getOperand(0), options, state);
    FailureOr<Value> destination =
        getBuffer(rewriter, op->getOperand(1), options, state);
    if (failed(value) || failed(destination))
      return failure();
    memref::CopyOp::create(rewriter, op->getLoc(), *value, *destination);
    replaceOpWithBufferizedValues(rewriter, op, *destination);
    return success();
  }
};

// A check keeps its form, on buffers.
template <typename Op>
struct CheckModel : BufferizableOpInterface::ExternalModel<CheckModel<Op>, Op> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return true;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    SmallVector<Value> buffers;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      buffers.push_back(makeContiguous(rewriter, op->getLoc(), *buffer));
    }
    Op::create(rewriter, op->getLoc(), TypeRange(), buffers, op->getAttrs());
    rewriter.eraseOp(op);
    return success();
  }
};

template <typename... Ops> void attach(MLIRContext *context) {
  (Ops::template attachInterface<KernelModel<Ops>>(*context), ...);
}

} // namespace

void nibble::registerBufferizationModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, nn::NNDialect *) {
    attach<
#define GET_OP_LIST
#include "dialects/NN/NNOps.cpp.inc"
        >(context);
    context->loadDialect<kernel::KernelDialect, memref::MemRefDialect>();
  });
  registry.addExtension(+[](MLIRContext *context, kernel::KernelDialect *) {
    kernel::WriteStateOp::attachInterface<WriteStateModel>(*context);
  });
  registry.addExtension(+[](MLIRContext *context, check::CheckDialect *) {
    check::ExpectEqOp::attachInterface<CheckModel<check::ExpectEqOp>>(*context);
    check::ExpectCloseOp::attachInterface<CheckModel<check::ExpectCloseOp>>(
        *context);
    context->loadDialect<memref::MemRefDialect>();
  });
  registry.addExtension(+[](MLIRContext *context, qat::QATDialect *) {
    attach<qat::FakeQuantOp, qat::QuantizeOp, qat::DequantizeOp, qat::RepackOp,
           qat::LinearOp, qat::LinearInputGradOp, qat::LinearSwigluOp>(context);
    context->loadDialect<kernel::KernelDialect, memref::MemRefDialect>();
  });
}
