// quantization_config of compressed-tensors: what we write, and of what others write the part that we read.
#include "runtime/formats/io.h"
#include "runtime/formats/quantized_checkpoint.h"

#include <fmt/format.h>

namespace nibble {

Json quantizationConfig(const numerics::Scheme &scheme, const std::vector<std::string> &ignore) {
  // Readers refuse any key inside weights and group_0 that they do not know: exactly these.
  Json weights = {{"num_bits", 4},
                  {"type", "int"},
                  {"symmetric", true},
                  {"strategy", scheme.groupSize == 0 ? "channel" : "group"},
                  {"group_size", scheme.groupSize == 0 ? Json(nullptr) : Json(scheme.groupSize)},
                  {"dynamic", false},
                  {"actorder", nullptr},
                  {"block_structure", nullptr},
                  {"observer", "minmax"},
                  {"observer_kwargs", Json::object()}};
  Json group = {{"targets", {"Linear"}},
                {"input_activations", nullptr},
                {"output_activations", nullptr},
                {"weights", std::move(weights)}};
  return {{"quant_method", "compressed-tensors"},
          {"format", "pack-quantized"},
          {"quantization_status", "compressed"},
          {"kv_cache_scheme", nullptr},
          {"global_compression_ratio", nullptr},
          {"ignore", ignore},
          {"config_groups", {{"group_0", std::move(group)}}}};
}

Result<DeclaredQuantization> readQuantizationConfig(const Json &config, const std::string &file) {
  std::string where = file + ": quantization_config";
  auto unsupported = [&](const std::string &what) {
    return Status::badInput(
        fmt::format("{}: {}; symmetric 4-bit integers, pack-quantized, are supported", where, what));
  };
  if (!config.is_object())
    return unsupported("not an object");
  NIBBLE_ASSIGN(std::string method, stringField(config, "quant_method", where));
  NIBBLE_ASSIGN(std::string format, stringField(config, "format", where));
  if (method != "compressed-tensors" || format != "pack-quantized")
    return unsupported(fmt::format("quant_method \"{}\", format \"{}\"", printable(method), printable(format)));
  const Json *groups = findField(config, "config_groups");
  if (!groups || !groups->is_object() || groups->size() != 1 || !groups->begin()->is_object())
    return unsupported("config_groups is not one group");
  const Json &group = *groups->begin();
  if (findField(group, "input_activations") || findField(group, "output_activations") ||
      findField(config, "kv_cache_scheme"))
    return unsupported("activations or the cache are quantized too");
  const Json *targets = findField(group, "targets");
  if (!targets || *targets != Json::array({"Linear"}))
    return unsupported("targets is not [\"Linear\"]");
  const Json *weights = findField(group, "weights");
  if (!weights || !weights->is_object())
    return unsupported("no weights in the group");

  NIBBLE_ASSIGN(int64_t bits, integerField(*weights, "num_bits", where, 1, 64));
  NIBBLE_ASSIGN(std::string type, stringFieldOr(*weights, "type", where, "int"));
  NIBBLE_ASSIGN(bool symmetric, boolFieldOr(*weights, "symmetric", where, true));
  NIBBLE_ASSIGN(std::string strategy, stringField(*weights, "strategy", where));
  if (bits != 4 || type != "int" || !symmetric || (strategy != "group" && strategy != "channel"))
    return unsupported(fmt::format("{} bits, type {}, {}, strategy {}", bits, printable(type),
                                   symmetric ? "symmetric" : "asymmetric", printable(strategy)));
  if (findField(*weights, "actorder"))
    return unsupported("actorder is set");
  DeclaredQuantization declared;
  declared.scheme = {numerics::Kind::kInt4, 0, numerics::Convention::kNibble};
  if (strategy == "group") {
    NIBBLE_ASSIGN(declared.scheme.groupSize, integerField(*weights, "group_size", where, 1, int64_t{1} << 20));
  }
  if (std::string problem = numerics::problemOf(declared.scheme); !problem.empty())
    return unsupported(problem);

  if (const Json *ignore = findField(config, "ignore")) {
    if (!ignore->is_array())
      return unsupported("ignore is no list");
    for (const Json &entry : *ignore) {
      if (!entry.is_string())
        return unsupported("ignore has an entry that is no string");
      declared.ignore.push_back(entry.get<std::string>());
    }
  }
  return declared;
}

} // namespace nibble
