// Decoding one statement into one instruction: what the decoders of the
// instruction classes share.
//
// A decoder asks for its operands in any order and sets Inst::run; the first
// thing that does not fit is kept as the error, and the rest of the decoder may
// go on with offsets that mean nothing.
#pragma once

#include "runtime/drivers/simt/ptx/code.h"

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::simt {

// A type modifier: class 'u', 's', 'b', 'f' (f16, f32, f64), 'h' (bf16), 'p'
// (pred), 0 (none); packed: x2.
struct Type {
  char kind = 0;
  uint8_t bits = 0; // of one number
  bool packed = false;
  uint32_t bytes() const { return (packed ? 2u * bits : bits) / 8u; }
  bool isSigned() const { return kind == 's'; }
  bool isFloat() const { return kind == 'f' || kind == 'h'; }
};

// {} when the word is no type.
Type parseType(std::string_view word);

// Where a variable's name leads within the kernel.
struct Symbol {
  Space space = Space::kGlobal;
  uint64_t address = 0; // as the kernel sees it
};

// What is built up over all statements of a kernel.
struct KernelBuilder {
  Code *code = nullptr;
  std::map<std::pair<uint64_t, int>, uint32_t>
      constants; // value and width to offset
  std::map<std::pair<std::string_view, uint32_t>, uint32_t>
      specials;                               // name and width to offset
  std::map<std::string_view, Symbol> globals; // of the module
  uint32_t newRegister(uint32_t laneBytes);
  uint32_t constant(uint64_t value, uint32_t width);
};

// A function's names, while its body is spliced in.
struct Frame {
  const Function *function = nullptr;
  std::vector<uint32_t> registers; // offset, by index
  std::map<std::string_view, Symbol> symbols;
};

class Builder {
public:
  Builder(KernelBuilder &kernel, const Frame &frame,
          const Statement &statement);

  std::string_view head;               // "ld"
  std::vector<std::string_view> words; // modifiers: "global", "v2", "b32"
  Inst inst;
  std::string error;

  bool has(std::string_view word) const;
  bool hasAny(std::initializer_list<std::string_view> list) const;
  // Every modifier must be a type or in the list; a word that we do not know
  // may change the meaning.
  void allow(std::initializer_list<std::string_view> list);
  Type type(size_t i = 0) const; // the i-th modifier that is a type
  size_t types() const;
  void fail(std::string what);

  size_t count() const { return statement_.operands.size(); }
  const Operand &operand(size_t i);
  void expectCount(size_t low, size_t high);
  bool isRegister(const Operand &operand) const {
    return operand.kind == Operand::kRegister;
  }
  // Bytes of a lane of the register; 0 for a predicate; `otherwise` for what is
  // no register.
  uint32_t widthOf(const Operand &operand, uint32_t otherwise) const;

  // A value of `width` bytes a lane. A float constant becomes one of `width`
  // bytes.
  uint32_t source(const Operand &operand, uint32_t width);
  // A source of whatever width the register has; constants take `otherwise`.
  // The width comes back in `width`.
  uint32_t sourceAny(const Operand &operand, uint32_t otherwise,
                     uint32_t &width);
  // kNone for _.
  uint32_t destination(const Operand &operand, uint32_t width);
  uint32_t
  predicateSource(const Operand &operand); // true and false may be integers
  uint32_t predicateDestination(const Operand &operand);
  // An integer that stands in the text.
  uint64_t immediate(const Operand &operand);
  // Appends the offsets of a vector's registers (or of one register) to
  // Code::lists; sets list and listSize.
  void setList(const std::vector<uint32_t> &offsets);
  std::vector<uint32_t> vectorOf(const Operand &operand, uint32_t width,
                                 bool isDestination);
  // Base register or symbol and offset into inst.a, inst.offset; the space of a
  // symbol narrows a generic one.
  void address(const Operand &operand, Space space);
  // The base of an address, 4 or 8 bytes a lane widened to 8, into the field.
  uint32_t addressRegister(const Operand &operand, int64_t &offset);
  KernelBuilder &kernel() { return kernel_; }

private:
  uint32_t special(std::string_view name, uint32_t width);
  uint32_t symbol(const Operand &operand, uint32_t width);
  KernelBuilder &kernel_;
  const Frame &frame_;
  const Statement &statement_;
  Operand missing_;
};

using Decoder = void (*)(Builder &);

// The decoder of an opcode's first word, or null.
// Asks findBitDecoder for what is no arithmetic.
Decoder findIntegerDecoder(std::string_view head);
Decoder findBitDecoder(std::string_view head);
Decoder findFloatDecoder(std::string_view head);
Decoder findConvertDecoder(std::string_view head);
Decoder findMoveDecoder(std::string_view head);
Decoder findMemoryDecoder(std::string_view head);
Decoder findWarpDecoder(std::string_view head);
Decoder findBarrierDecoder(std::string_view head);
Decoder findMBarrierDecoder(std::string_view head);
Decoder findAsyncDecoder(std::string_view head);
Decoder findMatrixDecoder(std::string_view head);

struct DecodeContext {
  std::map<std::string_view, Symbol> globals;
};

// Bad input naming line and instruction.
Result<std::shared_ptr<Code>> decode(std::shared_ptr<Module> module,
                                     const Function &entry,
                                     const DecodeContext &context);

} // namespace nibble::simt
