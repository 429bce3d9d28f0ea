// Decodes one statement into one instruction. The decoders of all instruction
// classes share this class.
//
// A decoder asks for its operands in any order and sets Inst::run. The first
// mismatch is kept as the error. The rest of the decoder may then continue with
// meaningless offsets.
#pragma once

#include "runtime/drivers/simt/ptx/code.h"

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::simt {

// A type modifier. The kind is 'u', 's', 'b', 'f' (f16, f32, f64), 'h' (bf16),
// 'p' (pred) or 0 (none). `packed` means x2.
struct Type {
  char kind = 0;
  uint8_t bits = 0; // bits of one number
  bool packed = false;
  uint32_t bytes() const { return (packed ? 2u * bits : bits) / 8u; }
  bool isSigned() const { return kind == 's'; }
  bool isFloat() const { return kind == 'f' || kind == 'h'; }
};

// Returns {} when the word is no type.
Type parseType(std::string_view word);

// The place that a variable's name refers to within the kernel.
struct Symbol {
  Space space = Space::kGlobal;
  uint64_t address = 0; // as the kernel sees it
};

// State that is built up over all statements of a kernel.
struct KernelBuilder {
  Code *code = nullptr;
  // (value, width) to offset.
  std::map<std::pair<uint64_t, int>, uint32_t> constants;
  // (name, width) to offset.
  std::map<std::pair<std::string_view, uint32_t>, uint32_t> specials;
  std::map<std::string_view, Symbol> globals; // symbols of the module
  uint32_t newRegister(uint32_t laneBytes);
  uint32_t constant(uint64_t value, uint32_t width);
};

// A function's names, used while its body is inlined.
struct Frame {
  const Function *function = nullptr;
  std::vector<uint32_t> registers; // offset of each register, by index
  std::map<std::string_view, Symbol> symbols;
};

class Builder {
public:
  Builder(KernelBuilder &kernel, const Frame &frame,
          const Statement &statement);

  std::string_view head; // for example "ld"
  // Modifiers, for example "global", "v2", "b32".
  std::vector<std::string_view> words;
  Inst inst;
  std::string error;

  bool has(std::string_view word) const;
  bool hasAny(std::initializer_list<std::string_view> list) const;
  // Every modifier must be a type or in the list. An unknown word may change
  // the meaning of the instruction, so it is an error.
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
  // Bytes of a lane of the register; 0 for a predicate. Returns `otherwise`
  // when the operand is no register.
  uint32_t widthOf(const Operand &operand, uint32_t otherwise) const;

  // A value with `width` bytes per lane. Float constants are converted to
  // `width` bytes.
  uint32_t source(const Operand &operand, uint32_t width);
  // A source with the register's own width. Constants take `otherwise` bytes.
  // `width` returns the width.
  uint32_t sourceAny(const Operand &operand, uint32_t otherwise,
                     uint32_t &width);
  // Returns kNone for _.
  uint32_t destination(const Operand &operand, uint32_t width);
  // True and false may be integers.
  uint32_t predicateSource(const Operand &operand);
  uint32_t predicateDestination(const Operand &operand);
  // An integer that is written in the text.
  uint64_t immediate(const Operand &operand);
  // Appends the offsets of a vector's registers (or of one register) to
  // Code::lists, and sets list and listSize.
  void setList(const std::vector<uint32_t> &offsets);
  std::vector<uint32_t> vectorOf(const Operand &operand, uint32_t width,
                                 bool isDestination);
  // Puts the base register or symbol into inst.a and the offset into
  // inst.offset. The space of a symbol narrows a generic one.
  void address(const Operand &operand, Space space);
  // Puts the base of an address into the field. A base of 4 or 8 bytes per lane
  // is widened to 8.
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

// The decoder for an opcode's first word, or null. For a word that is no
// arithmetic it asks findBitDecoder.
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

// Decodes a kernel. Bad input with line and instruction.
Result<std::shared_ptr<Code>> decode(std::shared_ptr<Module> module,
                                     const Function &entry,
                                     const DecodeContext &context);

} // namespace nibble::simt
