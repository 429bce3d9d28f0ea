// Converts a device program to JSON and back. Fields with default values are
// left out.
#include "runtime/bundle/base64.h"
#include "runtime/bundle/device/device_program.h"
#include "runtime/formats/json.h"

#include <fmt/format.h>

#include <algorithm>

namespace nibble {

namespace {

// In the order of Opcode.
constexpr const char *kOpcodes[] = {"constant",
                                    "extent",
                                    "add",
                                    "sub",
                                    "mul",
                                    "div",
                                    "ceil_div",
                                    "min",
                                    "max",
                                    "allocate",
                                    "constant_buffer",
                                    "release",
                                    "copy",
                                    "fill",
                                    "launch",
                                    "call"};
// In the order of CommandArgument::Kind.
constexpr const char *kArguments[] = {"buffer", "integer", "tensor_map"};
// In the order of nibble_role and nibble_dtype.
constexpr const char *kRoles[] = {"input", "parameter", "state"};
constexpr const char *kDtypes[] = {"f32", "bf16", "f64", "i8", "i32",
                                   "i64", "u8",   "i1",  "f16"};

Json jsonOf(const ProgramValue &value) {
  Json json = {{"name", value.name},
               {"role", kRoles[value.role]},
               {"dtype", kDtypes[value.dtype]},
               {"shape", value.shape}};
  if (!value.packed.empty())
    json["packed"] = value.packed;
  return json;
}

Json jsonOf(const TensorMapArgument &map) {
  return {{"buffer", map.buffer},
          {"offset_bytes", map.offsetBytes},
          {"element_bytes", map.elementBytes},
          {"rank", map.rank},
          {"swizzle", map.swizzle},
          {"extents", map.extents},
          {"strides", map.strides},
          {"box", map.box}};
}

Json jsonOf(const Command &command) {
  Json json = {{"op", kOpcodes[static_cast<int>(command.opcode)]}};
  if (command.result >= 0)
    json["result"] = command.result;
  if (command.value != 0)
    json["value"] = command.value;
  if (!command.operands.empty())
    json["operands"] = command.operands;
  if (!command.results.empty())
    json["results"] = command.results;
  for (const CommandArgument &argument : command.arguments) {
    Json item = argument.kind == CommandArgument::kTensorMap
                    ? Json{{"tensor_map", jsonOf(argument.map)}}
                    : Json{{kArguments[argument.kind], argument.index}};
    if (argument.partly)
      item["partly"] = true;
    if (argument.consumed)
      item["consumed"] = true;
    json["arguments"].push_back(std::move(item));
  }
  return json;
}

template <typename T> Json listOf(const std::vector<T> &items) {
  Json list = Json::array();
  for (const T &item : items)
    list.push_back(jsonOf(item));
  return list;
}

// Fills the structures from a document. `status` keeps the first error.
class Reader {
public:
  explicit Reader(std::string where) : where_(std::move(where)) {}
  Status status;

  int64_t integer(const Json &object, const char *key, int64_t least,
                  int64_t most, int64_t fallback) {
    return take(integerFieldOr(object, key, where_, least, most, fallback),
                fallback);
  }
  std::string text(const Json &object, const char *key) {
    return take(stringFieldOr(object, key, where_, ""), "");
  }
  bool flag(const Json &object, const char *key) {
    return take(boolFieldOr(object, key, where_, false), false);
  }

  template <size_t n>
  int choice(const Json &object, const char *key,
             const char *const (&names)[n]) {
    std::string name = text(object, key);
    for (size_t i = 0; i < n; ++i)
      if (name == names[i])
        return static_cast<int>(i);
    wrong(fmt::format("field \"{}\" is '{}', which there is not", key, name));
    return 0;
  }

  // Calls `each` for every object in the list.
  template <typename Each>
  void list(const Json &object, const char *key, Each &&each) {
    const Json *items = findField(object, key);
    if (!items)
      return;
    if (!items->is_array())
      return wrong(fmt::format("field \"{}\" is no list", key));
    for (const Json &item : *items) {
      if (!item.is_object())
        return wrong(
            fmt::format("field \"{}\" holds something else than objects", key));
      each(item);
      if (!status.isOk())
        return;
    }
  }

  template <typename T>
  std::vector<T> integers(const Json &object, const char *key) {
    std::vector<T> values;
    const Json *items = findField(object, key);
    if (items && !items->is_array())
      wrong(fmt::format("field \"{}\" is no list", key));
    if (!items || !status.isOk())
      return values;
    for (const Json &item : *items) {
      bool fits = item.is_number_integer() &&
                  (!item.is_number_unsigned() ||
                   item.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
      if (!fits || item.get<int64_t>() < std::numeric_limits<T>::min() ||
          item.get<int64_t>() >
              static_cast<int64_t>(std::numeric_limits<T>::max())) {
        wrong(fmt::format("field \"{}\" holds {}", key,
                          item.dump().substr(0, 40)));
        break;
      }
      values.push_back(static_cast<T>(item.get<int64_t>()));
    }
    return values;
  }

  template <typename T, size_t n>
  void array(const Json &object, const char *key, std::array<T, n> &out) {
    std::vector<T> values = integers<T>(object, key);
    if (values.size() != n)
      return wrong(fmt::format("field \"{}\" has {} numbers, not {}", key,
                               values.size(), n));
    std::copy(values.begin(), values.end(), out.begin());
  }

  void wrong(const std::string &why) {
    if (status.isOk())
      status = Status::badInput(
          fmt::format("{}: {}; compile it again", where_, why));
  }

private:
  template <typename T, typename U> T take(Result<T> result, U fallback) {
    if (result.isOk())
      return *std::move(result);
    if (status.isOk())
      status = std::move(result).takeStatus();
    return fallback;
  }

  std::string where_;
};

constexpr int64_t kMostIndex = INT32_MAX;

ProgramValue readValue(Reader &reader, const Json &json) {
  ProgramValue value;
  value.name = reader.text(json, "name");
  value.packed = reader.text(json, "packed");
  value.role = static_cast<nibble_role>(reader.choice(json, "role", kRoles));
  value.dtype =
      static_cast<nibble_dtype>(reader.choice(json, "dtype", kDtypes));
  value.shape = reader.integers<int64_t>(json, "shape");
  return value;
}

CommandArgument readArgument(Reader &reader, const Json &json) {
  CommandArgument argument;
  argument.partly = reader.flag(json, "partly");
  argument.consumed = reader.flag(json, "consumed");
  if (const Json *map = findField(json, "tensor_map")) {
    argument.kind = CommandArgument::kTensorMap;
    if (!map->is_object()) {
      reader.wrong("a tensor map is no object");
      return argument;
    }
    TensorMapArgument &to = argument.map;
    to.buffer =
        static_cast<int32_t>(reader.integer(*map, "buffer", 0, kMostIndex, 0));
    to.offsetBytes = reader.integer(*map, "offset_bytes", 0, INT64_MAX, 0);
    to.elementBytes =
        static_cast<uint32_t>(reader.integer(*map, "element_bytes", 1, 4, 2));
    to.rank = static_cast<uint32_t>(reader.integer(*map, "rank", 1, 5, 2));
    to.swizzle =
        static_cast<uint32_t>(reader.integer(*map, "swizzle", 0, 128, 0));
    reader.array(*map, "extents", to.extents);
    reader.array(*map, "strides", to.strides);
    reader.array(*map, "box", to.box);
    return argument;
  }
  argument.kind = findField(json, "integer") ? CommandArgument::kInteger
                                             : CommandArgument::kBuffer;
  argument.index = static_cast<int32_t>(
      reader.integer(json, kArguments[argument.kind], 0, kMostIndex, -1));
  return argument;
}

Command readCommand(Reader &reader, const Json &json) {
  Command command;
  command.opcode = static_cast<Opcode>(reader.choice(json, "op", kOpcodes));
  command.result =
      static_cast<int32_t>(reader.integer(json, "result", 0, kMostIndex, -1));
  command.value = reader.integer(json, "value", INT64_MIN, INT64_MAX, 0);
  command.operands = reader.integers<int32_t>(json, "operands");
  command.results = reader.integers<int32_t>(json, "results");
  reader.list(json, "arguments", [&](const Json &item) {
    command.arguments.push_back(readArgument(reader, item));
  });
  return command;
}

ProgramFunction readFunction(Reader &reader, const Json &json) {
  ProgramFunction function;
  function.name = reader.text(json, "name");
  function.exported = reader.flag(json, "exported");
  reader.list(json, "arguments", [&](const Json &item) {
    function.arguments.push_back(readValue(reader, item));
  });
  reader.list(json, "results", [&](const Json &item) {
    function.results.push_back(readValue(reader, item));
  });
  function.registers =
      static_cast<int32_t>(reader.integer(json, "registers", 0, kMostIndex, 0));
  function.buffers =
      static_cast<int32_t>(reader.integer(json, "buffers", 0, kMostIndex, 0));
  reader.list(json, "commands", [&](const Json &item) {
    function.commands.push_back(readCommand(reader, item));
  });
  function.returned = reader.integers<int32_t>(json, "returned");
  return function;
}

} // namespace

std::string toJson(const DeviceProgram &program) {
  Json kernels = Json::array(), constants = Json::array(),
       functions = Json::array();
  for (const ProgramKernel &kernel : program.kernels)
    kernels.push_back({{"name", kernel.name},
                       {"threads", kernel.threads},
                       {"shared_bytes", kernel.sharedBytes},
                       {"cluster", kernel.cluster},
                       {"overlap", kernel.overlap},
                       {"table", kernel.table},
                       {"description", kernel.description}});
  for (const ProgramConstant &constant : program.constants)
    constants.push_back({{"dtype", kDtypes[constant.dtype]},
                         {"shape", constant.shape},
                         {"bytes", base64(constant.bytes)}});
  for (const ProgramFunction &function : program.functions)
    functions.push_back({{"name", function.name},
                         {"exported", function.exported},
                         {"arguments", listOf(function.arguments)},
                         {"results", listOf(function.results)},
                         {"registers", function.registers},
                         {"buffers", function.buffers},
                         {"commands", listOf(function.commands)},
                         {"returned", function.returned}});
  Json json = {{"kernels", std::move(kernels)},
               {"constants", std::move(constants)},
               {"functions", std::move(functions)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<DeviceProgram> parseDeviceProgram(std::string_view text,
                                         std::string_view where) {
  Reader reader{std::string(where)};
  JsonLimits limits;
  limits.bytes = uint64_t{1} << 30; // constants are part of it
  limits.depth = 16;
  NIBBLE_ASSIGN(Json json, parseJson(text, std::string(where), limits));
  if (!json.is_object())
    reader.wrong("is no object");
  DeviceProgram program;
  if (reader.status.isOk())
    reader.list(json, "kernels", [&](const Json &item) {
      ProgramKernel kernel;
      kernel.name = reader.text(item, "name");
      kernel.threads = static_cast<uint32_t>(
          reader.integer(item, "threads", 0, UINT32_MAX, 0));
      kernel.sharedBytes = static_cast<uint32_t>(
          reader.integer(item, "shared_bytes", 0, UINT32_MAX, 0));
      kernel.cluster = static_cast<uint32_t>(
          reader.integer(item, "cluster", 0, UINT32_MAX, 1));
      kernel.overlap = reader.flag(item, "overlap");
      kernel.table = static_cast<uint32_t>(
          reader.integer(item, "table", 0, UINT32_MAX, 0));
      kernel.description = reader.text(item, "description");
      program.kernels.push_back(std::move(kernel));
    });
  if (reader.status.isOk())
    reader.list(json, "constants", [&](const Json &item) {
      ProgramConstant constant;
      constant.dtype =
          static_cast<nibble_dtype>(reader.choice(item, "dtype", kDtypes));
      constant.shape = reader.integers<int64_t>(item, "shape");
      if (auto bytes = fromBase64(reader.text(item, "bytes")))
        constant.bytes = *std::move(bytes);
      else
        reader.wrong("a constant's bytes are not in base64");
      program.constants.push_back(std::move(constant));
    });
  if (reader.status.isOk())
    reader.list(json, "functions", [&](const Json &item) {
      program.functions.push_back(readFunction(reader, item));
    });
  NIBBLE_TRY(std::move(reader.status));
  NIBBLE_TRY(check(program).within(std::string(where)));
  return program;
}

} // namespace nibble
