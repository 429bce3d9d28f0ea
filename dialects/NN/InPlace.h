// Results that reuse an operand's buffer: accumulators, caches and optimizer
// states. An op declares them; bufferization and the kernels of all targets
// read the declaration.
#pragma once

#include "mlir/IR/OpDefinition.h"

#include <array>

namespace nibble::nn {

// The number of an operand, and the number of the result that is its new value.
struct InPlacePair {
  unsigned operand;
  unsigned result;
};

// The trait InPlace<operand, result, operand, result, ...>. After bufferization
// each such result is stored in its operand's buffer. Both have the same type.
template <unsigned... numbers> struct InPlace {
  static_assert(sizeof...(numbers) % 2 == 0, "pairs of operand and result");

  template <typename Op>
  class Impl
      : public mlir::OpTrait::TraitBase<Op,
                                        InPlace<numbers...>::template Impl> {
  public:
    static constexpr auto getInPlacePairs() {
      constexpr std::array<unsigned, sizeof...(numbers)> all = {numbers...};
      std::array<InPlacePair, sizeof...(numbers) / 2> pairs = {};
      for (size_t i = 0; i < pairs.size(); ++i)
        pairs[i] = {all[2 * i], all[2 * i + 1]};
      return pairs;
    }

    static llvm::LogicalResult verifyTrait(mlir::Operation *op) {
      for (InPlacePair pair : getInPlacePairs())
        if (op->getOperand(pair.operand).getType() !=
            op->getResult(pair.result).getType())
          return op->emitOpError()
                 << "result " << pair.result << " continues in operand "
                 << pair.operand << " and must have its type";
      return llvm::success();
    }
  };
};

// The pairs of an op; none for an op without the trait.
template <typename Op> constexpr auto inPlacePairs() {
  if constexpr (requires { Op::getInPlacePairs(); })
    return Op::getInPlacePairs();
  else
    return std::array<InPlacePair, 0>{};
}

} // namespace nibble::nn
