// Saves, verifies, loads and prunes checkpoints.
#include "runtime/train/checkpoint.h"

#include "runtime/core/file.h"
#include "runtime/core/hash.h"
#include "runtime/formats/checkpoint/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unistd.h>

namespace fs = std::filesystem;

namespace nibble {

namespace {

constexpr const char *kManifest = "manifest.json";
constexpr const char *kState = "state.json";
constexpr int64_t kFormat = 1;

std::string folderName(int64_t step) { return fmt::format("step-{:06}", step); }

// The step in the folder name of a complete checkpoint.
std::optional<int64_t> stepOf(const std::string &name) {
  int64_t step = -1;
  if (!name.starts_with("step-"))
    return std::nullopt;
  auto [end, error] =
      std::from_chars(name.data() + 5, name.data() + name.size(), step);
  return error == std::errc() && end == name.data() + name.size() &&
                 folderName(step) == name
             ? std::optional(step)
             : std::nullopt;
}

// The file that holds a tensor; null when the tensor is not saved.
const char *fileOf(const std::string &key) {
  if (key.starts_with("gradient:"))
    return nullptr;
  return key.starts_with("weight:") || key.starts_with("packed:")
             ? "weights.safetensors"
             : "optimizer.safetensors";
}

// Builds {"file": {"bytes": .., "xxh3": ".."}, ..} together with its own hash.
Json manifestOf(Json files) {
  std::string hash = hash128(files.dump());
  return {{"format", kFormat}, {"files", std::move(files)}, {"xxh3", hash}};
}

// Writes tensors to the file piece by piece, directly from their memory. The
// hash covers the bytes given to the system, so reading the file back detects
// errors of the disk.
Status writeInto(const fs::path &folder, const Json &state,
                 const ParameterStore &store) {
  std::map<std::string, std::vector<TensorSpec>> files = {
      {"weights.safetensors", {}}};
  for (const auto &[key, tensor] : store.tensors())
    if (const char *file = fileOf(key))
      files[file].push_back({key, tensor.dtype(), tensor.shape()});
  auto produce = [&](const TensorSpec &spec, const TensorSink &sink) {
    return store.tensors().at(spec.name).readPieces(
        [&](int64_t, std::span<const std::byte> piece) { return sink(piece); });
  };
  Json hashes = Json::object();
  auto add = [&](const std::string &name, const FileHash &hash) {
    hashes[name] = {{"bytes", hash.bytes}, {"xxh3", hash.hash}};
  };
  for (auto &[file, specs] : files) {
    NIBBLE_ASSIGN(FileHash hash, streamSafetensors((folder / file).string(),
                                                   std::move(specs), produce));
    add(file, hash);
  }
  std::string text = toText(state);
  NIBBLE_TRY(writeFileAtomically(folder / kState, text));
  add(kState, {std::ssize(text), hash128(text)});
  return writeFileAtomically(folder / kManifest,
                             manifestOf(std::move(hashes)).dump());
}

// Steps of the complete checkpoints, newest first.
Result<std::vector<int64_t>> stepsIn(const fs::path &folder) {
  NIBBLE_ASSIGN(auto names, listFolder(folder));
  std::vector<int64_t> steps;
  for (const std::string &name : names)
    if (auto step = stepOf(name))
      steps.push_back(*step);
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

// Removes all checkpoints but the `keep` newest. The caller has verified the
// newest one.
Status prune(const fs::path &folder, int64_t keep) {
  NIBBLE_ASSIGN(auto steps, stepsIn(folder));
  for (size_t i = static_cast<size_t>(std::max<int64_t>(keep, 1));
       i < steps.size(); ++i) {
    // Rename before removal, so that a crash in between leaves no incomplete
    // checkpoint.
    fs::path path = folder / folderName(steps[i]);
    fs::path going = path;
    going += fmt::format(".tmp.{}", getpid());
    NIBBLE_TRY(renamePath(path, going));
    NIBBLE_TRY(removeTree(going));
  }
  return Status::ok();
}

} // namespace

Status verifyCheckpoint(const fs::path &checkpoint) {
  NIBBLE_ASSIGN(Json manifest, readJsonFile((checkpoint / kManifest).string()));
  std::string where = (checkpoint / kManifest).string();
  auto damaged = [&](const std::string &why) {
    return Status::badInput(
        fmt::format("{}: {}; the checkpoint is damaged; remove it and resume "
                    "from an older one",
                    where, why));
  };
  const Json *files =
      manifest.is_object() ? findField(manifest, "files") : nullptr;
  if (!files || !files->is_object() || manifest != manifestOf(*files))
    return damaged("its content does not match its own hash");
  if (!files->contains(kState))
    return damaged("it lists no state.json");
  for (const auto &[name, entry] : files->items()) {
    if (name.find('/') != name.npos || name.starts_with("."))
      return damaged(fmt::format("'{}' is no plain file name", name));
    NIBBLE_ASSIGN(FileHash found, hashFile(checkpoint / name));
    if (entry != Json{{"bytes", found.bytes}, {"xxh3", found.hash}})
      return Status::badInput(fmt::format(
          "{}: its bytes are not those that were saved; the "
          "checkpoint is damaged; remove it and resume from an older one",
          (checkpoint / name).string()));
  }
  return Status::ok();
}

Status saveCheckpoint(const fs::path &folder, int64_t step, const Json &state,
                      const ParameterStore &store, int64_t keep) {
  NIBBLE_TRY(makeFolders(folder));
  fs::path target = folder / folderName(step);
  fs::path temporary = target;
  temporary += fmt::format(".tmp.{}", getpid());
  std::error_code ignored;
  if (fs::exists(target, ignored)) {
    // A run that fell back from a damaged checkpoint reaches the same step
    // again.
    if (verifyCheckpoint(target).isOk())
      return replaceLink(folder / "latest", folderName(step));
    NIBBLE_TRY(removeTree(target));
  }
  NIBBLE_TRY(makeFolders(temporary));
  Status status = writeInto(temporary, state, store);
  if (status.isOk())
    status = syncFolder(temporary);
  if (status.isOk())
    status = renamePath(temporary, target);
  if (!status.isOk()) {
    // Best effort: the first error is the one to report.
    (void)removeTree(temporary);
    return std::move(status).within(fmt::format("checkpoint of step {}", step));
  }
  NIBBLE_TRY(syncFolder(folder));
  NIBBLE_TRY(replaceLink(folder / "latest", folderName(step)));
  NIBBLE_TRY(verifyCheckpoint(target));
  return prune(folder, keep);
}

Result<std::optional<TrainCheckpoint>>
newestCheckpoint(const fs::path &folder, std::vector<std::string> &warnings) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored))
    return std::optional<TrainCheckpoint>();
  NIBBLE_ASSIGN(auto steps, stepsIn(folder));
  for (int64_t step : steps) {
    TrainCheckpoint checkpoint{step, folder / folderName(step), {}};
    Status status = verifyCheckpoint(checkpoint.path);
    if (status.isOk()) {
      auto state = readJsonFile((checkpoint.path / kState).string());
      if (state.isOk()) {
        checkpoint.state = *std::move(state);
        return std::optional(std::move(checkpoint));
      }
      status = std::move(state).takeStatus();
    }
    warnings.push_back(
        fmt::format("{}; going back to an older one", status.message()));
  }
  return std::optional<TrainCheckpoint>();
}

Status loadCheckpoint(const TrainCheckpoint &checkpoint,
                      ParameterStore &store) {
  std::map<std::string, SafetensorsFile> files;
  for (auto &[key, tensor] : store.tensors()) {
    const char *name = fileOf(key);
    if (!name)
      continue;
    auto file = files.find(name);
    if (file == files.end()) {
      NIBBLE_ASSIGN(SafetensorsFile opened,
                    SafetensorsFile::open((checkpoint.path / name).string()));
      file = files.emplace(name, std::move(opened)).first;
    }
    const TensorInfo *info = file->second.find(key);
    if (!info || info->dtype != tensor.dtype() || info->shape != tensor.shape())
      return Status::badInput(fmt::format(
          "{}: has no '{}' of {} {}; it is a checkpoint of another "
          "model or recipe; resume with the run's own configuration",
          file->second.path(), key, nameOf(tensor.dtype()),
          toString(tensor.shape())));
    NIBBLE_TRY(tensor.writePieces([&](int64_t offset,
                                      std::span<std::byte> piece) {
      return file->second.readInto(*info, static_cast<uint64_t>(offset), piece);
    }));
  }
  return Status::ok();
}

Status tidyCheckpoints(const fs::path &folder, int64_t keep) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored))
    return Status::ok();
  NIBBLE_ASSIGN(auto names, listFolder(folder));
  for (const std::string &name : names)
    if (name.find(".tmp.") != name.npos &&
        (name.starts_with("step-") || name.starts_with("latest")))
      NIBBLE_TRY(removeTree(folder / name));
  NIBBLE_ASSIGN(auto steps, stepsIn(folder));
  bool sound =
      !steps.empty() && verifyCheckpoint(folder / folderName(steps[0])).isOk();
  if (!sound)
    return Status::ok();
  // A power loss may have prevented the move of the link.
  NIBBLE_TRY(replaceLink(folder / "latest", folderName(steps[0])));
  return prune(folder, keep);
}

} // namespace nibble
