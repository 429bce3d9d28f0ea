// Reads packed checkpoints.
#include "runtime/formats/checkpoint/quantized_checkpoint.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/compressed_tensors.h"
#include "lib/Numerics/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <set>

namespace nibble {

using numerics::Layout;
using numerics::PackedLayout;

namespace {

constexpr std::string_view kPackedSuffix = "_packed", kScaleSuffix = "_scale",
                           kShapeSuffix = "_shape",
                           kZeroPointSuffix = "_zero_point",
                           kOrderSuffix = "_g_idx", kWeightSuffix = ".weight";

// The module of the matrix `weight`. `stored` is the name in the file of the
// tensor or of one of its parts.
ModuleName moduleOf(const std::string &weight, const std::string &stored) {
  std::string name(names::moduleOf(weight));
  bool isEmbedding = name.ends_with("embed_tokens");
  return {std::move(name), stored.substr(0, stored.rfind(kWeightSuffix)),
          isEmbedding};
}

bool isFloat(DType dtype) {
  return dtype == DType::kBF16 || dtype == DType::kF16 || dtype == DType::kF32;
}

numerics::WeightType weightTypeOf(DType dtype) {
  return dtype == DType::kF16   ? numerics::WeightType::kF16
         : dtype == DType::kF32 ? numerics::WeightType::kF32
                                : numerics::WeightType::kBF16;
}

// Converts numbers that the type can represent, so the conversion is exact.
Result<Tensor> storedAs(Tensor floats, DType dtype) {
  return dtype == DType::kF32 ? Result<Tensor>(std::move(floats))
                              : convert(floats, dtype);
}

} // namespace

Result<QuantizedCheckpoint>
QuantizedCheckpoint::open(const std::string &folder) {
  NIBBLE_ASSIGN(Checkpoint files, Checkpoint::open(folder));
  NIBBLE_TRY(files.useStandardNames());
  QuantizedCheckpoint checkpoint(std::move(files));
  std::string path = folder + "/config.json";
  NIBBLE_ASSIGN(Json config, readJsonFile(path));
  if (!config.is_object())
    return Status::badInput(path + ": not an object; is it a config.json?");
  std::optional<DeclaredQuantization> declared;
  if (const Json *quantization = findField(config, "quantization_config")) {
    NIBBLE_ASSIGN(declared, DeclaredQuantization::parse(*quantization, path));
    checkpoint.warnings_ = declared->warnings();
  }
  for (const std::string &name : checkpoint.files_.names()) {
    size_t end = name.rfind(kWeightSuffix);
    std::string_view suffix =
        end == std::string::npos
            ? ""
            : std::string_view(name).substr(end + kWeightSuffix.size());
    std::string base = end == std::string::npos
                           ? name
                           : name.substr(0, end + kWeightSuffix.size());
    bool isPart = suffix == kScaleSuffix || suffix == kShapeSuffix ||
                  suffix == kZeroPointSuffix;
    if (suffix == kOrderSuffix)
      return Status::badInput(fmt::format(
          "checkpoint {}: tensor \"{}\": activation order by groups is not "
          "supported; "
          "use a checkpoint without actorder, or with actorder \"weight\"",
          folder, printable(name)));
    if (suffix == kPackedSuffix) {
      NIBBLE_TRY(checkpoint.addPacked(base, declared ? &*declared : nullptr));
      checkpoint.names_.push_back(base);
    } else if (!isPart) {
      checkpoint.names_.push_back(name);
    } else if (!checkpoint.files_.info(base + std::string(kPackedSuffix))) {
      return Status::badInput(
          fmt::format("checkpoint {}: tensor \"{}\" has no {}{} beside it; "
                      "only pack-quantized tensors "
                      "are read, fetch it again if it is one",
                      folder, printable(name), printable(base), kPackedSuffix));
    }
  }
  std::sort(checkpoint.names_.begin(), checkpoint.names_.end());
  if (declared) {
    NIBBLE_TRY(checkpoint.checkKept(*declared));
    NIBBLE_TRY(checkpoint.warnOfGroups(*declared));
  }
  return checkpoint;
}

// Checks that the parts fit each other and the description of their group in
// config.json.
Status QuantizedCheckpoint::addPacked(const std::string &name,
                                      const DeclaredQuantization *declared) {
  auto wrong = [&](const std::string &why,
                   const char *mend = "export it again") {
    return Status::badInput(
        fmt::format("checkpoint {}: packed tensor \"{}\": {}; {}", folder(),
                    printable(name), why, mend));
  };
  if (!declared)
    return wrong("config.json has no quantization_config");
  if (files_.info(name))
    return wrong("it is also there unpacked");
  const TensorInfo *codes = files_.info(name + std::string(kPackedSuffix));
  ModuleName module = moduleOf(name, codes->name);
  NIBBLE_ASSIGN(const QuantizationGroup *group, declared->groupOf(module));
  if (!group)
    return wrong(
        "it is on the ignore list of config.json, or no group targets it",
        "correct the list");
  if (!group->problem.empty())
    return wrong(fmt::format("quantization_config.config_groups.{}: {}",
                             group->name, group->problem),
                 "symmetric 4-bit integers, pack-quantized, are supported");
  if (module.name.ends_with(".mlp.gate") || module.name.ends_with(".router"))
    return wrong(
        "it is a router, which serving engines read as zeros when it is packed",
        "export it again without it");
  const TensorInfo *scales = files_.info(name + std::string(kScaleSuffix));
  const TensorInfo *shape = files_.info(name + std::string(kShapeSuffix));
  if (!scales || !shape)
    return wrong(fmt::format("{}{} is missing", name,
                             scales ? kShapeSuffix : kScaleSuffix));
  if (shape->shape != Shape{2} ||
      (shape->dtype != DType::kI64 && shape->dtype != DType::kI32))
    return wrong(fmt::format("weight_shape is {} {}, not I64 [2]",
                             nameOf(shape->dtype), toString(shape->shape)));
  NIBBLE_ASSIGN(Tensor extents, files_.read(name + std::string(kShapeSuffix)));
  auto extent = [&](int i) {
    return shape->dtype == DType::kI64 ? extents.as<int64_t>()[i]
                                       : extents.as<int32_t>()[i];
  };
  PackedLayout layout{extent(0), extent(1), group->scheme,
                      Layout::kInterchange};
  if (std::string problem = layout.problem(); !problem.empty())
    return wrong(problem);
  Shape codeShape{layout.n, layout.codeRowBytes() / 4};
  Shape scaleShape{layout.n, layout.groupsPerRow()};
  if (codes->dtype != DType::kI32 || codes->shape != codeShape)
    return wrong(
        fmt::format("codes are {} {}, not I32 {} as weight_shape [{}, {}] says",
                    nameOf(codes->dtype), toString(codes->shape),
                    toString(codeShape), layout.n, layout.k));
  if (!isFloat(scales->dtype) || scales->shape != scaleShape)
    return wrong(fmt::format(
        "scales are {} {}, not BF16, F16 or F32 {} as group_size {} says",
        nameOf(scales->dtype), toString(scales->shape), toString(scaleShape),
        layout.scheme.groupSize));
  packed_[name] = {layout, scales->dtype, group->name};
  return checkZeroPoint(name);
}

// A symmetric tensor may have zero points if all are zero. Older tools write
// them, as integers [N, K/G] or packed like codes along N.
Status QuantizedCheckpoint::checkZeroPoint(const std::string &name) const {
  const TensorInfo *info = files_.info(name + std::string(kZeroPointSuffix));
  if (!info)
    return Status::ok();
  const PackedLayout &layout = packed_.at(name).layout;
  bool isPlain = info->shape == Shape{layout.n, layout.groupsPerRow()};
  bool isPacked =
      info->dtype == DType::kI32 &&
      info->shape == Shape{(layout.n + 7) / 8, layout.groupsPerRow()};
  if (isPlain || isPacked) {
    NIBBLE_ASSIGN(Tensor zeros,
                  files_.read(name + std::string(kZeroPointSuffix)));
    auto *bytes = zeros.as<uint8_t>();
    auto isAll = [&](uint8_t byte) {
      return std::all_of(bytes, bytes + zeros.bytes(),
                         [&](uint8_t other) { return other == byte; });
    };
    if ((isPlain && isAll(0)) || (isPacked && isAll(0x88)))
      return Status::ok();
  }
  return Status::badInput(
      fmt::format("checkpoint {}: tensor \"{}\": zero points other than zero "
                  "(asymmetric weights) are "
                  "not supported; use a symmetric checkpoint",
                  folder(), printable(info->name)));
}

// A serving engine decides by targets and ignore list which tensors are packed.
// They must agree with the tensors, or the engine loads random weights.
Status
QuantizedCheckpoint::checkKept(const DeclaredQuantization &declared) const {
  for (const std::string &name : names_) {
    if (!name.ends_with(kWeightSuffix) || packed_.contains(name) ||
        files_.info(name)->shape.size() != 2)
      continue;
    ModuleName module = moduleOf(name, files_.info(name)->name);
    if (module.isEmbedding)
      continue;
    NIBBLE_ASSIGN(const QuantizationGroup *group, declared.groupOf(module));
    if (group)
      return Status::badInput(
          fmt::format("checkpoint {}: module \"{}\" is a target of "
                      "config_groups.{} and neither packed "
                      "nor on the ignore list of config.json; correct the list",
                      folder(), printable(module.name), group->name));
  }
  return Status::ok();
}

Status QuantizedCheckpoint::warnOfGroups(const DeclaredQuantization &declared) {
  std::set<std::string> used;
  int64_t wide = 0;
  for (const auto &[name, packed] : packed_) {
    used.insert(packed.group);
    wide += packed.scaleType != DType::kBF16;
  }
  for (const QuantizationGroup &group : declared.groups())
    if (!used.contains(group.name))
      warnings_.push_back(fmt::format(
          "checkpoint {}: config_groups.{} targets no packed tensor", folder(),
          group.name));
  std::vector<ModuleName> modules;
  for (const std::string &name : names_) {
    const TensorInfo *stored = files_.info(
        packed_.contains(name) ? name + std::string(kPackedSuffix) : name);
    modules.push_back(moduleOf(name, stored->name));
  }
  NIBBLE_ASSIGN(std::vector<std::string> dead,
                declared.ignore().unmatched(modules));
  for (const QuantizationGroup &group : declared.groups())
    if (used.contains(group.name)) {
      NIBBLE_ASSIGN(std::vector<std::string> more,
                    group.targets.unmatched(modules));
      dead.insert(dead.end(), more.begin(), more.end());
    }
  warnings_.insert(warnings_.end(), dead.begin(), dead.end());
  if (wide > 0)
    warnings_.push_back(
        fmt::format("checkpoint {}: {} packed tensors have scales of another "
                    "type than BF16; --dtype "
                    "float32 --scheme none holds their weights exactly, "
                    "bfloat16 and four bits round them",
                    folder(), wide));
  return Status::ok();
}

std::vector<numerics::Scheme> QuantizedCheckpoint::schemes() const {
  std::map<int64_t, numerics::Scheme> found;
  for (const auto &[name, packed] : packed_)
    found.emplace(packed.layout.scheme.groupSize, packed.layout.scheme);
  std::vector<numerics::Scheme> schemes;
  for (const auto &[size, scheme] : found)
    schemes.push_back(scheme);
  return schemes;
}

std::optional<QuantizedCheckpoint::Info>
QuantizedCheckpoint::info(const std::string &name) const {
  if (auto found = packed_.find(name); found != packed_.end())
    return Info{found->second.scaleType,
                {found->second.layout.n, found->second.layout.k}};
  const TensorInfo *found = files_.info(name);
  return found ? std::optional(Info{found->dtype, found->shape}) : std::nullopt;
}

const PackedLayout *QuantizedCheckpoint::packed(const std::string &name) const {
  auto found = packed_.find(name);
  return found == packed_.end() ? nullptr : &found->second.layout;
}

Result<PackedWeight>
QuantizedCheckpoint::readPacked(const std::string &name) const {
  const PackedLayout *layout = packed(name);
  if (!layout)
    return Status::usage(fmt::format(
        "checkpoint {}: tensor \"{}\" is not packed; quantize it first",
        folder(), printable(name)));
  NIBBLE_ASSIGN(Tensor codes, files_.read(name + std::string(kPackedSuffix)));
  NIBBLE_ASSIGN(Tensor scales, files_.read(name + std::string(kScaleSuffix)));
  NIBBLE_ASSIGN(Tensor wide,
                files_.readAs(name + std::string(kScaleSuffix), DType::kF32));
  auto wrong = [&](int64_t index, const std::string &why) {
    return Status::badInput(fmt::format(
        "checkpoint {}: tensor \"{}{}\" at index {}: {}; export it again",
        folder(), printable(name), kScaleSuffix, index, why));
  };
  int64_t groups = layout->groupsPerRow();
  int64_t length = layout->scheme.groupLength(layout->k);
  std::vector<int8_t> row(static_cast<size_t>(layout->k));
  for (int64_t index = 0; index < layout->scaleCount(); ++index) {
    float scale = wide.as<float>()[index];
    if (!std::isfinite(scale) || std::signbit(scale))
      return wrong(index,
                   fmt::format("scale {} is no number from 0 up", scale));
    if (scale != 0)
      continue;
    numerics::unpackCodes(*layout, index / groups, index / groups + 1,
                          codes.as<uint8_t>(), row.data());
    auto begin = row.begin() + index % groups * length;
    if (std::any_of(begin, begin + length,
                    [](int8_t code) { return code != 0; }))
      return wrong(index, "scale 0 under codes that are not 0");
  }
  return PackedWeight{std::move(codes), std::move(scales)};
}

Result<Tensor> QuantizedCheckpoint::readSlab(const std::string &name,
                                             Layout order) const {
  NIBBLE_ASSIGN(PackedWeight weight, readPacked(name));
  const PackedLayout &layout = packed_.at(name).layout;
  NIBBLE_ASSIGN(Tensor wide, convert(weight.scales, DType::kF32));
  NIBBLE_ASSIGN(Tensor scales, convert(wide, DType::kBF16));
  NIBBLE_ASSIGN(Tensor slab, Tensor::create(DType::kU8, {layout.bytes()}));
  auto *bytes = slab.as<uint8_t>();
  std::memcpy(bytes, weight.codes.data(),
              static_cast<size_t>(layout.codeBytes()));
  std::memcpy(bytes + layout.codeBytes(), scales.data(),
              static_cast<size_t>(layout.scaleBytes()));
  if (order == Layout::kInterchange)
    return slab;
  PackedLayout target = layout;
  target.layout = order;
  NIBBLE_ASSIGN(Tensor moved, Tensor::create(DType::kU8, {target.bytes()}));
  numerics::repack(layout, bytes, order, moved.as<uint8_t>());
  return moved;
}

Result<Tensor> QuantizedCheckpoint::read(const std::string &name) const {
  auto found = packed_.find(name);
  if (found == packed_.end())
    return files_.read(name);
  const auto &[layout, type, group] = found->second;
  if (type == DType::kBF16) {
    NIBBLE_ASSIGN(Tensor slab, readSlab(name, Layout::kInterchange));
    NIBBLE_ASSIGN(Tensor weight,
                  Tensor::create(DType::kBF16, {layout.n, layout.k}));
    numerics::dequantizeMatrix(slab.as<uint8_t>(), layout,
                               weight.as<uint16_t>());
    return weight;
  }
  NIBBLE_ASSIGN(PackedWeight stored, readPacked(name));
  NIBBLE_ASSIGN(Tensor values, valuesOf(stored, layout));
  return storedAs(std::move(values), type);
}

Result<Tensor> QuantizedCheckpoint::valuesOf(const PackedWeight &packed,
                                             const PackedLayout &layout) {
  numerics::WeightType type = weightTypeOf(packed.scales.dtype());
  NIBBLE_ASSIGN(Tensor scales, convert(packed.scales, DType::kF32));
  NIBBLE_ASSIGN(Tensor values,
                Tensor::create(DType::kF32, {layout.n, layout.k}));
  std::vector<int8_t> codes(static_cast<size_t>(layout.k));
  int64_t length = layout.scheme.groupLength(layout.k);
  int64_t groups = layout.groupsPerRow();
  for (int64_t row = 0; row < layout.n; ++row) {
    numerics::unpackCodes(layout, row, row + 1, packed.codes.as<uint8_t>(),
                          codes.data());
    for (int64_t i = 0; i < layout.k; ++i)
      values.as<float>()[row * layout.k + i] = numerics::compressedTensorsValue(
          codes[static_cast<size_t>(i)],
          scales.as<float>()[row * groups + i / length], type);
  }
  return values;
}

DType QuantizedCheckpoint::packedType(const std::string &name,
                                      const numerics::Scheme &scheme) const {
  auto found = info(name);
  bool isTheirs = scheme.convention == numerics::Convention::kCompressedTensors;
  return found && isTheirs && isFloat(found->dtype) ? found->dtype
                                                    : DType::kBF16;
}

Status QuantizedCheckpoint::notFinite(const std::string &name, float value,
                                      int64_t index, int64_t k) const {
  return Status::badInput(fmt::format(
      "N7: checkpoint {}: tensor \"{}\" has {} at index {} (row {}, column "
      "{}); a weight "
      "must be finite to be quantized",
      folder(), printable(name), value, index, index / k, index % k));
}

Result<PackedWeight>
QuantizedCheckpoint::pack(const std::string &name,
                          const PackedLayout &layout) const {
  DType type = packedType(name, layout.scheme);
  NIBBLE_ASSIGN(
      Tensor words,
      Tensor::create(DType::kI32, {layout.n, layout.codeRowBytes() / 4}));
  if (type == DType::kBF16) {
    NIBBLE_ASSIGN(Tensor slab, quantize(name, layout));
    NIBBLE_ASSIGN(
        Tensor scales,
        Tensor::create(DType::kBF16, {layout.n, layout.groupsPerRow()}));
    std::memcpy(words.data(), slab.data(),
                static_cast<size_t>(layout.codeBytes()));
    std::memcpy(scales.data(), slab.data() + layout.codeBytes(),
                static_cast<size_t>(layout.scaleBytes()));
    return PackedWeight{std::move(words), std::move(scales)};
  }
  NIBBLE_ASSIGN(Tensor weight, readAs(name, DType::kF32));
  NIBBLE_ASSIGN(Tensor scales,
                Tensor::create(DType::kF32, {layout.n, layout.groupsPerRow()}));
  auto theirs = weightTypeOf(type);
  int64_t length = layout.scheme.groupLength(layout.k);
  std::vector<int8_t> codes(static_cast<size_t>(layout.n * layout.k));
  for (int64_t group = 0; group < layout.scaleCount(); ++group) {
    const float *x = weight.as<float>() + group * length;
    float amax = 0;
    for (int64_t i = 0; i < length; ++i) {
      if (!std::isfinite(x[i]))
        return notFinite(name, x[i], group * length + i, layout.k);
      amax = std::max(amax, std::fabs(x[i]));
    }
    float scale = scales.as<float>()[group] =
        numerics::compressedTensorsScale(amax, theirs);
    for (int64_t i = 0; i < length; ++i)
      codes[static_cast<size_t>(group * length + i)] =
          numerics::compressedTensorsCode(x[i], scale, theirs);
  }
  numerics::packCodes(layout, 0, layout.n, codes.data(), words.as<uint8_t>());
  NIBBLE_ASSIGN(Tensor stored, storedAs(std::move(scales), type));
  return PackedWeight{std::move(words), std::move(stored)};
}

Result<Tensor> QuantizedCheckpoint::readAs(const std::string &name,
                                           DType dtype) const {
  if (!packed(name))
    return files_.readAs(name, dtype);
  NIBBLE_ASSIGN(Tensor weight, read(name));
  if (dtype == DType::kBF16)
    return weight;
  return convert(weight, dtype);
}

Result<Tensor> QuantizedCheckpoint::quantize(const std::string &name,
                                             const PackedLayout &layout) const {
  if (auto found = info(name);
      found && found->shape != Shape{layout.n, layout.k})
    return Status::usage(fmt::format(
        "checkpoint {}: tensor \"{}\" is {}, not {}; choose that scheme",
        folder(), printable(name), toString(found->shape),
        numerics::toString(layout)));
  NIBBLE_ASSIGN(Tensor weight, readAs(name, DType::kBF16));
  NIBBLE_ASSIGN(Tensor slab, Tensor::create(DType::kU8, {layout.bytes()}));
  if (auto index = numerics::quantizeMatrix(weight.as<uint16_t>(), layout,
                                            slab.as<uint8_t>()))
    return notFinite(name,
                     numerics::floatFromBf16(weight.as<uint16_t>()[*index]),
                     *index, layout.k);
  return slab;
}

} // namespace nibble
