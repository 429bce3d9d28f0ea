#include "passes/LowerToHopper/WarpProduct.h"

using namespace mlir;

namespace nibble::hopper {

// Lane l gives the address of row l mod 8 of matrix l / 8: of 16-byte piece l / 8 of the row (PTX ISA, ldmatrix). The swizzle
// moves piece c of row r to c xor (r mod 8).
WarpProduct::WarpProduct(Emitter &b, int64_t columns) : b(b), groups(columns / 8) {
  Value row = b.andI(b.lane(), 7), piece = b.shrI(b.lane(), 3);
  place = b.addI(b.mulI(row, 128), b.mulI(b.xorI(piece, row), 16));
}

SmallVector<Value> WarpProduct::load(Value box, int64_t pair) {
  // Pieces 4 pair .. 4 pair + 3: bit 2 of the piece is bit 6 of the place.
  Value at = pair == 0 ? place : b.xorI(place, b.i32(64));
  Type word = b.getI32Type();
  auto four = LLVM::LLVMStructType::getLiteral(b.getContext(), {word, word, word, word});
  SmallVector<Value> registers;
  for (int64_t group = 0; group < groups; ++group) {
    auto shape = NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8);
    Value loaded = NVVM::LdMatrixOp::create(b, four, b.atByte(b.atByte(box, at), group * 1024), 4, NVVM::MMALayout::row,
                                            shape, NVVM::LdStMatrixEltType::B16);
    for (int64_t i = 0; i < 4; ++i)
      registers.push_back(LLVM::ExtractValueOp::create(b, loaded, ArrayRef<int64_t>{i}));
  }
  return registers;
}

Value WarpProduct::multiply(Value fragment, ArrayRef<Value> columns, bool odd, Value sums) {
  SmallVector<Value> a, out;
  for (int64_t i = 0; i < 4; ++i)
    a.push_back(b.extract(fragment, i));
  Type f32 = b.getF32Type();
  auto four = LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32});
  for (int64_t group = 0; group < groups; ++group) {
    ValueRange pair = columns.slice(4 * group + (odd ? 2 : 0), 2);
    SmallVector<Value> before;
    for (int64_t i = 0; i < 4; ++i)
      before.push_back(b.extract(sums, 4 * group + i));
    Value after = NVVM::MmaOp::create(b, four, a, pair, before, ArrayRef<int64_t>{16, 8, 16}, std::nullopt, std::nullopt,
                                      std::array{NVVM::MMATypes::bf16, NVVM::MMATypes::bf16},
                                      std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
    for (int64_t i = 0; i < 4; ++i)
      out.push_back(LLVM::ExtractValueOp::create(b, after, ArrayRef<int64_t>{i}));
  }
  return b.fromElements(out);
}

} // namespace nibble::hopper
