// Decodes parsed functions into the dense instructions of one kernel. It lays
// out registers, shared memory and local memory, inlines called functions, and
// turns labels into indices.
#include "runtime/drivers/simt/ptx/builder.h"

#include <algorithm>
#include <set>

namespace nibble::simt {

namespace {

constexpr size_t kDeepestCall = 32;

class KernelDecoder {
public:
  KernelDecoder(const Module &module, const DecodeContext &context, Code &code)
      : module_(module), code_(code) {
    kernel_.code = &code;
    kernel_.globals = context.globals;
  }

  Status run(const Function &entry) {
    NIBBLE_TRY(layOutShared(entry));
    Frame frame;
    frame.function = &entry;
    for (const Variable &parameter : entry.parameters) {
      code_.parameterBytes = (code_.parameterBytes + parameter.align - 1) /
                             parameter.align * parameter.align;
      frame.symbols[parameter.name] = {Space::kParam,
                                       kParamWindow + code_.parameterBytes};
      code_.parameters.push_back(
          {code_.parameterBytes, static_cast<uint32_t>(parameter.bytes)});
      code_.parameterBytes += static_cast<uint32_t>(parameter.bytes);
      if (code_.parameterBytes > 32764)
        return Status::badInput("the parameters of " + std::string(entry.name) +
                                " take more than 32764 bytes; pass fewer");
    }
    NIBBLE_TRY(splice(entry, frame, nullptr));
    Inst end;
    end.flow = Flow::kExit;
    end.line = code_.instructions.empty() ? entry.line
                                          : code_.instructions.back().line;
    code_.instructions.push_back(end);
    return Status::ok();
  }

private:
  Status at(const Statement &statement, const std::string &what) const {
    std::string_view text = module_.lines[statement.line - 1];
    size_t begin = text.find_first_not_of(" \t");
    return Status::badInput(
        "PTX line " + std::to_string(statement.line) + " `" +
        std::string(text.substr(begin == std::string_view::npos ? 0 : begin)) +
        "`: " + what + "; correct the PTX");
  }

  static void namesIn(const Operand &operand,
                      std::set<std::string_view> &names) {
    if (operand.kind == Operand::kSymbol)
      names.insert(operand.name);
    for (const Operand &element : operand.elements)
      namesIn(element, names);
  }

  // Collects all functions that `function` reaches and all names that they use.
  void reach(const Function &function, std::set<const Function *> &functions,
             std::set<std::string_view> &names) const {
    if (!functions.insert(&function).second)
      return;
    std::set<std::string_view> own;
    for (const Statement &statement : function.statements)
      for (const Operand &operand : statement.operands)
        namesIn(operand, own);
    names.insert(own.begin(), own.end());
    for (std::string_view name : own)
      if (auto callee = module_.functions.find(name);
          callee != module_.functions.end())
        reach(callee->second, functions, names);
  }

  Status layOutShared(const Function &entry) {
    std::set<const Function *> functions;
    std::set<std::string_view> names;
    reach(entry, functions, names);
    uint32_t end = kSharedBase;
    auto place = [&](const Variable &variable) -> Status {
      uint64_t begin = (uint64_t{end} + variable.align - 1) / variable.align *
                       variable.align;
      if (begin + variable.bytes >
          kSharedBase + kArchitecture.sharedBytesOfBlock)
        return Status::badInput(
            "the shared variables of " + std::string(entry.name) +
            " take more than " +
            std::to_string(kArchitecture.sharedBytesOfBlock) +
            " bytes; use less shared memory");
      kernel_.globals[variable.name] = {Space::kShared, begin};
      end = static_cast<uint32_t>(begin + variable.bytes);
      return Status::ok();
    };
    // Variables with the largest alignment come first, which wastes less space
    // between them.
    std::vector<const Variable *> variables;
    for (const Variable &variable : module_.variables)
      if (variable.space == Variable::kShared &&
          names.contains(variable.name) && variable.bytes != 0)
        variables.push_back(&variable);
    for (const Function *function : functions)
      for (const Variable &variable : function->variables)
        if (variable.space == Variable::kShared && variable.bytes != 0)
          variables.push_back(&variable);
    std::sort(variables.begin(), variables.end(),
              [](const Variable *a, const Variable *b) {
                return a->align != b->align ? a->align > b->align
                                            : a->name < b->name;
              });
    for (const Variable *variable : variables)
      NIBBLE_TRY(place(*variable));
    code_.staticSharedBytes = end - kSharedBase;
    for (const Variable &variable : module_.variables)
      if (variable.space == Variable::kShared &&
          names.contains(variable.name) && variable.bytes == 0)
        code_.dynamicAlign = std::max(code_.dynamicAlign, variable.align);
    uint64_t dynamic = (uint64_t{end} + code_.dynamicAlign - 1) /
                       code_.dynamicAlign * code_.dynamicAlign;
    for (const Variable &variable : module_.variables)
      if (variable.space == Variable::kShared &&
          names.contains(variable.name) && variable.bytes == 0)
        kernel_.globals[variable.name] = {Space::kShared, dynamic};
    return Status::ok();
  }

  uint64_t newLocal(const Variable &variable) {
    uint32_t align = std::max(variable.align, 1u);
    code_.localBytes = (code_.localBytes + align - 1) / align * align;
    uint64_t offset = code_.localBytes;
    code_.localBytes +=
        static_cast<uint32_t>(std::max<uint64_t>(variable.bytes, 1));
    return offset;
  }

  // Appends the instructions of `function`. A return jumps behind them; in the
  // entry function it ends the thread.
  Status splice(const Function &function, Frame &frame, const Statement *call) {
    if (callStack_.size() >= kDeepestCall ||
        std::find(callStack_.begin(), callStack_.end(), &function) !=
            callStack_.end())
      return at(*call, "calls in a circle are not supported");
    callStack_.push_back(&function);
    for (const Variable &variable : function.variables) {
      if (variable.bytes > (1u << 20) || code_.localBytes > (1u << 20))
        return Status::badInput(
            "the local variables of " + std::string(function.name) +
            " take more than a megabyte; use less local memory");
      if (variable.space == Variable::kLocal)
        frame.symbols[variable.name] = {Space::kLocal, newLocal(variable)};
      else if (variable.space == Variable::kParam)
        frame.symbols[variable.name] = {Space::kParam,
                                        kLocalWindow + newLocal(variable)};
    }
    for (RegisterKind kind : function.registers)
      frame.registers.push_back(
          kernel_.newRegister(kind == RegisterKind::kPredicate ? 0
                              : kind == RegisterKind::k16      ? 2
                              : kind == RegisterKind::k32      ? 4
                                                               : 8));
    std::vector<uint32_t> startOf;
    // Instruction and label.
    std::vector<std::pair<uint32_t, uint32_t>> branches;
    // Entry of the branch table, and label.
    std::vector<std::pair<uint32_t, uint32_t>> tables;
    std::vector<uint32_t> returns;
    for (const Statement &statement : function.statements) {
      startOf.push_back(static_cast<uint32_t>(code_.instructions.size()));
      uint32_t index = startOf.back();
      Builder builder(kernel_, frame, statement);
      if (builder.head == "call") {
        NIBBLE_TRY(splitCall(statement, frame));
        continue;
      }
      if (builder.head == "bra") {
        builder.inst.flow = Flow::kBranch;
        if (builder.operand(0).kind != Operand::kLabel)
          builder.fail("the target is no label");
        else
          branches.push_back({index, builder.operand(0).index});
      } else if (builder.head == "brx") {
        builder.inst.flow = Flow::kBranchTable;
        builder.inst.a = builder.source(builder.operand(0), 4);
        auto targets = function.targetLists.find(builder.operand(1).name);
        if (targets == function.targetLists.end()) {
          builder.fail("the list of targets is not known");
        } else {
          builder.inst.target = static_cast<uint32_t>(code_.branchTable.size());
          builder.inst.listSize = static_cast<uint32_t>(targets->second.size());
          for (uint32_t label : targets->second) {
            tables.push_back(
                {static_cast<uint32_t>(code_.branchTable.size()), label});
            code_.branchTable.push_back(0);
          }
        }
      } else if (builder.head == "ret" || builder.head == "exit") {
        if (builder.head == "exit" || call == nullptr) {
          builder.inst.flow = Flow::kExit;
        } else {
          builder.inst.flow = Flow::kBranch;
          returns.push_back(index);
        }
      } else {
        decodeOne(builder);
      }
      if (!builder.error.empty())
        return at(statement, builder.error);
      addTouched(builder.inst, statement, frame);
      code_.instructions.push_back(builder.inst);
    }
    startOf.push_back(static_cast<uint32_t>(code_.instructions.size()));
    for (auto [index, label] : branches)
      code_.instructions[index].target = startOf[function.labels[label]];
    for (auto [entry, label] : tables)
      code_.branchTable[entry] = startOf[function.labels[label]];
    for (uint32_t index : returns)
      code_.instructions[index].target = startOf.back();
    callStack_.pop_back();
    return Status::ok();
  }

  static void decodeOne(Builder &builder) {
    for (Decoder (*find)(std::string_view) :
         {findMoveDecoder, findIntegerDecoder, findFloatDecoder,
          findConvertDecoder, findMemoryDecoder, findWarpDecoder,
          findBarrierDecoder, findMBarrierDecoder, findAsyncDecoder,
          findMatrixDecoder}) {
      if (Decoder decoder = find(builder.head)) {
        decoder(builder);
        if (builder.error.empty() && builder.inst.run == nullptr)
          builder.fail("this form of " + std::string(builder.head) +
                       " is not supported");
        return;
      }
    }
    builder.fail("the instruction " + std::string(builder.head) +
                 " is not known");
  }

  void collect(const Operand &operand, const Frame &frame,
               std::vector<uint32_t> &into) const {
    if (operand.kind == Operand::kRegister)
      into.push_back(frame.registers[operand.index]);
    for (const Operand &element : operand.elements)
      collect(element, frame, into);
  }

  void addTouched(Inst &inst, const Statement &statement, const Frame &frame) {
    std::vector<uint32_t> touched;
    for (const Operand &operand : statement.operands)
      collect(operand, frame, touched);
    inst.touched = static_cast<uint32_t>(code_.lists.size());
    inst.touchedSize = static_cast<uint32_t>(touched.size());
    code_.lists.insert(code_.lists.end(), touched.begin(), touched.end());
  }

  // Parses "call (results), function, (arguments)". The callee's parameters are
  // the caller's .param variables.
  Status splitCall(const Statement &statement, const Frame &caller) {
    const std::vector<Operand> &operands = statement.operands;
    size_t i = 0;
    const Operand *results =
        !operands.empty() && operands[0].kind == Operand::kList ? &operands[i++]
                                                                : nullptr;
    if (i >= operands.size() || operands[i].kind != Operand::kSymbol)
      return at(statement, "indirect calls are not supported");
    auto callee = module_.functions.find(operands[i++].name);
    if (callee == module_.functions.end() || !callee->second.hasBody)
      return at(statement, "the called function has no body here");
    const Operand *arguments =
        i < operands.size() && operands[i].kind == Operand::kList ? &operands[i]
                                                                  : nullptr;
    if (statement.predicate >= 0)
      return at(statement, "a call under a predicate is not supported");
    const Function &function = callee->second;
    Frame frame;
    frame.function = &function;
    auto bind = [&](const std::vector<Variable> &formals,
                    const Operand *actuals) -> Status {
      size_t count = actuals == nullptr ? 0 : actuals->elements.size();
      if (count != formals.size())
        return at(statement,
                  "the number of arguments differs from the function's");
      for (size_t j = 0; j < count; ++j) {
        auto symbol = caller.symbols.find(actuals->elements[j].name);
        if (symbol == caller.symbols.end())
          return at(statement, "an argument is no .param variable");
        frame.symbols[formals[j].name] = symbol->second;
      }
      return Status::ok();
    };
    NIBBLE_TRY(bind(function.results, results));
    NIBBLE_TRY(bind(function.parameters, arguments));
    return splice(function, frame, &statement);
  }

  const Module &module_;
  Code &code_;
  KernelBuilder kernel_;
  std::vector<const Function *> callStack_;
};

} // namespace

Result<std::shared_ptr<Code>> decode(std::shared_ptr<Module> module,
                                     const Function &entry,
                                     const DecodeContext &context) {
  auto code = std::make_shared<Code>();
  code->name = entry.name;
  code->source = module;
  code->requiredThreads = entry.requiredThreads;
  code->blocksPerSM = entry.blocksPerSM;
  code->maxThreads = entry.maxThreads;
  code->clusterSize = entry.clusterSize;
  NIBBLE_TRY(KernelDecoder(*module, context, *code).run(entry));
  return code;
}

} // namespace nibble::simt
