// Parses PTX text into a module of functions, variables and statements.
#include "runtime/drivers/simt/ptx/ptx.h"
#include "runtime/drivers/simt/ptx/token_cursor.h"

#include <cstring>

namespace nibble::simt {

namespace {

// Bytes of an element of a type such as ".b32"; 0 when there is no such type.
uint32_t bytesOf(std::string_view type) {
  if (type == ".b8" || type == ".u8" || type == ".s8")
    return 1;
  if (type == ".b16" || type == ".u16" || type == ".s16" || type == ".f16" ||
      type == ".bf16")
    return 2;
  if (type == ".b32" || type == ".u32" || type == ".s32" || type == ".f32" ||
      type == ".f16x2" || type == ".bf16x2")
    return 4;
  if (type == ".b64" || type == ".u64" || type == ".s64" || type == ".f64")
    return 8;
  return 0;
}

// The names within a pair of braces, and the branches whose label is not yet
// known.
struct Scope {
  std::map<std::string, uint32_t, std::less<>> registers;
  std::map<std::string_view, uint32_t> labels;
};

constexpr size_t kDeepest = 64;

class Parser : private TokenCursor {
public:
  explicit Parser(Module &module) : TokenCursor(module), module_(module) {}

  Status run() {
    while (!atEnd()) {
      NIBBLE_TRY(directive());
    }
    return Status::ok();
  }

private:
  Status directive() {
    if (peek().kind != Token::kWord)
      return error("expected a directive");
    std::string_view word = peek().text;
    if (word == ".version" || word == ".address_size") {
      take();
      take();
      return Status::ok();
    }
    if (word == ".target") {
      take();
      module_.target = take().text;
      while (accept(','))
        take();
      return Status::ok();
    }
    if (word == ".file" || word == ".loc") {
      skipLine();
      return Status::ok();
    }
    if (word == ".section") {
      while (!atEnd() && !accept('{'))
        take();
      while (!atEnd() && !accept('}'))
        take();
      return Status::ok();
    }
    bool isExtern = false;
    while (word == ".visible" || word == ".extern" || word == ".weak" ||
           word == ".common") {
      isExtern |= word == ".extern";
      take();
      word = peek().text;
    }
    if (word == ".entry" || word == ".func") {
      take();
      return function(word == ".entry");
    }
    if (word == ".shared" || word == ".global" || word == ".const") {
      Variable variable;
      NIBBLE_TRY(declare(variable));
      variable.isExtern = isExtern;
      module_.variables.push_back(std::move(variable));
      return expect(';');
    }
    if (word == ".alias" || word == ".pragma") {
      while (!atEnd() && !accept(';'))
        take();
      return Status::ok();
    }
    return error("unknown directive " + std::string(word));
  }

  // Parses .space {.align n} .type {.ptr ...} name {[n]} {= value}.
  Status declare(Variable &variable) {
    std::string_view space = take().text;
    variable.line = peek().line;
    variable.space = space == ".param"    ? Variable::kParam
                     : space == ".shared" ? Variable::kShared
                     : space == ".const"  ? Variable::kConst
                     : space == ".local"  ? Variable::kLocal
                                          : Variable::kGlobal;
    uint32_t element = 0;
    uint32_t vector = 1;
    uint32_t align = 0;
    while (peek().kind == Token::kWord && peek().text[0] == '.') {
      std::string_view word = take().text;
      if (word == ".align") {
        // In ".ptr .global .align 16" the alignment is that of the pointee. The
        // type has been parsed already in that case.
        NIBBLE_ASSIGN(uint64_t value, integer());
        if (element == 0)
          align = static_cast<uint32_t>(value);
      } else if (word == ".v2" || word == ".v4") {
        vector = word == ".v2" ? 2 : 4;
      } else if (uint32_t bytes = bytesOf(word)) {
        element = bytes;
      } else if (word != ".ptr" && word != ".global" && word != ".shared" &&
                 word != ".const" && word != ".local" && word != ".param" &&
                 word != ".attribute" && word != ".managed") {
        return error("unknown type or attribute " + std::string(word) +
                     " of a variable");
      }
    }
    if (element == 0 || peek().kind != Token::kWord)
      return error("expected a type and a name of a variable");
    if ((align & (align - 1)) != 0 || align > 65536)
      return error("an alignment is a power of two");
    variable.name = take().text;
    variable.bytes = element * vector;
    variable.align = align != 0 ? align : element * vector;
    while (accept('[')) {
      uint64_t count = 0;
      if (!isSign(']')) {
        NIBBLE_ASSIGN(count, integer());
      }
      if (count > (uint64_t{1} << 32) || variable.bytes > (uint64_t{1} << 32))
        return error("the variable is too large");
      variable.bytes *= count;
      NIBBLE_TRY(expect(']'));
    }
    if (accept('='))
      NIBBLE_TRY(initializer(variable, element));
    if (variable.value.size() > variable.bytes)
      return error("the initial value is longer than the variable");
    return Status::ok();
  }

  Status initializer(Variable &variable, uint32_t element, int depth = 0) {
    if (depth > 8)
      return error("initial values are nested more than 8 deep");
    if (accept('{')) {
      while (!accept('}')) {
        NIBBLE_TRY(initializer(variable, element, depth + 1));
        if (!isSign('}'))
          NIBBLE_TRY(expect(','));
      }
      return Status::ok();
    }
    uint64_t bits = 0;
    if (peek().kind == Token::kWord) {
      std::string_view symbol = take().text;
      if (symbol == "generic") {
        NIBBLE_TRY(expect('('));
        symbol = take().text;
        NIBBLE_TRY(expect(')'));
      }
      int64_t offset = 0;
      if (accept('+')) {
        NIBBLE_ASSIGN(uint64_t value, integer());
        offset = static_cast<int64_t>(value);
      }
      variable.references.push_back({variable.value.size(), symbol, offset});
    } else {
      bool negative = accept('-');
      bits = take().bits;
      bits = negative ? 0 - bits : bits;
    }
    size_t at = variable.value.size();
    variable.value.resize(at + element);
    std::memcpy(variable.value.data() + at, &bits, element);
    return Status::ok();
  }

  Status parameterList(std::vector<Variable> &list) {
    NIBBLE_TRY(expect('('));
    while (!accept(')')) {
      if (peek().text == ".reg")
        return error("parameters in registers are not supported; use .param");
      if (peek().text != ".param")
        return error("expected .param");
      list.emplace_back();
      NIBBLE_TRY(declare(list.back()));
      if (!isSign(')'))
        NIBBLE_TRY(expect(','));
    }
    return Status::ok();
  }

  Status function(bool isEntry) {
    Function function;
    function.isEntry = isEntry;
    function.line = peek().line;
    if (!isEntry && isSign('('))
      NIBBLE_TRY(parameterList(function.results));
    if (peek().kind != Token::kWord)
      return error("expected the name of a function");
    function.name = take().text;
    if (isSign('('))
      NIBBLE_TRY(parameterList(function.parameters));
    for (;;) {
      std::string_view word = peek().text;
      if (word == ".noreturn" || word == ".blocksareclusters" ||
          word == ".explicitcluster") {
        take();
      } else if (word == ".maxntid" || word == ".reqntid" ||
                 word == ".reqnctapercluster" || word == ".minnctapersm" ||
                 word == ".maxnreg" || word == ".maxclusterrank") {
        take();
        uint64_t product = 1;
        do {
          NIBBLE_ASSIGN(uint64_t value, integer());
          product *= value;
        } while (accept(','));
        uint32_t count = static_cast<uint32_t>(product);
        (word == ".maxntid"             ? function.maxThreads
         : word == ".reqntid"           ? function.requiredThreads
         : word == ".reqnctapercluster" ? function.clusterSize
         : word == ".minnctapersm"      ? function.blocksPerSM
                                        : ignored_) = count;
      } else {
        break;
      }
    }
    if (accept('{')) {
      function.hasBody = true;
      current_ = &function;
      scopes_.clear();
      unresolved_.clear();
      NIBBLE_TRY(block());
      current_ = nullptr;
    } else {
      NIBBLE_TRY(expect(';'));
    }
    auto [found, inserted] = module_.functions.try_emplace(function.name);
    if (!inserted && found->second.hasBody && function.hasBody)
      return error("the function " + std::string(function.name) +
                   " is defined twice");
    if (inserted || function.hasBody)
      found->second = std::move(function);
    return Status::ok();
  }

  // Parses statements up to and including the closing brace.
  Status block() {
    if (scopes_.size() >= kDeepest)
      return error("braces are nested more than " + std::to_string(kDeepest) +
                   " deep");
    scopes_.emplace_back();
    size_t firstUnresolved = unresolved_.size();
    while (!accept('}')) {
      if (atEnd())
        return error("a block is not closed");
      NIBBLE_TRY(statement());
    }
    // A name that is not defined here may be a label of the enclosing block.
    size_t kept = firstUnresolved;
    for (size_t i = firstUnresolved; i < unresolved_.size(); ++i) {
      auto found = scopes_.back().labels.find(unresolved_[i].first);
      if (found != scopes_.back().labels.end())
        current_->labels[unresolved_[i].second] =
            current_->labels[found->second];
      else
        unresolved_[kept++] = unresolved_[i];
    }
    unresolved_.resize(kept);
    scopes_.pop_back();
    if (scopes_.empty() && !unresolved_.empty())
      return error("no variable, register, function or label is named '" +
                   std::string(unresolved_[0].first) + "'");
    return Status::ok();
  }

  Status registers() {
    take();
    std::string_view type = take().text;
    RegisterKind kind;
    uint32_t bytes = bytesOf(type);
    if (type == ".pred")
      kind = RegisterKind::kPredicate;
    else if (bytes == 1 || bytes == 2)
      kind = RegisterKind::k16;
    else if (bytes == 4)
      kind = RegisterKind::k32;
    else if (bytes == 8)
      kind = RegisterKind::k64;
    else
      return error("registers of type " + std::string(type) +
                   " are not supported");
    do {
      if (peek().kind != Token::kWord)
        return error("expected the name of a register");
      std::string name(take().text);
      if (accept('<')) {
        NIBBLE_ASSIGN(uint64_t count, integer());
        NIBBLE_TRY(expect('>'));
        if (count > 1000000)
          return error("more than a million registers");
        for (uint64_t i = 0; i < count; ++i)
          addRegister(name + std::to_string(i), kind);
      } else {
        addRegister(name, kind);
      }
    } while (accept(','));
    return expect(';');
  }

  void addRegister(std::string name, RegisterKind kind) {
    scopes_.back().registers[name] =
        static_cast<uint32_t>(current_->registers.size());
    current_->registers.push_back(kind);
    current_->registerNames.push_back(std::move(name));
  }

  Status statement() {
    if (accept('{'))
      return block();
    if (accept(';'))
      return Status::ok();
    const Token &token = peek();
    if (token.kind == Token::kWord) {
      if (token.text == ".reg")
        return registers();
      if (token.text == ".loc" || token.text == ".file") {
        skipLine();
        return Status::ok();
      }
      if (token.text == ".pragma") {
        while (!atEnd() && !accept(';'))
          take();
        return Status::ok();
      }
      if (token.text == ".shared" || token.text == ".local" ||
          token.text == ".param") {
        current_->variables.emplace_back();
        NIBBLE_TRY(declare(current_->variables.back()));
        return expect(';');
      }
      if (isSign(':', 1))
        return label();
    }
    return instruction();
  }

  Status label() {
    std::string_view name = take().text;
    accept(':');
    if (peek().text == ".branchtargets") {
      take();
      std::vector<uint32_t> &targets = current_->targetLists[name];
      do
        targets.push_back(labelReference(take().text));
      while (accept(','));
      return expect(';');
    }
    if (peek().text == ".callprototype" || peek().text == ".calltargets")
      return error("indirect calls are not supported");
    if (scopes_.back().labels.contains(name))
      return error("the label " + std::string(name) + " is defined twice");
    scopes_.back().labels[name] =
        static_cast<uint32_t>(current_->labels.size());
    current_->labels.push_back(
        static_cast<uint32_t>(current_->statements.size()));
    return Status::ok();
  }

  // Every reference gets a label of its own, which is filled in at the end of
  // the block that defines the name.
  uint32_t labelReference(std::string_view name) {
    unresolved_.push_back(
        {name, static_cast<uint32_t>(current_->labels.size())});
    current_->labels.push_back(0);
    return unresolved_.back().second;
  }

  const uint32_t *findRegister(std::string_view name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
      if (auto found = scope->registers.find(name);
          found != scope->registers.end())
        return &found->second;
    return nullptr;
  }

  Status instruction() {
    Statement statement;
    statement.line = peek().line;
    if (accept('@')) {
      statement.predicateNegated = accept('!');
      const uint32_t *found = findRegister(peek().text);
      if (found == nullptr)
        return error("no predicate register is named '" + shown() + "'");
      statement.predicate = static_cast<int32_t>(*found);
      take();
    }
    if (peek().kind != Token::kWord)
      return error("expected an instruction before '" + shown() + "'");
    statement.opcode = take().text;
    bool isBranch = statement.opcode.starts_with("bra") ||
                    statement.opcode.starts_with("brx");
    if (!isSign(';')) {
      do {
        statement.operands.emplace_back();
        NIBBLE_TRY(operand(statement.operands.back(), isBranch));
      } while (accept(','));
    }
    NIBBLE_TRY(expect(';'));
    current_->statements.push_back(std::move(statement));
    return Status::ok();
  }

  Status list(Operand &operand, char end, int depth) {
    while (!accept(end)) {
      operand.elements.emplace_back();
      NIBBLE_TRY(this->operand(operand.elements.back(), false, depth + 1));
      if (!isSign(end))
        NIBBLE_TRY(expect(','));
    }
    return Status::ok();
  }

  Status operand(Operand &operand, bool isBranch, int depth = 0) {
    // [map, {coordinates}] is the deepest nesting.
    if (depth > 2)
      return error("operands are nested more than 2 deep");
    if (accept('{')) {
      operand.kind = Operand::kVector;
      return list(operand, '}', depth);
    }
    if (accept('(')) {
      operand.kind = Operand::kList;
      return list(operand, ')', depth);
    }
    if (accept('[')) {
      operand.kind = Operand::kAddress;
      NIBBLE_TRY(list(operand, ']', depth));
      return operand.elements.empty() ? error("an address is empty")
                                      : Status::ok();
    }
    operand.negated = accept('!');
    NIBBLE_TRY(simpleOperand(operand, isBranch));
    if (isSign('|')) {
      take();
      Operand pair;
      pair.kind = Operand::kPair;
      pair.elements.push_back(operand);
      pair.elements.emplace_back();
      NIBBLE_TRY(simpleOperand(pair.elements.back(), false));
      operand = std::move(pair);
    }
    return Status::ok();
  }

  Status simpleOperand(Operand &operand, bool isBranch) {
    bool negative = accept('-');
    Token token = peek();
    if (token.kind == Token::kInteger || token.kind == Token::kFloat32 ||
        token.kind == Token::kFloat64) {
      take();
      operand.kind = token.kind == Token::kInteger   ? Operand::kInteger
                     : token.kind == Token::kFloat32 ? Operand::kFloat32
                                                     : Operand::kFloat64;
      operand.bits = token.bits;
      if (negative)
        operand.bits = operand.kind == Operand::kInteger ? 0 - token.bits
                       : operand.kind == Operand::kFloat32
                           ? token.bits ^ 0x80000000u
                           : token.bits ^ (uint64_t{1} << 63);
      return Status::ok();
    }
    if (token.kind != Token::kWord || negative)
      return error("expected an operand before '" + shown() + "'");
    if (token.text == "_") {
      take();
      operand.kind = Operand::kSink;
      return Status::ok();
    }
    take();
    operand.name = token.text;
    if (const uint32_t *found = findRegister(token.text)) {
      operand.kind = Operand::kRegister;
      operand.index = *found;
    } else if (isBranch && token.text[0] != '%') {
      operand.kind = Operand::kLabel;
      if (!current_->targetLists.contains(token.text))
        operand.index = labelReference(token.text);
    } else if (token.text[0] == '%') {
      operand.kind = Operand::kSpecial;
    } else {
      operand.kind = Operand::kSymbol;
    }
    if (isSign('+') || (isSign('-') && peek(1).kind == Token::kInteger)) {
      accept('+');
      NIBBLE_ASSIGN(uint64_t value, integer());
      operand.offset = static_cast<int64_t>(value);
    }
    return Status::ok();
  }

  Module &module_;
  Function *current_ = nullptr;
  std::vector<Scope> scopes_;
  // Name and label.
  std::vector<std::pair<std::string_view, uint32_t>> unresolved_;
  uint32_t ignored_ = 0;
};

} // namespace

Result<std::shared_ptr<Module>> parsePtx(std::string text) {
  auto module = std::make_shared<Module>();
  // LLVM ends its text with a NUL when it comes from a binary.
  while (!text.empty() && text.back() == '\0')
    text.pop_back();
  module->text = std::move(text);
  std::string_view rest = module->text;
  while (!rest.empty()) {
    size_t end = rest.find('\n');
    module->lines.push_back(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view()
                                         : rest.substr(end + 1);
  }
  NIBBLE_TRY(Parser(*module).run());
  return module;
}

} // namespace nibble::simt
