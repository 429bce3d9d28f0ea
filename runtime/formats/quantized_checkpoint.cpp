// Reading packed checkpoints.
#include "runtime/formats/quantized_checkpoint.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/quantize.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <oniguruma.h>

namespace nibble {

using numerics::Layout;
using numerics::PackedLayout;

namespace {

constexpr std::string_view kPackedSuffix = "_packed", kScaleSuffix = "_scale", kShapeSuffix = "_shape",
                           kWeight = ".weight";

// "re:<expression>": Python's re.match, anchored at the start. Bounded work; an expression that does not compile or
// takes too long is an error.
Result<bool> matchesExpression(const std::string &entry, const std::string &module) {
  auto *pattern = reinterpret_cast<const OnigUChar *>(entry.data() + 3), *patternEnd = pattern + entry.size() - 3;
  OnigEncoding encoding = ONIG_ENCODING_UTF8;
  onig_initialize(&encoding, 1);
  regex_t *compiled = nullptr;
  OnigErrorInfo error;
  int status = onig_new(&compiled, pattern, patternEnd, ONIG_OPTION_NONE, encoding, ONIG_SYNTAX_PYTHON, &error);
  int found = ONIG_MISMATCH;
  if (status == ONIG_NORMAL) {
    auto *text = reinterpret_cast<const OnigUChar *>(module.data()), *end = text + module.size();
    OnigMatchParam *limits = onig_new_match_param();
    onig_initialize_match_param(limits);
    onig_set_retry_limit_in_match_of_match_param(limits, 1'000'000);
    found = onig_match_with_param(compiled, text, end, text, nullptr, ONIG_OPTION_NONE, limits);
    onig_free_match_param(limits);
    onig_free(compiled);
  }
  if (status != ONIG_NORMAL || (found < 0 && found != ONIG_MISMATCH))
    return Status::badInput(
        fmt::format("ignore entry \"{}\" is no usable regular expression; list the modules by name", printable(entry)));
  return found >= 0;
}

Result<bool> isIgnored(const std::vector<std::string> &ignore, const std::string &module) {
  for (const std::string &entry : ignore) {
    if (entry == module)
      return true;
    if (!entry.starts_with("re:"))
      continue;
    NIBBLE_ASSIGN(bool matches, matchesExpression(entry, module));
    if (matches)
      return true;
  }
  return false;
}

// Of "X.weight" or "X.weight_packed".
std::string moduleOf(const std::string &weight) { return weight.substr(0, weight.rfind(kWeight)); }

} // namespace

Result<QuantizedCheckpoint> QuantizedCheckpoint::open(const std::string &folder) {
  NIBBLE_ASSIGN(Checkpoint files, Checkpoint::open(folder));
  NIBBLE_TRY(files.useStandardNames());
  QuantizedCheckpoint checkpoint(std::move(files));
  std::string path = folder + "/config.json";
  NIBBLE_ASSIGN(Json config, readJsonFile(path));
  if (!config.is_object())
    return Status::badInput(path + ": not an object; is it a config.json?");
  const Json *quantization = findField(config, "quantization_config");
  std::vector<std::string> ignore;
  if (quantization) {
    NIBBLE_ASSIGN(DeclaredQuantization declared, readQuantizationConfig(*quantization, path));
    checkpoint.scheme_ = declared.scheme;
    ignore = std::move(declared.ignore);
  }
  for (const std::string &name : checkpoint.files_.names()) {
    size_t end = name.rfind(kWeight);
    std::string_view suffix = end == std::string::npos ? "" : std::string_view(name).substr(end + kWeight.size());
    std::string base = end == std::string::npos ? name : name.substr(0, end + kWeight.size());
    if (suffix == "_zero_point" || suffix == "_g_idx")
      return Status::badInput(
          fmt::format("checkpoint {}: tensor \"{}\": zero points and activation order are not supported; "
                      "use a symmetric checkpoint",
                      folder, printable(name)));
    if (suffix == kPackedSuffix) {
      NIBBLE_TRY(checkpoint.addPacked(base));
      checkpoint.names_.push_back(base);
    } else if (suffix == kScaleSuffix || suffix == kShapeSuffix) {
      if (!checkpoint.files_.info(base + std::string(kPackedSuffix)))
        return Status::badInput(fmt::format("checkpoint {}: tensor \"{}\" has no {}{} beside it; fetch it again",
                                            folder, printable(name), printable(base), kPackedSuffix));
    } else {
      checkpoint.names_.push_back(name);
    }
  }
  std::sort(checkpoint.names_.begin(), checkpoint.names_.end());
  if (quantization)
    NIBBLE_TRY(checkpoint.checkIgnored(ignore));
  return checkpoint;
}

// The parts fit each other and the declared group size.
Status QuantizedCheckpoint::addPacked(const std::string &name) {
  auto wrong = [&](const std::string &why) {
    return Status::badInput(
        fmt::format("checkpoint {}: packed tensor \"{}\": {}; export it again", folder(), printable(name), why));
  };
  if (!scheme_)
    return wrong("config.json has no quantization_config");
  if (files_.info(name))
    return wrong("it is also there unpacked");
  const TensorInfo *codes = files_.info(name + std::string(kPackedSuffix));
  const TensorInfo *scales = files_.info(name + std::string(kScaleSuffix));
  const TensorInfo *shape = files_.info(name + std::string(kShapeSuffix));
  if (!scales || !shape)
    return wrong(fmt::format("{}{} is missing", name, scales ? kShapeSuffix : kScaleSuffix));
  if (shape->shape != Shape{2} || (shape->dtype != DType::kI64 && shape->dtype != DType::kI32))
    return wrong(fmt::format("weight_shape is {} {}, not I64 [2]", nameOf(shape->dtype), toString(shape->shape)));
  NIBBLE_ASSIGN(Tensor extents, files_.read(name + std::string(kShapeSuffix)));
  auto extent = [&](int i) {
    return shape->dtype == DType::kI64 ? extents.as<int64_t>()[i] : extents.as<int32_t>()[i];
  };
  PackedLayout layout{extent(0), extent(1), *scheme_, Layout::kInterchange};
  if (std::string problem = layout.problem(); !problem.empty())
    return wrong(problem);
  Shape codeShape{layout.n, layout.codeRowBytes() / 4}, scaleShape{layout.n, layout.groupsPerRow()};
  if (codes->dtype != DType::kI32 || codes->shape != codeShape)
    return wrong(fmt::format("codes are {} {}, not I32 {} as weight_shape [{}, {}] says", nameOf(codes->dtype),
                             toString(codes->shape), toString(codeShape), layout.n, layout.k));
  if ((scales->dtype != DType::kBF16 && scales->dtype != DType::kF16 && scales->dtype != DType::kF32) ||
      scales->shape != scaleShape)
    return wrong(fmt::format("scales are {} {}, not BF16 {} as group_size {} says", nameOf(scales->dtype),
                             toString(scales->shape), toString(scaleShape), scheme_->groupSize));
  packed_[name] = layout;
  return Status::ok();
}

// A serving engine packs what the ignore list does not name: list and tensors must say the same, or it loads random
// weights.
Status QuantizedCheckpoint::checkIgnored(const std::vector<std::string> &ignore) const {
  for (const std::string &name : names_) {
    if (!name.ends_with(kWeight))
      continue;
    std::string module = moduleOf(name);
    bool isPacked = packed_.contains(name), isEmbedding = module.ends_with("embed_tokens");
    if (!isPacked && (isEmbedding || files_.info(name)->shape.size() != 2))
      continue;
    // The list may name modules as the file does.
    std::string stored = moduleOf(files_.info(isPacked ? name + std::string(kPackedSuffix) : name)->name);
    NIBBLE_ASSIGN(bool ignored, isIgnored(ignore, module));
    if (!ignored && stored != module) {
      NIBBLE_ASSIGN(ignored, isIgnored(ignore, stored));
    }
    if (isPacked == ignored)
      return Status::badInput(
          fmt::format("checkpoint {}: module \"{}\" is {} the ignore list of config.json; correct the list", folder(),
                      printable(module), isPacked ? "packed but on" : "neither packed nor on"));
    if (isPacked && (module.ends_with(".mlp.gate") || module.ends_with(".router")))
      return Status::badInput(
          fmt::format("checkpoint {}: router \"{}\" is packed, which serving engines read as zeros; export "
                      "again without it",
                      folder(), printable(module)));
  }
  return Status::ok();
}

std::optional<QuantizedCheckpoint::Info> QuantizedCheckpoint::info(const std::string &name) const {
  if (const PackedLayout *layout = packed(name))
    return Info{DType::kBF16, {layout->n, layout->k}};
  const TensorInfo *found = files_.info(name);
  return found ? std::optional(Info{found->dtype, found->shape}) : std::nullopt;
}

const PackedLayout *QuantizedCheckpoint::packed(const std::string &name) const {
  auto found = packed_.find(name);
  return found == packed_.end() ? nullptr : &found->second;
}

Result<Tensor> QuantizedCheckpoint::readPacked(const std::string &name, Layout order) const {
  const PackedLayout *layout = packed(name);
  if (!layout)
    return Status::usage(fmt::format("checkpoint {}: tensor \"{}\" is not packed", folder(), printable(name)));
  NIBBLE_ASSIGN(Tensor codes, files_.read(name + std::string(kPackedSuffix)));
  NIBBLE_ASSIGN(Tensor stored, files_.readAs(name + std::string(kScaleSuffix), DType::kF32));
  NIBBLE_ASSIGN(Tensor scales, convert(stored, DType::kBF16));
  NIBBLE_ASSIGN(Tensor slab, Tensor::create(DType::kU8, {layout->bytes()}));
  auto *bytes = slab.as<uint8_t>();
  std::memcpy(bytes, codes.data(), static_cast<size_t>(layout->codeBytes()));
  std::memcpy(bytes + layout->codeBytes(), scales.data(), static_cast<size_t>(layout->scaleBytes()));

  auto wrong = [&](int64_t index, const std::string &why) {
    return Status::badInput(fmt::format("checkpoint {}: tensor \"{}{}\" at index {}: {}; export it again", folder(),
                                        printable(name), kScaleSuffix, index, why));
  };
  int64_t groups = layout->groupsPerRow(), length = layout->scheme.groupLength(layout->k);
  std::vector<int8_t> row(static_cast<size_t>(layout->k));
  for (int64_t index = 0; index < layout->scaleCount(); ++index) {
    uint16_t bits = scales.as<uint16_t>()[index];
    if (bits > numerics::kBf16LargestFinite) // the sign, or no number
      return wrong(index, fmt::format("scale {} is no number from 0 up", numerics::floatFromBf16(bits)));
    float wide = stored.as<float>()[index];
    if (numerics::floatFromBf16(bits) != wide)
      return wrong(index, fmt::format("scale {} is no bf16 number, and rounding it would change the weights", wide));
    if (bits != 0)
      continue;
    numerics::unpackCodes(*layout, index / groups, index / groups + 1, bytes, row.data());
    auto begin = row.begin() + index % groups * length;
    if (std::any_of(begin, begin + length, [](int8_t code) { return code != 0; }))
      return wrong(index, "scale 0 under codes that are not 0");
  }
  if (order == Layout::kInterchange)
    return slab;
  PackedLayout target = *layout;
  target.layout = order;
  NIBBLE_ASSIGN(Tensor moved, Tensor::create(DType::kU8, {target.bytes()}));
  numerics::repack(*layout, bytes, order, moved.as<uint8_t>());
  return moved;
}

Result<Tensor> QuantizedCheckpoint::read(const std::string &name) const {
  const PackedLayout *layout = packed(name);
  if (!layout)
    return files_.read(name);
  NIBBLE_ASSIGN(Tensor slab, readPacked(name));
  NIBBLE_ASSIGN(Tensor weight, Tensor::create(DType::kBF16, {layout->n, layout->k}));
  numerics::dequantizeMatrix(slab.as<uint8_t>(), *layout, weight.as<uint16_t>());
  return weight;
}

Result<Tensor> QuantizedCheckpoint::readAs(const std::string &name, DType dtype) const {
  if (!packed(name))
    return files_.readAs(name, dtype);
  NIBBLE_ASSIGN(Tensor weight, read(name));
  if (dtype == DType::kBF16)
    return weight;
  return convert(weight, dtype);
}

Result<Tensor> QuantizedCheckpoint::quantize(const std::string &name, const PackedLayout &layout) const {
  if (auto found = info(name); found && found->shape != Shape{layout.n, layout.k})
    return Status::usage(fmt::format("checkpoint {}: tensor \"{}\" is {}, not {}", folder(), printable(name),
                                     toString(found->shape), numerics::toString(layout)));
  NIBBLE_ASSIGN(Tensor weight, readAs(name, DType::kBF16));
  NIBBLE_ASSIGN(Tensor slab, Tensor::create(DType::kU8, {layout.bytes()}));
  if (auto index = numerics::quantizeMatrix(weight.as<uint16_t>(), layout, slab.as<uint8_t>()))
    return Status::badInput(
        fmt::format("N7: checkpoint {}: tensor \"{}\" has {} at index {} (row {}, column {}); a weight "
                    "must be finite to be quantized",
                    folder(), printable(name), numerics::floatFromBf16(weight.as<uint16_t>()[*index]), *index,
                    *index / layout.k, *index % layout.k));
  return slab;
}

} // namespace nibble
