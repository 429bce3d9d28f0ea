// Builds registers, constants and operands for the statement that is being
// decoded.
#include "runtime/drivers/simt/ptx/builder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

namespace nibble::simt {

namespace {

struct SpecialRegister {
  std::string_view name;
  Preset::Kind kind;
  uint32_t width;
  uint64_t value = 0;
};

constexpr SpecialRegister kSpecialRegisters[] = {
    {"%tid.x", Preset::kTidX, 4},
    {"%tid.y", Preset::kTidY, 4},
    {"%tid.z", Preset::kTidZ, 4},
    {"%ntid.x", Preset::kNtidX, 4},
    {"%ntid.y", Preset::kNtidY, 4},
    {"%ntid.z", Preset::kNtidZ, 4},
    {"%ctaid.x", Preset::kCtaidX, 4},
    {"%ctaid.y", Preset::kCtaidY, 4},
    {"%ctaid.z", Preset::kCtaidZ, 4},
    {"%nctaid.x", Preset::kNctaidX, 4},
    {"%nctaid.y", Preset::kNctaidY, 4},
    {"%nctaid.z", Preset::kNctaidZ, 4},
    {"%laneid", Preset::kLane, 4},
    {"%warpid", Preset::kWarp, 4},
    {"%nwarpid", Preset::kWarps, 4},
    {"%cluster_ctarank", Preset::kClusterRank, 4},
    {"%cluster_nctarank", Preset::kClusterSize, 4},
    {"%cluster_ctaid.x", Preset::kClusterRank, 4},
    {"%cluster_ctaid.y", Preset::kConstant, 4, 0},
    {"%cluster_ctaid.z", Preset::kConstant, 4, 0},
    {"%cluster_nctaid.x", Preset::kClusterSize, 4},
    {"%cluster_nctaid.y", Preset::kConstant, 4, 1},
    {"%cluster_nctaid.z", Preset::kConstant, 4, 1},
    {"%clusterid.x", Preset::kClusterIdX, 4},
    {"%clusterid.y", Preset::kCtaidY, 4},
    {"%clusterid.z", Preset::kCtaidZ, 4},
    {"%nclusterid.x", Preset::kClusters, 4},
    {"%nclusterid.y", Preset::kNctaidY, 4},
    {"%nclusterid.z", Preset::kNctaidZ, 4},
    {"%is_explicit_cluster", Preset::kConstant, 4, 1},
    {"%dynamic_smem_size", Preset::kSharedBytes, 4},
    {"%total_smem_size", Preset::kTotalSharedBytes, 4},
    {"%lanemask_eq", Preset::kMaskEq, 4},
    {"%lanemask_lt", Preset::kMaskLt, 4},
    {"%lanemask_le", Preset::kMaskLe, 4},
    {"%lanemask_gt", Preset::kMaskGt, 4},
    {"%lanemask_ge", Preset::kMaskGe, 4},
    {"%smid", Preset::kSm, 4},
    {"%nsmid", Preset::kConstant, 4, kSimulatedGpu.sms},
    {"%gridid", Preset::kGrid, 8},
    {"WARP_SZ", Preset::kConstant, 4, 32},
};

} // namespace

Type parseType(std::string_view word) {
  Type type;
  std::string_view digits = word;
  if (word == "pred")
    return {'p', 8, false};
  if (word.starts_with("bf")) {
    type.kind = 'h';
    digits.remove_prefix(2);
  } else if (!word.empty() && (word[0] == 'u' || word[0] == 's' ||
                               word[0] == 'b' || word[0] == 'f')) {
    type.kind = word[0];
    digits.remove_prefix(1);
  } else {
    return {};
  }
  if (digits.ends_with("x2")) {
    type.packed = true;
    digits.remove_suffix(2);
  }
  uint32_t bits = 0;
  auto [end, code] =
      std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (code != std::errc() || end != digits.data() + digits.size())
    return {};
  bool known = type.kind == 'h' ? bits == 16
               : type.kind == 'f'
                   ? bits == 16 || bits == 32 || bits == 64
                   : bits == 8 || bits == 16 || bits == 32 || bits == 64;
  if (!known || (type.packed && bits != 16))
    return {};
  type.bits = static_cast<uint8_t>(bits);
  return type;
}

uint32_t KernelBuilder::newRegister(uint32_t laneBytes) {
  // A predicate takes 64 bytes of its own, so that it has its own bit of
  // pendingRegister.
  uint32_t bytes = laneBytes == 0 ? 64 : laneBytes * kLanes;
  uint32_t offset = code->fileBytes;
  code->fileBytes += bytes;
  return offset;
}

uint32_t KernelBuilder::constant(uint64_t value, uint32_t width) {
  if (width < 8)
    value &= (uint64_t{1} << (8 * width)) - 1;
  auto [found, inserted] =
      constants.try_emplace({value, static_cast<int>(width)}, 0);
  if (inserted) {
    found->second = newRegister(width);
    code->presets.push_back(
        {Preset::kConstant, static_cast<uint8_t>(width), found->second, value});
  }
  return found->second;
}

Builder::Builder(KernelBuilder &kernel, const Frame &frame,
                 const Statement &statement)
    : kernel_(kernel), frame_(frame), statement_(statement) {
  std::string_view rest = statement.opcode;
  for (bool first = true; !rest.empty(); first = false) {
    size_t dot = rest.find('.');
    std::string_view word = rest.substr(0, dot);
    rest = dot == std::string_view::npos ? std::string_view()
                                         : rest.substr(dot + 1);
    if (first)
      head = word;
    else
      words.push_back(word);
  }
  inst.line = statement.line;
  if (statement.predicate >= 0) {
    size_t index = static_cast<size_t>(statement.predicate);
    inst.predicate = frame.registers[index];
    inst.predicateNegated = statement.predicateNegated;
    if (frame.function->registers[index] != RegisterKind::kPredicate)
      fail("the guard is no predicate");
  }
}

bool Builder::has(std::string_view word) const {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool Builder::hasAny(std::initializer_list<std::string_view> list) const {
  return std::any_of(list.begin(), list.end(),
                     [&](std::string_view word) { return has(word); });
}

void Builder::allow(std::initializer_list<std::string_view> list) {
  for (std::string_view word : words)
    if (parseType(word).kind == 0 &&
        std::find(list.begin(), list.end(), word) == list.end())
      fail("the modifier ." + std::string(word) + " is not supported");
}

Type Builder::type(size_t i) const {
  for (std::string_view word : words)
    if (Type type = parseType(word); type.kind != 0 && i-- == 0)
      return type;
  return {};
}

size_t Builder::types() const {
  return static_cast<size_t>(
      std::count_if(words.begin(), words.end(), [](std::string_view word) {
        return parseType(word).kind != 0;
      }));
}

void Builder::fail(std::string what) {
  if (error.empty())
    error = std::move(what);
}

const Operand &Builder::operand(size_t i) {
  if (i < statement_.operands.size())
    return statement_.operands[i];
  fail("an operand is missing");
  return missing_;
}

void Builder::expectCount(size_t low, size_t high) {
  if (count() < low || count() > high)
    fail("it has " + std::to_string(count()) + " operands");
}

uint32_t Builder::widthOf(const Operand &operand, uint32_t otherwise) const {
  if (operand.kind != Operand::kRegister)
    return otherwise;
  switch (frame_.function->registers[operand.index]) {
  case RegisterKind::kPredicate:
    return 0;
  case RegisterKind::k16:
    return 2;
  case RegisterKind::k32:
    return 4;
  case RegisterKind::k64:
    return 8;
  }
  return otherwise;
}

uint32_t Builder::source(const Operand &operand, uint32_t width) {
  switch (operand.kind) {
  case Operand::kRegister:
    if (widthOf(operand, 0) != width)
      fail("the operand " + std::string(operand.name) + " does not have " +
           std::to_string(8 * width) + " bits");
    return frame_.registers[operand.index];
  case Operand::kInteger:
    return kernel_.constant(operand.bits, width);
  case Operand::kFloat32:
    if (width != 4)
      fail("a float constant stands where " + std::to_string(8 * width) +
           " bits are needed");
    return kernel_.constant(operand.bits, width);
  case Operand::kFloat64:
    if (width == 4)
      return kernel_.constant(std::bit_cast<uint32_t>(static_cast<float>(
                                  std::bit_cast<double>(operand.bits))),
                              4);
    return kernel_.constant(operand.bits, width);
  case Operand::kSpecial:
    return special(operand.name, width);
  case Operand::kSymbol:
    return operand.name == "WARP_SZ" ? special(operand.name, width)
                                     : symbol(operand, width);
  default:
    fail("an operand is no value");
    return 0;
  }
}

uint32_t Builder::sourceAny(const Operand &operand, uint32_t otherwise,
                            uint32_t &width) {
  width = widthOf(operand, otherwise);
  if (width == 0) {
    fail("a predicate stands where a value is needed");
    width = otherwise;
  }
  return source(operand, width);
}

uint32_t Builder::special(std::string_view name, uint32_t width) {
  for (const SpecialRegister &special : kSpecialRegisters) {
    if (special.name != name)
      continue;
    // A special register may be read wider than it is, as in mov.u64 of
    // %laneid.
    auto [found, inserted] =
        kernel_.specials.try_emplace({special.name, width}, 0);
    if (inserted) {
      found->second = kernel_.newRegister(width);
      kernel_.code->presets.push_back({special.kind,
                                       static_cast<uint8_t>(width),
                                       found->second, special.value});
    }
    return found->second;
  }
  fail("the special register " + std::string(name) + " is not supported");
  return 0;
}

uint32_t Builder::symbol(const Operand &operand, uint32_t width) {
  auto found = frame_.symbols.find(operand.name);
  const Symbol *symbol =
      found != frame_.symbols.end() ? &found->second : nullptr;
  if (symbol == nullptr) {
    auto global = kernel_.globals.find(operand.name);
    if (global == kernel_.globals.end()) {
      fail("nothing is named '" + std::string(operand.name) + "'");
      return 0;
    }
    symbol = &global->second;
  }
  return kernel_.constant(
      symbol->address + static_cast<uint64_t>(operand.offset), width);
}

uint32_t Builder::destination(const Operand &operand, uint32_t width) {
  if (operand.kind == Operand::kSink)
    return kernel_.newRegister(width == 0 ? 0 : width);
  if (operand.kind != Operand::kRegister) {
    fail("the result is no register");
    return 0;
  }
  if (widthOf(operand, 0) != width)
    fail("the result " + std::string(operand.name) + " does not have " +
         (width == 0 ? "one bit" : std::to_string(8 * width) + " bits"));
  return frame_.registers[operand.index];
}

uint32_t Builder::predicateSource(const Operand &operand) {
  if (operand.kind == Operand::kRegister) {
    if (widthOf(operand, 1) != 0)
      fail("the operand " + std::string(operand.name) + " is no predicate");
    return frame_.registers[operand.index];
  }
  if (operand.kind != Operand::kInteger &&
      !(operand.kind == Operand::kSymbol &&
        (operand.name == "true" || operand.name == "false")))
    fail("the operand is no predicate");
  bool value = operand.kind == Operand::kInteger ? operand.bits != 0
                                                 : operand.name == "true";
  // This mask is the same for every lane.
  return kernel_.constant(value ? kAllLanes : 0, 4);
}

uint32_t Builder::predicateDestination(const Operand &operand) {
  return destination(operand, 0);
}

uint64_t Builder::immediate(const Operand &operand) {
  if (operand.kind != Operand::kInteger)
    fail("the operand is no integer constant");
  return operand.bits;
}

void Builder::setList(const std::vector<uint32_t> &offsets) {
  inst.list = static_cast<uint32_t>(kernel_.code->lists.size());
  inst.listSize = static_cast<uint32_t>(offsets.size());
  kernel_.code->lists.insert(kernel_.code->lists.end(), offsets.begin(),
                             offsets.end());
}

std::vector<uint32_t> Builder::vectorOf(const Operand &operand, uint32_t width,
                                        bool isDestination) {
  std::vector<uint32_t> offsets;
  auto add = [&](const Operand &element) {
    offsets.push_back(isDestination ? destination(element, width)
                                    : source(element, width));
  };
  if (operand.kind == Operand::kVector)
    for (const Operand &element : operand.elements)
      add(element);
  else
    add(operand);
  return offsets;
}

uint32_t Builder::addressRegister(const Operand &operand, int64_t &offset) {
  offset = 0;
  const Operand *base = &operand;
  if (operand.kind == Operand::kAddress)
    base = &operand.elements[0];
  if (base->kind == Operand::kRegister) {
    offset = base->offset;
    uint32_t width = widthOf(*base, 0);
    if (width != 4 && width != 8) {
      fail("an address has 32 or 64 bits");
      return 0;
    }
    return source(*base, width);
  }
  return source(*base, 8);
}

void Builder::address(const Operand &operand, Space space) {
  if (operand.kind != Operand::kAddress)
    fail("the operand is no address");
  const Operand &base =
      operand.kind == Operand::kAddress ? operand.elements[0] : operand;
  inst.space = space;
  inst.a = addressRegister(operand, inst.offset);
  inst.lanesWidth = inst.lanesWidth == 0 ? 8 : inst.lanesWidth;
  // Inst::d holds the width of the base. Only addresses use it this way.
  inst.d = base.kind == Operand::kRegister ? widthOf(base, 8) : 8;
  if (space == Space::kParam && base.kind == Operand::kSymbol) {
    auto found = frame_.symbols.find(base.name);
    if (found != frame_.symbols.end())
      inst.space = found->second.space;
  }
}

} // namespace nibble::simt
