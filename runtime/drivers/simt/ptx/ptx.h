// PTX text as data: functions of instructions with resolved registers, labels
// and variables. The grammar is the part of PTX ISA 8.x that LLVM's NVPTX
// backend and its inline assembly use.
#pragma once

#include "runtime/core/status.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::simt {

enum class RegisterKind : uint8_t { kPredicate, k16, k32, k64 };

struct Operand {
  enum Kind : uint8_t {
    kRegister, // index of the function's register
    kSpecial,  // %tid.x and similar, by name
    kInteger,  // its bits
    kFloat32,  // bits of a 0f literal
    kFloat64,  // bits of a 0d literal or of a decimal fraction
    kSymbol,   // name of a variable or function, plus offset
    kLabel,    // index of the function's label
    kVector,   // {elements}
    kAddress,  // [elements[0] + offset, elements[1...]]
    kList,     // (elements) of a call
    kPair,     // elements[0]|elements[1]
    kSink,     // _
  } kind = kSink;
  bool negated = false; // !p
  uint32_t index = 0;
  uint64_t bits = 0;
  int64_t offset = 0;
  std::string_view name;
  std::vector<Operand> elements;
};

struct Statement {
  uint32_t line = 0; // line in the text, from 1
  int32_t predicate = -1;
  bool predicateNegated = false;
  std::string_view opcode; // for example "ld.global.v2.b32"
  std::vector<Operand> operands;
};

struct Variable {
  enum Space : uint8_t {
    kParam,
    kShared,
    kGlobal,
    kConst,
    kLocal
  } space = kGlobal;
  std::string_view name;
  uint64_t bytes = 0; // 0: an extern array of unknown size
  uint32_t align = 1;
  bool isExtern = false;
  // Initial bytes; when there are fewer than `bytes`, the rest is zero.
  std::vector<uint8_t> value;
  struct Reference {
    uint64_t at;
    std::string_view symbol;
    int64_t offset;
  };
  std::vector<Reference> references; // 8-byte addresses within value
  uint32_t line = 0;
};

struct Function {
  std::string_view name;
  bool isEntry = false, hasBody = false;
  uint32_t line = 0;
  std::vector<Variable> parameters, results; // results exist for .func only
  // .shared, .local and .param variables of the body.
  std::vector<Variable> variables;
  std::vector<RegisterKind> registers;
  std::vector<std::string> registerNames;
  std::vector<Statement> statements;
  // Label to index of the statement that follows it.
  std::vector<uint32_t> labels;
  // .branchtargets, by label name.
  std::map<std::string_view, std::vector<uint32_t>> targetLists;
  uint32_t maxThreads = 0, requiredThreads = 0, clusterSize = 0,
           blocksPerSM = 0; // 0: not stated
};

struct Module {
  std::string text; // all other members point into this text
  std::vector<std::string_view> lines;
  std::vector<Variable> variables;
  std::map<std::string_view, Function> functions;
  std::string_view target;
};

// Bad input with the line for text that is not PTX or is not supported.
Result<std::shared_ptr<Module>> parsePtx(std::string text);

} // namespace nibble::simt
