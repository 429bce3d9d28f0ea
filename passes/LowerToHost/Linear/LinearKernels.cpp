#include "passes/LowerToHost/Linear/LinearKernels.h"

namespace nibble::host {

void addLinearKernels(KernelTable &table) {
  table["nn.linear"] = emitLinearForward;
  table["qat.linear"] = emitLinearForward;
  table["nn.linear_input_grad"] = emitLinearInputGrad;
  table["qat.linear_input_grad"] = emitLinearInputGrad;
  table["nn.linear_weight_grad"] = emitLinearWeightGrad;
}

} // namespace nibble::host
