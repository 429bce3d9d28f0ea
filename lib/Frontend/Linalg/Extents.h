// Extents of tensors that are known when a program runs, and what is known of
// them before.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"

#include <optional>

namespace nibble {

// A number, an index value, or a dimension of a tensor. Two that compare equal
// are equal at run time; not the reverse.
class Extent {
public:
  static Extent of(int64_t number) { return {mlir::Value(), number}; }
  static Extent of(mlir::OpFoldResult size);
  // Looks through ops whose results are as large as an operand, so that no op
  // gets a further user.
  static Extent of(mlir::Value tensor, int64_t dimension);

  std::optional<int64_t> number() const;
  // A constant, the index value, or a new tensor.dim.
  mlir::Value materialize(mlir::OpBuilder &b, mlir::Location loc) const;
  // The number, or what `materialize` gives.
  mlir::OpFoldResult fold(mlir::OpBuilder &b, mlir::Location loc) const;
  // What it is computed from: null of a number.
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

  mlir::Value origin_; // a tensor, whose dimension is number_; or an index, and
                       // number_ is 0
  int64_t number_ = 0;
};

// How often the op's loop runs, by the first operand that it walks alone along
// a dimension, one of known extent before others; nullopt when no operand does.
std::optional<Extent> loopExtent(mlir::linalg::LinalgOp op, unsigned loop);

// Whether 0 <= index < extent holds whatever the arguments are: an index of a
// loop, arithmetic of known numbers, or an index that the ops before `user`
// assert of.
bool isInRange(mlir::Value index, const Extent &extent, mlir::Operation *user);

} // namespace nibble
