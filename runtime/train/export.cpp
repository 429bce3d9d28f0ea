#include "runtime/train/export.h"

#include "runtime/core/file.h"
#include "runtime/formats/checkpoint.h"
#include "runtime/formats/companion_files.h"
#include "runtime/formats/json.h"

namespace nibble {

Status exportCheckpoint(const ParameterStore &store, const std::string &source, const std::string &target) {
  std::vector<TensorSpec> specs;
  for (const std::string &name : store.names()) {
    auto master = store.tensors().find("master:" + name);
    if (master == store.tensors().end())
      return Status::failed("weights of '" + name + "' are not trained by this run and cannot be exported");
    specs.push_back({name, DType::kBF16, master->second.shape()});
  }
  NIBBLE_ASSIGN(AtomicFolder folder, AtomicFolder::create(target));
  NIBBLE_TRY(writeSafetensors(folder / kSingleFile, specs, [&](const TensorSpec &spec) {
    const Tensor &master = store.tensors().at("master:" + spec.name);
    if (Status fetched = store.fetch(master); !fetched.isOk())
      return Result<Tensor>(std::move(fetched));
    return convert(master, DType::kBF16);
  }));
  NIBBLE_ASSIGN(Json config, readJsonFile(source + "/config.json"));
  config.erase("quantization_config");
  NIBBLE_TRY(writeFileAtomically(folder / "config.json", toText(config)));
  if (auto companions = copyCompanionFiles(source, folder, {"config.json", kIndexFile}); !companions.isOk())
    return std::move(companions).takeStatus();
  return folder.commit();
}

} // namespace nibble
