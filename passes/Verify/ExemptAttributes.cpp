// The table of attributes that verify-consistency does not compare, with
// reasons.
#include "passes/Verify/ExemptAttributes.h"

#include "dialects/Hopper/Hopper.h"

using namespace nibble;
using Why = ExemptAttribute::Why;

static constexpr ExemptAttribute kExempt[] = {
    {"", hopper::kTileAttr, Why::kDecidesNoBit,
     "says how many tokens a block computes; each sum keeps its order"},
    {"", hopper::kStagesAttr, Why::kDecidesNoBit,
     "says how far copies run ahead of the products; each sum keeps its order"},
    {"nn.linear", "operandSegmentSizes", Why::kComparedOtherwise,
     "says which of bias and residual are there, which have terms of their "
     "own"},
    {"qat.linear", "operandSegmentSizes", Why::kComparedOtherwise,
     "says which of bias and residual are there, which have terms of their "
     "own"},
    {"qat.fake_quant", "scheme", Why::kComparedOtherwise,
     "is the grid of the decoded weight"},
    {"func.call", "callee", Why::kComparedOtherwise,
     "names a function, whose ops stand in its place"},
    {"func.func", "function_type", Why::kComparedOtherwise,
     "has the types of the arguments"},
    {"func.func", "arg_attrs", Why::kComparedOtherwise,
     "has the names of the arguments"},
    {"func.func", "res_attrs", Why::kDecidesNoBit,
     "has the names of the results; the first one is compared"},
    {"func.func", "sym_name", Why::kDecidesNoBit, "names the function"},
    {"func.func", "sym_visibility", Why::kDecidesNoBit,
     "says who may call the function"},
};

llvm::ArrayRef<ExemptAttribute> nibble::exemptAttributes() { return kExempt; }

const ExemptAttribute *nibble::findExempt(llvm::StringRef op,
                                          llvm::StringRef attribute) {
  for (const ExemptAttribute &row : kExempt)
    if (row.name == attribute && (row.op.empty() || row.op == op))
      return &row;
  return nullptr;
}
