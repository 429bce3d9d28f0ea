// The grid in a kernel: scale, code and value of a weight (N3 to N5 and the
// other schemes), written once for all targets. lib/Numerics/grid.h does the
// same for plain numbers, with the same bits.
#pragma once

#include "dialects/QAT/QAT.h"
#include "passes/Kernels/Emitter.h"

#include <bit>

namespace nibble::kernels {

// A float32 scale: a scalar, or a vector with a group's scale in each element.
struct GridScale {
  // Divides, and multiplies in the weight that is trained on.
  mlir::Value used;
  // The scale that the packed weight stores: a number of the row's scale type.
  // It equals `used` except for the convention slime.
  mlir::Value stored;
};

// Converts a stored scale between its bits, which are in the low bits of an
// i32, and its number in float32. Both are scalars or vectors. scaleBits takes
// numbers of the type.
mlir::Value numberOfScale(Emitter &b, numerics::ScaleType type,
                          mlir::Value bits);
mlir::Value scaleBits(Emitter &b, numerics::ScaleType type, mlir::Value scale);

// The float32 numbers that codes stand for before they are scaled. The codes
// are a vector of i32 as memory holds them, with the row's bias. Integers
// without a bias are sign-extended.
mlir::Value numbersOfCodes(Emitter &b, const numerics::SchemeRow &row,
                           mlir::Value codes);

// A target derives from it and defines how to divide, round and spread a
// scalar. The results must have the same bits on every target.
class Grid {
public:
  using Value = mlir::Value;

  Grid(Emitter &b, qat::SchemeAttr scheme) : b_(b), scheme_(scheme) {}
  virtual ~Grid() = default;

  const numerics::SchemeRow &row() const { return scheme_.row(); }
  // Whether the code of a bf16 number can be computed with the reciprocal of an
  // ordinary scale.
  bool hasReciprocals() const {
    return isInteger() && scheme_.getConvention() != qat::Convention::kSlime;
  }

  // The scale of a group or block from its largest magnitude (>= 0, float32).
  GridScale scaleOf(Value largest) const;

  // The distance of a float32 scale above the smallest ordinary one, as an
  // integer. Ordinary scales have a distance below kOrdinaryRange. Near the
  // ends of the range the reciprocal of a scale is not a normal number.
  Value aboveOrdinary(Value scale) const;
  static constexpr int32_t kLeastOrdinary = std::bit_cast<int32_t>(0x1p-120f);
  static constexpr int32_t kOrdinaryRange =
      std::bit_cast<int32_t>(0x1p120f) - kLeastOrdinary;

  // Codes of a vector of float32 numbers, as i32. `divide` follows the rule
  // with one scalar scale; `multiply` uses the scalar reciprocal of an ordinary
  // scale. Integers, with the row's bias, are added to 1.5 * 2^23 in the bits
  // of a float32, so that the low bits are the code in memory. Other codes are
  // their bits.
  Value divide(Value numbers, Value scale) const;
  Value multiply(Value numbers, Value reciprocal) const;
  // The bits that divide and multiply add to a code with its bias.
  int32_t aboveCode() const {
    return isInteger() ? std::bit_cast<int32_t>(0x1.8p23f) : 0;
  }

  // The values of such codes with one scalar scale, as float32 numbers that are
  // exact in bf16 (N5).
  Value valuesOf(Value codes, Value scale) const;

protected:
  // A vector like `numbers` with `scalar` in each element.
  virtual Value spread(Value scalar, Value numbers) const = 0;
  // Whether a scale is zero, as a condition that selects vectors. `spread` has
  // the scale in each element.
  virtual Value isZero(Value scale, Value spread) const = 0;
  // largest / steps; roundScale rounds it to bf16 afterwards.
  virtual Value quotientOf(Value largest, float steps) const;
  // float32 rounded to the nearest bf16, as float32: one scale, and many
  // numbers.
  virtual Value roundScale(Value scale) const;
  virtual Value roundNumbers(Value numbers) const;

private:
  bool isCompressedTensors() const {
    return scheme_.getConvention() == qat::Convention::kCompressedTensors;
  }
  bool isInteger() const {
    return row().codeType == numerics::CodeType::kInteger;
  }
  // Adding 1.5 * 2^23 shifts the units digit to the last place of a float32,
  // which rounds half to even. The bias is even as well.
  float magic() const { return 0x1.8p23f + static_cast<float>(row().codeBias); }
  // Codes of the quotients of numbers and a scale, as `divide` returns them.
  Value encode(Value quotients) const;
  // For the convention compressed_tensors: rounds quotients of bf16 numbers by
  // a bf16 scale before they become codes.
  Value roundQuotient(Value quotients) const;

protected:
  Emitter &b_;
  qat::SchemeAttr scheme_;
};

} // namespace nibble::kernels
