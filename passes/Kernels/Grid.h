// The grid in a kernel: scale, code and value of a weight (N3 to N5 and the
// other schemes), spelled once for all targets. lib/Numerics/grid.h says the
// same of plain numbers, and the bits are the same.
#pragma once

#include "dialects/QAT/QAT.h"
#include "passes/Kernels/Emitter.h"

#include <bit>

namespace nibble::kernels {

// float32: a scalar, or a vector with one group's scale in each element.
struct GridScale {
  mlir::Value used;   // divides; multiplies in the weight that is trained on
  mlir::Value stored; // what the packed weight keeps: a bf16 number in float32
                      // (fp8: the float32 itself), the same as `used` but for
                      // the convention slime
};

// A target derives from it and says how it divides, rounds and spreads a
// scalar; the results are the same bits however it does so.
class Grid {
public:
  using Value = mlir::Value;

  Grid(Emitter &b, qat::SchemeAttr scheme) : b_(b), scheme_(scheme) {}
  virtual ~Grid() = default;

  bool isInt4() const { return scheme_.getKind() == qat::Kind::kInt4; }
  bool isFp8() const { return scheme_.getKind() == qat::Kind::kFp8; }
  // Whether the code of a bf16 number may be had by the reciprocal of an
  // ordinary scale.
  bool hasReciprocals() const {
    return !isFp8() && scheme_.getConvention() != qat::Convention::kSlime;
  }

  // The largest magnitude (>= 0, float32) to the scale of the group or block.
  GridScale scaleOf(Value largest) const;

  // How far a float32 scale is above the least ordinary one, as an integer;
  // ordinary scales are below kOrdinaryRange. The reciprocal of a scale near
  // the ends of the range is no normal number.
  Value aboveOrdinary(Value scale) const;
  static constexpr int32_t kLeastOrdinary = std::bit_cast<int32_t>(0x1p-120f);
  static constexpr int32_t kOrdinaryRange =
      std::bit_cast<int32_t>(0x1p120f) - kLeastOrdinary;

  // Codes of a vector of float32 numbers with one scale (scalar), as i32: by
  // the rule, and by the reciprocal (scalar) of an ordinary scale. int4 gives
  // u = q + 8 and int8 q, each as 1.5 * 2^23 + it in the bits of a float32, so
  // that the low bits are the code; fp8 gives the E4M3 byte.
  Value divide(Value numbers, Value scale) const;
  Value multiply(Value numbers, Value reciprocal) const;
  // What divide and multiply add to the int4 code u.
  static constexpr int32_t kAboveCode = std::bit_cast<int32_t>(0x1.8p23f);

  // What such codes stand for with a scale (scalar): float32 numbers that are
  // bf16 (N5).
  Value valuesOf(Value codes, Value scale) const;
  // E4M3 of float32 numbers that are not NaN, to nearest even; magnitudes above
  // 448 become 448. And back, exactly; 0x7F is NaN.
  static Value encodeE4M3(Emitter &b, Value numbers);
  static Value decodeE4M3(Emitter &b, Value codes);

protected:
  // `scalar` in each element of a vector like `numbers`.
  virtual Value spread(Value scalar, Value numbers) const = 0;
  // Whether a scale is zero, as a condition that selects vectors; `spread` is
  // the scale in each element.
  virtual Value isZero(Value scale, Value spread) const = 0;
  // largest / steps, rounded to bf16 by roundScale afterwards.
  virtual Value quotientOf(Value largest, float steps) const;
  // float32 to the nearest bf16, as float32: of a scale, and of many numbers.
  virtual Value roundScale(Value scale) const;
  virtual Value roundNumbers(Value numbers) const;

private:
  bool isCompressedTensors() const {
    return scheme_.getConvention() == qat::Convention::kCompressedTensors;
  }
  // The largest code's magnitude where the convention is not
  // compressed_tensors.
  float highest() const {
    return scheme_.getKind() == qat::Kind::kInt8 ? 127.0f : 7.0f;
  }
  // Adding 1.5 * 2^23 puts the unit at the last place of a float32, half to
  // even; the eight of u = q + 8 is even as well.
  float magic() const { return 0x1.8p23f + (isInt4() ? 8.0f : 0.0f); }
  // Quotients of bf16 numbers by a bf16 scale to what is rounded for the code,
  // by the convention compressed_tensors.
  Value roundQuotient(Value quotients) const;

protected:
  Emitter &b_;
  qat::SchemeAttr scheme_;
};

} // namespace nibble::kernels
