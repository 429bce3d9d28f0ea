// Float arithmetic on scalars and tensors, so that a rule reads like its
// formula.
#pragma once

#include "dialects/ElementType.h" // IWYU pragma: export

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

namespace nibble {

// float32 for bf16, f16 and f32; float64 for float64.
mlir::Type computeType(mlir::Type element);
// `value` in float32 (or float64) element type.
mlir::Value wide(mlir::OpBuilder &builder, mlir::Location loc,
                 mlir::Value value);
// `value` in the element type of `type`.
mlir::Value convertFloat(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value value, mlir::Type type);
// Extents of a tensor, as constants or tensor.dim.
llvm::SmallVector<mlir::OpFoldResult>
extentsOf(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor);
// An uninitialized tensor of the shape of `like`.
mlir::Value emptyLike(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value like, mlir::Type element);
// A tensor or scalar of the shape of `like` with every element equal to
// `number`.
mlir::Value constantLike(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value like, mlir::Type element, double number);

// A float value with operators. All operands of an expression have one type; a
// double gets the type of the other operand.
class Expression {
public:
  Expression(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value)
      : builder_(&builder), loc_(loc), value_(value) {}

  operator mlir::Value() const { return value_; }

  Expression operator+(Expression b) const {
    return make<mlir::arith::AddFOp>(b);
  }
  Expression operator-(Expression b) const {
    return make<mlir::arith::SubFOp>(b);
  }
  Expression operator*(Expression b) const {
    return make<mlir::arith::MulFOp>(b);
  }
  Expression operator/(Expression b) const {
    return make<mlir::arith::DivFOp>(b);
  }
  Expression operator-() const { return unary<mlir::arith::NegFOp>(); }
  Expression operator+(double b) const { return *this + like(b); }
  Expression operator-(double b) const { return *this - like(b); }
  Expression operator*(double b) const { return *this * like(b); }
  Expression operator/(double b) const { return *this / like(b); }
  friend Expression operator-(double a, Expression b) { return b.like(a) - b; }
  friend Expression operator/(double a, Expression b) { return b.like(a) / b; }

  // An i1 value of the same shape.
  mlir::Value compare(mlir::arith::CmpFPredicate predicate,
                      Expression b) const {
    return mlir::arith::CmpFOp::create(*builder_, loc_, predicate, value_,
                                       b.value_);
  }
  // This value where `condition` holds, zero elsewhere.
  Expression where(mlir::Value condition) const {
    return {*builder_, loc_,
            mlir::arith::SelectOp::create(*builder_, loc_, condition, value_,
                                          like(0.0).value_)};
  }
  Expression unless(mlir::Value condition) const {
    return {*builder_, loc_,
            mlir::arith::SelectOp::create(*builder_, loc_, condition,
                                          like(0.0).value_, value_)};
  }

  // `other` where `condition` holds, this value elsewhere.
  Expression butWhere(mlir::Value condition, Expression other) const {
    return {*builder_, loc_,
            mlir::arith::SelectOp::create(*builder_, loc_, condition,
                                          other.value_, value_)};
  }

  template <typename Op> Expression unary() const {
    return {*builder_, loc_, Op::create(*builder_, loc_, value_)};
  }
  template <typename Op> Expression make(Expression b) const {
    return {*builder_, loc_, Op::create(*builder_, loc_, value_, b.value_)};
  }
  Expression like(double number) const {
    return {*builder_, loc_,
            constantLike(*builder_, loc_, value_,
                         mlir::getElementTypeOrSelf(value_.getType()), number)};
  }

private:
  mlir::OpBuilder *builder_;
  mlir::Location loc_;
  mlir::Value value_;
};

} // namespace nibble
