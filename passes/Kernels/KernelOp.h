// The common part of all targets' kernels: an op on buffers, seen through the
// op's own generated adaptor, and the table of functions that write kernels.
#pragma once

#include "dialects/Kernel/Kernel.h"
#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "llvm/ADT/StringMap.h"

#include <functional>
#include <utility>

namespace nibble::kernels {

// A kernel.compute and the buffers of its operands and results where the kernel
// is written. They are the op's own buffers, or arguments of a function to
// which it is outlined.
struct KernelOp {
  mutable kernel::ComputeOp op;
  mlir::ValueRange inputs;
  mlir::ValueRange outputs;

  mlir::Location loc() const { return op.getLoc(); }
  // The buffer of a result of the op.
  mlir::Value result(unsigned i) const { return outputs[i]; }
  // The tensor type that the operand or result with this buffer had.
  mlir::Type tensorType(mlir::Value buffer) const;
  // The type of a packed weight, whose buffer is an array of bytes; null when
  // the buffer holds no packed weight.
  qat::PackedType packedType(mlir::Value buffer) const {
    return llvm::dyn_cast<qat::PackedType>(tensorType(buffer));
  }
};

namespace detail {

template <typename Op, size_t... counts>
constexpr int fixedOperands(std::index_sequence<counts...>) {
  int found = -1;
  ((found =
        Op::template hasTrait<mlir::OpTrait::NOperands<counts>::template Impl>()
            ? static_cast<int>(counts)
            : found),
   ...);
  return found;
}

// The number of operands in the op's definition; -1 when some are optional or
// variadic.
template <typename Op> constexpr int operandsOf() {
  if constexpr (Op::template hasTrait<mlir::OpTrait::ZeroOperands>())
    return 0;
  else if constexpr (Op::template hasTrait<mlir::OpTrait::OneOperand>())
    return 1;
  else
    return fixedOperands<Op>(
        std::integer_sequence<size_t, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>());
}

// Reports an error unless `parameters` holds only attributes of the op and
// those of other dialects ("hopper.tile").
llvm::LogicalResult checkNames(kernel::ComputeOp op,
                               llvm::ArrayRef<llvm::StringRef> names);
// The buffers of all operands in the op's order. Each is the next input, or the
// buffer of the result that updates the operand in place. Reports an error
// unless there are `operands` operands (-1: any number) and `results` results.
llvm::FailureOr<llvm::SmallVector<mlir::Value>>
orderOperands(const KernelOp &kernel, llvm::ArrayRef<nn::InPlacePair> inPlace,
              int operands, unsigned results);

// Reports an error unless the sizes of the operand groups, some of them
// optional, add up to the number of operands.
llvm::LogicalResult checkSegments(kernel::ComputeOp op,
                                  llvm::ArrayRef<int32_t> sizes,
                                  size_t operands);

} // namespace detail

// The operands and attributes of an `Op` on buffers.
template <typename Op> class BufferView {
public:
  // Reports an error at the op when the kernel.compute does not match `Op`, in
  // its number of buffers or its attributes.
  static llvm::FailureOr<BufferView> of(const KernelOp &kernel) {
    kernel::ComputeOp op = kernel.op;
    BufferView view;
    view.attributes_ = op.getParameters();
    auto emitError = [&] { return op.emitOpError() << op.getSource() << ": "; };
    if constexpr (!std::is_same_v<Properties, mlir::EmptyProperties>)
      if (failed(Op::setPropertiesFromAttr(view.properties_, view.attributes_,
                                           emitError)))
        return llvm::failure();
    if (failed(detail::checkNames(op, Op::getAttributeNames())))
      return llvm::failure();
    auto operands = detail::orderOperands(
        kernel, nn::inPlacePairs<Op>(), detail::operandsOf<Op>(), resultsOf());
    if (failed(operands))
      return llvm::failure();
    if constexpr (Op::template hasTrait<
                      mlir::OpTrait::AttrSizedOperandSegments>())
      if (failed(detail::checkSegments(op, view.properties_.operandSegmentSizes,
                                       operands->size())))
        return llvm::failure();
    view.operands_ = std::move(*operands);
    if (failed(view.adaptor().verify(op.getLoc())))
      return llvm::failure();
    return view;
  }

  // The adaptor refers to this view, which must outlive it.
  typename Op::Adaptor adaptor() const {
    return typename Op::Adaptor(mlir::ValueRange(operands_), attributes_,
                                properties_);
  }

private:
  static constexpr unsigned resultsOf() {
    return countResults(std::index_sequence<2, 3, 4, 5, 6>());
  }
  template <size_t... counts>
  static constexpr unsigned countResults(std::index_sequence<counts...>) {
    unsigned found = Op::template hasTrait<mlir::OpTrait::OneResult>() ? 1 : 0;
    ((found = Op::template hasTrait<
                  mlir::OpTrait::NResults<counts>::template Impl>()
                  ? static_cast<unsigned>(counts)
                  : found),
     ...);
    return found;
  }

  using Properties = typename mlir::PropertiesSelector<Op>::type;

  llvm::SmallVector<mlir::Value> operands_;
  mlir::DictionaryAttr attributes_;
  Properties properties_;
};

// Maps ops to the functions that write their kernels. `Kernel` is a target's
// type, derived from KernelOp.
template <typename Kernel> class KernelTable {
public:
  using Write = std::function<llvm::LogicalResult(Kernel &)>;

  // write(kernel, op): the operands of the adaptor `op` are buffers.
  template <typename Op>
  void add(llvm::LogicalResult (*write)(Kernel &, typename Op::Adaptor)) {
    writers_[Op::getOperationName()] =
        [write](Kernel &kernel) -> llvm::LogicalResult {
      auto view = BufferView<Op>::of(kernel);
      if (failed(view))
        return llvm::failure();
      return write(kernel, view->adaptor());
    };
  }

  // The function for the op of that name ("nn.rms_norm"); null when there is
  // none.
  const Write *find(llvm::StringRef name) const {
    auto writer = writers_.find(name);
    return writer == writers_.end() ? nullptr : &writer->second;
  }

private:
  llvm::StringMap<Write> writers_;
};

} // namespace nibble::kernels
