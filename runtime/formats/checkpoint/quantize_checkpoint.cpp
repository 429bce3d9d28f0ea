// Writes packed checkpoints.
#include "runtime/formats/checkpoint/companion_files.h"
#include "runtime/formats/checkpoint/quantized_checkpoint.h"
#include "runtime/formats/io.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <set>

namespace nibble {

Status checkWritable(const numerics::Scheme &scheme) {
  if (scheme.kind == numerics::Kind::kInt4)
    return Status::ok();
  return Status::usage(
      fmt::format("cannot write {} as pack-quantized; choose int4",
                  numerics::toString(scheme)));
}

namespace fs = std::filesystem;
using numerics::Layout;
using numerics::PackedLayout;

namespace {

constexpr std::string_view kWeight = ".weight";

// The tensors in the file for one packed tensor of the model.
std::vector<TensorSpec> packedSpecs(const std::string &name,
                                    const PackedLayout &layout,
                                    DType scaleType) {
  return {
      {name + "_packed", DType::kI32, {layout.n, layout.codeRowBytes() / 4}},
      {name + "_scale", scaleType, {layout.n, layout.groupsPerRow()}},
      {name + "_shape", DType::kI64, {2}}};
}

Result<std::map<std::string, PackedLayout>>
planPacking(const QuantizedCheckpoint &source, const numerics::Scheme &scheme,
            const std::vector<std::string> &names) {
  NIBBLE_TRY(checkWritable(scheme));
  // Otherwise the scheme is wrong, whatever the tensor.
  bool legal = numerics::problemOf(scheme).empty();
  std::map<std::string, PackedLayout> plan;
  for (const std::string &name : names) {
    auto wrong = [&](const std::string &why, Code code = Code::kUsage) {
      return Status(code, fmt::format("cannot quantize tensor \"{}\" of {}: {}",
                                      printable(name), source.folder(), why));
    };
    auto info = source.info(name);
    if (!info)
      return wrong(
          "there is none of that name; see the names in the checkpoint");
    if (!std::string_view(name).ends_with(kWeight) || info->shape.size() != 2)
      return wrong(fmt::format("it is {} {}, not the matrix \"....weight\" of "
                               "a linear layer; leave it out",
                               nameOf(info->dtype), toString(info->shape)));
    if (name.ends_with(".mlp.gate.weight") ||
        name.ends_with("embed_tokens.weight"))
      return wrong("serving engines read a packed router or embedding as "
                   "zeros; leave it out");
    PackedLayout layout{info->shape[0], info->shape[1], scheme,
                        Layout::kInterchange};
    if (std::string problem = layout.problem(); !problem.empty())
      return wrong(problem + "; choose another group size",
                   legal ? Code::kBadInput : Code::kUsage);
    plan[name] = layout;
  }
  return plan;
}

// The exact names of modules whose matrix is not packed. The head is among
// them, since it exists in the model even when it has no tensor.
std::vector<std::string>
ignoreList(const QuantizedCheckpoint &source,
           const std::map<std::string, PackedLayout> &plan) {
  std::set<std::string> ignore;
  for (const std::string &name : source.names())
    if (name.ends_with(kWeight) && !plan.contains(name) &&
        source.info(name)->shape.size() == 2)
      ignore.insert(name.substr(0, name.size() - kWeight.size()));
  if (!plan.contains("lm_head.weight"))
    ignore.insert("lm_head");
  return {ignore.begin(), ignore.end()};
}

// Warns about properties that a serving engine will not accept, although the
// files are correct.
void warnAboutServing(const std::map<std::string, PackedLayout> &plan,
                      std::vector<std::string> &warnings) {
  const std::vector<std::vector<std::string>> fused = {
      {".q_proj", ".k_proj", ".v_proj"}, {".gate_proj", ".up_proj"}};
  std::string slow; // the first tensor of this kind
  int64_t slowCount = 0;
  if (plan.contains("lm_head.weight"))
    warnings.push_back(
        "lm_head.weight is packed; few serving engines read a packed head");
  for (const auto &[name, layout] : plan) {
    std::string module = name.substr(0, name.size() - kWeight.size());
    for (const auto &parts : fused) {
      auto mine = std::find_if(
          parts.begin(), parts.end(),
          [&](const std::string &part) { return module.ends_with(part); });
      if (mine == parts.end())
        continue;
      for (const std::string &other : parts) {
        std::string sibling = module.substr(0, module.size() - mine->size()) +
                              other + std::string(kWeight);
        if (!plan.contains(sibling))
          warnings.push_back(fmt::format(
              "{} is packed and {} is not; serving engines fuse them", name,
              sibling));
      }
    }
    int64_t group = layout.scheme.groupSize;
    if ((group != 0 && group != 32 && group != 64 && group != 128) ||
        layout.n % 64 != 0 || layout.k % 128 != 0)
      if (slowCount++ == 0)
        slow = fmt::format("{} [{}, {}], group_size {}", name, layout.n,
                           layout.k, group);
  }
  if (slowCount > 0)
    warnings.push_back(fmt::format("{} tensors, the first {}: fast kernels of "
                                   "serving engines want group_size 32, 64, "
                                   "128 or the row, N % 64 = 0 and K % 128 = 0",
                                   slowCount, slow));
}

} // namespace

Result<ExportReport>
writeQuantizedCheckpoint(const std::string &from, const std::string &to,
                         const numerics::Scheme &scheme,
                         const std::vector<std::string> &names) {
  NIBBLE_ASSIGN(QuantizedCheckpoint source, QuantizedCheckpoint::open(from));
  NIBBLE_ASSIGN(auto plan, planPacking(source, scheme, names));
  NIBBLE_ASSIGN(AtomicFolder target, AtomicFolder::create(to));
  ExportReport report;

  // The same files; each lists the tensors that replace its original ones.
  std::map<std::string, std::vector<TensorSpec>> files;
  Json weightMap = Json::object();
  // Maps a written tensor to the model's tensor that it is part of.
  std::map<std::string, std::string> packedName;
  uint64_t totalBytes = 0;
  for (const std::string &name : source.names()) {
    auto info = *source.info(name);
    std::string file =
        source.files().fileOf(source.packed(name) ? name + "_packed" : name);
    auto entry = plan.find(name);
    std::vector<TensorSpec> specs =
        entry == plan.end()
            ? std::vector<TensorSpec>{{name, info.dtype, info.shape}}
            : packedSpecs(name, entry->second, source.packedType(name, scheme));
    ++(entry == plan.end() ? report.keptTensors : report.packedTensors);
    report.bytesRead += *elementCount(info.shape) * bitsOf(info.dtype) / 8;
    for (TensorSpec &spec : specs) {
      if (entry != plan.end())
        packedName[spec.name] = name;
      weightMap[spec.name] = file;
      totalBytes += static_cast<uint64_t>(*elementCount(spec.shape) *
                                          bitsOf(spec.dtype) / 8);
      files[file].push_back(std::move(spec));
    }
  }
  report.bytesWritten = static_cast<int64_t>(totalBytes);

  // The scales of a tensor are written long after its codes, because the widest
  // dtype comes first. Keeping them takes little memory compared with the
  // codes.
  std::map<std::string, Tensor> scales;
  auto produce = [&](const TensorSpec &spec) -> Result<Tensor> {
    auto entry = packedName.find(spec.name);
    if (entry == packedName.end())
      return source.read(spec.name);
    const std::string &name = entry->second;
    const PackedLayout &layout = plan.at(name);
    if (spec.name.ends_with("_shape")) {
      NIBBLE_ASSIGN(Tensor tensor, Tensor::create(spec.dtype, spec.shape));
      tensor.as<int64_t>()[0] = layout.n;
      tensor.as<int64_t>()[1] = layout.k;
      return tensor;
    }
    if (auto kept = scales.find(spec.name); kept != scales.end()) {
      Tensor tensor = std::move(kept->second);
      scales.erase(kept);
      return tensor;
    }
    NIBBLE_ASSIGN(PackedWeight packed, source.pack(name, layout));
    scales.emplace(name + "_scale", std::move(packed.scales));
    return std::move(packed.codes);
  };
  for (const auto &[file, specs] : files)
    NIBBLE_TRY(writeSafetensors(target / file, specs, produce));
  if (source.files().hasIndex())
    NIBBLE_TRY(writeFileAtomically(
        target / kIndexFile, toText({{"metadata", {{"total_size", totalBytes}}},
                                     {"weight_map", weightMap}})));

  NIBBLE_ASSIGN(Json config, readJsonFile(from + "/config.json"));
  config.erase("quantization_config");
  if (!plan.empty())
    config["quantization_config"] =
        quantizationConfig(scheme, ignoreList(source, plan));
  NIBBLE_TRY(writeFileAtomically(target / "config.json", toText(config)));
  std::vector<std::string> written = source.files().files();
  written.insert(written.end(), {"config.json", kIndexFile});
  NIBBLE_ASSIGN(CompanionFiles companions,
                copyCompanionFiles(from, target, written));
  report.copied = std::move(companions.copied);
  report.skipped = std::move(companions.skipped);
  warnAboutServing(plan, report.warnings);
  // Read the result back: files, ignore list and config must agree.
  if (auto check = QuantizedCheckpoint::open(target.path()); !check.isOk())
    return std::move(check).takeStatus();
  NIBBLE_TRY(target.commit());
  return report;
}

} // namespace nibble
