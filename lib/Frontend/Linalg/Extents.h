// Extents of tensors that are known only at run time, and what is known about
// them at compile time.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"

#include <optional>

namespace nibble {

// A number, an index value, or a dimension of a tensor. Extents that compare
// equal are equal at run time; the reverse need not hold.
class Extent {
public:
  static Extent of(int64_t number) { return {mlir::Value(), number}; }
  static Extent of(mlir::OpFoldResult size);
  // Looks through ops whose results are as large as an operand, so that those
  // ops get no further user.
  static Extent of(mlir::Value tensor, int64_t dimension);

  std::optional<int64_t> number() const;
  // A constant, the index value, or a new tensor.dim.
  mlir::Value materialize(mlir::OpBuilder &b, mlir::Location loc) const;
  // The number, or the value that `materialize` returns.
  mlir::OpFoldResult fold(mlir::OpBuilder &b, mlir::Location loc) const;
  // The value that it is computed from; null for a number.
  mlir::Value origin() const { return origin_; }

  friend bool operator==(const Extent &a, const Extent &b) {
    return a.key() == b.key();
  }
  std::pair<void *, int64_t> key() const {
    return {origin_.getAsOpaquePointer(), number_};
  }

private:
  Extent(mlir::Value origin, int64_t number)
      : origin_(origin), number_(number) {}

  // A tensor, whose dimension is number_; or an index, with number_ 0.
  mlir::Value origin_;
  int64_t number_ = 0;
};

// The trip count of a loop of the op. It is read from the first operand that
// the loop alone indexes along a dimension, and static extents are preferred.
// nullopt when there is no such operand.
std::optional<Extent> loopExtent(mlir::linalg::LinalgOp op, unsigned loop);

// Whether 0 <= index < extent holds for all arguments. The index may be a loop
// index, arithmetic on known numbers, or an index that ops before `user` assert
// to be in range.
bool isInRange(mlir::Value index, const Extent &extent, mlir::Operation *user);

} // namespace nibble
