// Writes the weights of a run, with the files beside them, as a Hugging Face
// checkpoint.
#include "runtime/train/export.h"

#include "lib/Numerics/bf16.h"
#include "runtime/core/file.h"
#include "runtime/formats/checkpoint/checkpoint.h"
#include "runtime/formats/checkpoint/companion_files.h"
#include "runtime/formats/checkpoint/safetensors.h"
#include "runtime/formats/json.h"

#include <algorithm>

namespace nibble {

Status exportCheckpoint(const ParameterStore &store, const std::string &source,
                        const std::string &target) {
  std::vector<TensorSpec> specs;
  for (const std::string &name : store.names()) {
    auto master = store.tensors().find("master:" + name);
    if (master == store.tensors().end())
      return Status::failed("weights of '" + name +
                            "' are not trained by this run and cannot be "
                            "exported; export with the run's own model");
    specs.push_back({name, DType::kBF16, master->second.shape()});
  }
  NIBBLE_ASSIGN(AtomicFolder folder, AtomicFolder::create(target));
  std::vector<uint16_t> rounded;
  auto produce = [&](const TensorSpec &spec, const TensorSink &sink) {
    const ResidentTensor &master = store.tensors().at("master:" + spec.name);
    return master.readPieces([&](int64_t, std::span<const std::byte> piece) {
      // Tensors on the host are written in pieces, too.
      constexpr size_t kPiece = size_t{1} << 20;
      for (auto rest = piece; !rest.empty();
           rest = rest.subspan(std::min(rest.size(), kPiece))) {
        size_t count = std::min(rest.size(), kPiece) / sizeof(float);
        rounded.resize(count);
        numerics::bf16FromFloats(reinterpret_cast<const float *>(rest.data()),
                                 static_cast<int64_t>(count), rounded.data());
        NIBBLE_TRY(sink(std::as_bytes(std::span(rounded))));
      }
      return Status::ok();
    });
  };
  if (auto written =
          streamSafetensors(folder / kSingleFile, std::move(specs), produce);
      !written.isOk())
    return std::move(written).takeStatus();
  NIBBLE_ASSIGN(Json config, readJsonFile(source + "/config.json"));
  config.erase("quantization_config");
  NIBBLE_TRY(writeFileAtomically(folder / "config.json", toText(config)));
  if (auto companions =
          copyCompanionFiles(source, folder, {"config.json", kIndexFile});
      !companions.isOk())
    return std::move(companions).takeStatus();
  return folder.commit();
}

} // namespace nibble
