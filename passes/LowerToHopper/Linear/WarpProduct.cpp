// Builds matrix products by mma.sync, one per warp.
#include "passes/LowerToHopper/Linear/WarpProduct.h"

using namespace mlir;

namespace nibble::hopper {

// ldmatrix loads four 8 x 8 matrices; lane l provides the address of row l mod
// 8 of matrix l / 8 (PTX ISA). A matrix is a 16-byte piece of eight rows. With
// 8 columns the matrices are four pieces of the same rows. With 16 columns they
// are two pieces of rows 0..7, then of rows 8..15. The swizzle moves piece c of
// row r to c xor (r mod 8).
WarpProduct::WarpProduct(Emitter &b, int64_t columns)
    : b_(b), groups_(columns / 8) {
  Value row = b.andI(b.lane(), 7);
  Value matrix = b.shrI(b.lane(), 3);
  Value piece = groups_ == 1 ? matrix : b.andI(matrix, 1);
  place_ = b.addI(b.mulI(row, 128), b.mulI(b.xorI(piece, row), 16));
  if (groups_ == 2)
    place_ = b.addI(place_, b.mulI(b.shrI(matrix, 1), 1024));
}

SmallVector<Value> WarpProduct::load(Value box, int64_t step) {
  // A step is two pieces: 2 * step occupies bits 1 and 2 of a piece's number,
  // which are bits 5 and 6 of its offset.
  Value at = step == 0 ? place_ : b_.xorI(place_, b_.i32(32 * step));
  Type word = b_.getI32Type();
  auto four = LLVM::LLVMStructType::getLiteral(b_.getContext(),
                                               {word, word, word, word});
  auto shape = NVVM::LdStMatrixShapeAttr::get(b_.getContext(), 8, 8);
  Value loaded = NVVM::LdMatrixOp::create(b_, four, b_.atByte(box, at), 4,
                                          NVVM::MMALayout::row, shape,
                                          NVVM::LdStMatrixEltType::B16);
  SmallVector<Value> registers;
  for (int64_t i = 0; i < 4; ++i)
    registers.push_back(
        LLVM::ExtractValueOp::create(b_, loaded, ArrayRef<int64_t>{i}));
  return registers;
}

Value WarpProduct::multiply(Value fragment, ArrayRef<Value> loaded,
                            int64_t step, Value sums) {
  SmallVector<Value> a, out;
  for (int64_t i = 0; i < 4; ++i)
    a.push_back(b_.extract(fragment, i));
  Type f32 = b_.getF32Type();
  auto four =
      LLVM::LLVMStructType::getLiteral(b_.getContext(), {f32, f32, f32, f32});
  for (int64_t group = 0; group < groups_; ++group) {
    // The other two registers belong to the other step, or to the other eight
    // columns.
    ValueRange pair = loaded.slice(groups_ == 1 ? step % 2 * 2 : group * 2, 2);
    SmallVector<Value> before;
    for (int64_t i = 0; i < 4; ++i)
      before.push_back(b_.extract(sums, 4 * group + i));
    Value after = NVVM::MmaOp::create(
        b_, four, a, pair, before, ArrayRef<int64_t>{16, 8, 16}, std::nullopt,
        std::nullopt, std::array{NVVM::MMATypes::bf16, NVVM::MMATypes::bf16},
        std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
    for (int64_t i = 0; i < 4; ++i)
      out.push_back(
          LLVM::ExtractValueOp::create(b_, after, ArrayRef<int64_t>{i}));
  }
  return b_.fromElements(out);
}

} // namespace nibble::hopper
