// Maps the ops of both dialects to the kernels of the linears.
#include "passes/LowerToHost/Linear/LinearKernels.h"

#include "dialects/NN/NN.h"

using namespace mlir;

namespace nibble::host {

namespace {

LogicalResult emitLinear(Kernel &k, nn::LinearOp::Adaptor op) {
  return emitLinearForward(k, op.getX(), op.getWeight(), op.getBias(),
                           op.getResidual(), k.result(0));
}

LogicalResult emitPackedLinear(Kernel &k, qat::LinearOp::Adaptor op) {
  return emitLinearForward(k, op.getX(), op.getPacked(), op.getBias(),
                           op.getResidual(), k.result(0));
}

LogicalResult emitInputGrad(Kernel &k, nn::LinearInputGradOp::Adaptor op) {
  return emitLinearInputGrad(k, op.getDy(), op.getWeight(), k.result(0));
}

LogicalResult emitPackedInputGrad(Kernel &k,
                                  qat::LinearInputGradOp::Adaptor op) {
  return emitLinearInputGrad(k, op.getDy(), op.getPacked(), k.result(0));
}

LogicalResult emitWeightGrad(Kernel &k, nn::LinearWeightGradOp::Adaptor op) {
  return emitLinearWeightGrad(k, op.getDy(), op.getX(), op.getInit());
}

} // namespace

void addLinearKernels(KernelTable &table) {
  table.add<nn::LinearOp>(emitLinear);
  table.add<qat::LinearOp>(emitPackedLinear);
  table.add<nn::LinearInputGradOp>(emitInputGrad);
  table.add<qat::LinearInputGradOp>(emitPackedInputGrad);
  table.add<nn::LinearWeightGradOp>(emitWeightGrad);
}

} // namespace nibble::host
