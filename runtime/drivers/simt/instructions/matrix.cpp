// ldmatrix, stmatrix and mma.sync (PTX ISA, "Warp Level Matrix Instructions").
//
// The terms of a product over the instruction's k are summed in double, which
// is precise enough. The sum is added to the accumulator and rounded once. The
// device's own inner rounding is not published.
#include "runtime/drivers/simt/access.h"
#include "runtime/drivers/simt/instructions/formats.h"
#include "runtime/drivers/simt/ptx/builder.h"

#include <cstring>

namespace nibble::simt {

Decoder findWarpgroupDecoder(std::string_view head);

namespace {

// Moves Inst::count matrices of 8 x 8 elements of 16 bits. Lanes 8i..8i+7
// address the rows of matrix i. Inst::mode 1 transposes.
template <bool kStore> Outcome matrixLanes(Warp &warp, const Inst &inst, Mask) {
  const uint32_t *list = &warp.cluster->launch->code->lists[inst.list];
  for (uint32_t m = 0; m < inst.count; ++m) {
    uint8_t *rows[8];
    for (uint32_t r = 0; r < 8; ++r) {
      uint32_t lane = 8 * m + r;
      rows[r] = resolve(warp, inst, lane, Space::kShared,
                        laneAddress(warp, inst, lane), 16, 16,
                        kStore ? Touch::kWrite : Touch::kRead);
      if (rows[r] == nullptr)
        return Outcome::kFault;
    }
    uint32_t *reg = warp.reg<uint32_t>(list[m]);
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      uint32_t row = lane / 4;
      uint32_t column = lane % 4 * 2;
      for (uint32_t half = 0; half < 2; ++half) {
        uint8_t *at = inst.mode ? rows[column + half] + 2 * row
                                : rows[row] + 2 * (column + half);
        uint16_t value = static_cast<uint16_t>(reg[lane] >> (16 * half));
        if (kStore) {
          std::memcpy(at, &value, 2);
        } else {
          std::memcpy(&value, at, 2);
          reg[lane] = (reg[lane] & ~(0xffffu << (16 * half))) |
                      static_cast<uint32_t>(value) << (16 * half);
        }
      }
    }
  }
  if (kStore)
    noteChange(*warp.cluster, false);
  return Outcome::kNext;
}

void loadMatrix(Builder &b) {
  b.allow({"sync", "aligned", "m8n8", "x1", "x2", "x4", "trans", "shared",
           "shared::cta"});
  bool isStore = b.head == "stmatrix";
  if (b.type().bits != 16 || !b.has("m8n8"))
    return b.fail("this shape is not supported");
  b.expectCount(2, 2);
  b.inst.count = b.has("x4") ? 4 : b.has("x2") ? 2 : 1;
  std::vector<uint32_t> registers =
      b.vectorOf(b.operand(isStore ? 1 : 0), 4, !isStore);
  if (registers.size() != b.inst.count)
    return b.fail("the vector does not fit the instruction");
  b.setList(registers);
  b.address(b.operand(isStore ? 0 : 1), b.hasAny({"shared", "shared::cta"})
                                            ? Space::kShared
                                            : Space::kGeneric);
  b.inst.mode = b.has("trans");
  b.inst.convergent = true;
  b.inst.run = isStore ? matrixLanes<true> : matrixLanes<false>;
}

template <typename F>
float element(const uint32_t *reg, uint32_t lane, uint32_t half) {
  return F::load(static_cast<uint16_t>(reg[lane] >> (16 * half)));
}

// d[16][8] = a[16][k] b[k][8] + c. The list holds d0-3, a0..., b0..., c0-3.
template <typename F, uint32_t kK>
Outcome multiplyLanes(Warp &warp, const Inst &inst, Mask) {
  const uint32_t *list = &warp.cluster->launch->code->lists[inst.list];
  constexpr uint32_t aCount = kK / 4;
  constexpr uint32_t bCount = kK / 8;
  double a[16][kK], b[kK][8];
  for (uint32_t r = 0; r < aCount; ++r)
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      for (uint32_t half = 0; half < 2; ++half)
        a[lane / 4 + r % 2 * 8][lane % 4 * 2 + half + r / 2 * 8] =
            element<F>(warp.reg<uint32_t>(list[4 + r]), lane, half);
  for (uint32_t r = 0; r < bCount; ++r)
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      for (uint32_t half = 0; half < 2; ++half)
        b[lane % 4 * 2 + half + r * 8][lane / 4] =
            element<F>(warp.reg<uint32_t>(list[4 + aCount + r]), lane, half);
  float result[4][kLanes];
  for (uint32_t r = 0; r < 4; ++r) {
    const float *c = warp.reg<float>(list[4 + aCount + bCount + r]);
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      uint32_t row = lane / 4 + r / 2 * 8;
      uint32_t column = lane % 4 * 2 + r % 2;
      double sum = 0;
      for (uint32_t k = 0; k < kK; ++k)
        sum += a[row][k] * b[k][column];
      result[r][lane] =
          canonical(static_cast<float>(sum + static_cast<double>(c[lane])));
    }
  }
  for (uint32_t r = 0; r < 4; ++r)
    std::memcpy(warp.reg<float>(list[r]), result[r], sizeof result[r]);
  return Outcome::kNext;
}

void multiply(Builder &b) {
  b.allow({"sync", "aligned", "m16n8k16", "m16n8k8", "row", "col"});
  uint32_t k = b.has("m16n8k16") ? 16 : b.has("m16n8k8") ? 8 : 0;
  Type d = b.type(0);
  Type a = b.type(1);
  Type bt = b.type(2);
  Type c = b.type(3);
  bool known = k != 0 && b.types() == 4 && d.kind == 'f' && d.bits == 32 &&
               c.kind == 'f' && c.bits == 32 && a.bits == 16 && a.isFloat() &&
               a.kind == bt.kind && bt.bits == 16;
  if (!known)
    return b.fail("this shape or these types are not supported");
  b.expectCount(4, 4);
  std::vector<uint32_t> list = b.vectorOf(b.operand(0), 4, true);
  for (size_t i = 1; i < 4; ++i)
    for (uint32_t reg : b.vectorOf(b.operand(i), 4, false))
      list.push_back(reg);
  if (list.size() != 8 + k / 4 + k / 8)
    return b.fail("the vectors do not fit the shape");
  b.setList(list);
  b.inst.convergent = true;
  if (a.kind == 'h')
    b.inst.run = k == 16 ? multiplyLanes<Brain, 16> : multiplyLanes<Brain, 8>;
  else
    b.inst.run = k == 16 ? multiplyLanes<Half, 16> : multiplyLanes<Half, 8>;
}

// movmatrix transposes an 8 x 8 matrix across the warp.
Outcome transposeLanes(Warp &warp, const Inst &inst, Mask) {
  uint32_t source[kLanes];
  std::memcpy(source, warp.reg<uint32_t>(inst.a), sizeof source);
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    uint32_t value = 0;
    for (uint32_t half = 0; half < 2; ++half) {
      uint32_t row = lane % 4 * 2 + half;
      uint32_t column = lane / 4; // column of the source
      value |= (source[row * 4 + column / 2] >> (16 * (column % 2)) & 0xffff)
               << (16 * half);
    }
    warp.reg<uint32_t>(inst.dst)[lane] = value;
  }
  return Outcome::kNext;
}

void moveMatrix(Builder &b) {
  b.allow({"sync", "aligned", "m8n8", "trans"});
  b.expectCount(2, 2);
  b.inst.dst = b.destination(b.operand(0), 4);
  b.inst.a = b.source(b.operand(1), 4);
  b.inst.convergent = true;
  b.inst.run = transposeLanes;
}

} // namespace

Decoder findMatrixDecoder(std::string_view head) {
  static const std::map<std::string_view, Decoder> decoders = {
      {"ldmatrix", loadMatrix},
      {"stmatrix", loadMatrix},
      {"mma", multiply},
      {"movmatrix", moveMatrix}};
  auto found = decoders.find(head);
  return found == decoders.end() ? findWarpgroupDecoder(head) : found->second;
}

} // namespace nibble::simt
