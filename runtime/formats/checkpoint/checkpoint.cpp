// Opens a folder of weights, with or without an index, and reads its tensors.
#include "runtime/formats/checkpoint/checkpoint.h"

#include "runtime/formats/checkpoint/tensor_names.h"
#include "runtime/formats/json.h"

#include <filesystem>
#include <fmt/format.h>

namespace nibble {

namespace fs = std::filesystem;

namespace {

// Also true for a link that is dangling or circular.
bool isThere(const fs::path &path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() != fs::file_type::not_found &&
         !error;
}

bool isPlainName(const std::string &name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find('/') == std::string::npos && printable(name, 255) == name;
}

} // namespace

Status Checkpoint::addFile(const std::string &name) {
  NIBBLE_ASSIGN(SafetensorsFile opened,
                SafetensorsFile::open(folder_ + "/" + name));
  auto [entry, isNew] = files_.emplace(
      name, std::make_unique<SafetensorsFile>(std::move(opened)));
  for (const TensorInfo &info : entry->second->tensors()) {
    auto [place, isFirst] = places_.emplace(
        info.name, Place{entry->second.get(), &info, &entry->first});
    if (!isFirst)
      return Status::badInput(fmt::format(
          "checkpoint {}: tensor \"{}\" is in {} and in {}; remove one",
          folder_, printable(info.name), *place->second.fileName, name));
  }
  return Status::ok();
}

Status Checkpoint::openIndex(const std::string &path) {
  NIBBLE_ASSIGN(Json index, readJsonFile(path));
  auto wrong = [&](const std::string &why) {
    return Status::badInput(
        fmt::format("index {}: {}; fetch the file again", path, why));
  };
  const Json *map =
      index.is_object() ? findField(index, "weight_map") : nullptr;
  if (!map || !map->is_object() || map->empty())
    return wrong("no weight_map that maps tensors to files; fetch it again");
  for (const auto &[tensor, file] : map->items()) {
    if (!file.is_string() || !isPlainName(file.get<std::string>()))
      return wrong(fmt::format("tensor \"{}\" is mapped to {}, which is no "
                               "plain file name; correct it",
                               printable(tensor),
                               printable(file.dump(-1, ' ', true))));
    const auto &name = file.get_ref<const std::string &>();
    if (files_.contains(name))
      continue;
    if (!isThere(folder_ + "/" + name))
      return wrong(fmt::format("shard {} is missing; fetch it", name));
    if (!staysInside(folder_, folder_ + "/" + name))
      return wrong(fmt::format("shard {} is a link that leaves the folder or "
                               "points nowhere; put the file there",
                               name));
    NIBBLE_TRY(addFile(name));
  }
  for (const auto &[tensor, file] : map->items()) {
    const Place *place = find(tensor);
    if (!place || *place->fileName != file.get_ref<const std::string &>())
      return wrong(fmt::format("tensor \"{}\" is not in {}; the shards are of "
                               "different models, fetch them again",
                               printable(tensor),
                               file.get_ref<const std::string &>()));
  }
  uint64_t bytes = 0;
  for (const auto &[name, place] : places_) {
    if (!map->contains(name))
      return wrong(
          fmt::format("tensor \"{}\" of {} is not in weight_map; the shards "
                      "are of different models, fetch them again",
                      printable(name), *place.fileName));
    bytes += place.info->bytes();
  }
  const Json *metadata = findField(index, "metadata");
  const Json *total = metadata && metadata->is_object()
                          ? findField(*metadata, "total_size")
                          : nullptr;
  // Some writers store it as a float. The value is not used either way.
  if (total && total->is_number() &&
      total->get<double>() != static_cast<double>(bytes))
    warnings_.push_back(
        fmt::format("index {}: total_size is {}, the tensors have {} bytes",
                    path, total->dump(), bytes));
  return Status::ok();
}

Result<Checkpoint> Checkpoint::open(const std::string &folder) {
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  std::error_code error;
  if (!fs::is_directory(folder, error))
    return Status::badInput(fmt::format(
        "checkpoint {}: it is not a folder; give the folder with config.json",
        folder));
  std::string index = folder + "/" + kIndexFile;
  checkpoint.hasIndex_ = isThere(index);
  if (!checkpoint.hasIndex_ && !isThere(folder + "/" + kSingleFile))
    return Status::badInput(fmt::format("checkpoint {}: there is no {} and no "
                                        "{}; fetch the weights as safetensors",
                                        folder, kSingleFile, kIndexFile));
  NIBBLE_TRY(checkpoint.hasIndex_ ? checkpoint.openIndex(index)
                                  : checkpoint.addFile(kSingleFile));
  for (const auto &[name, place] : checkpoint.places_)
    checkpoint.names_.push_back(name);
  return checkpoint;
}

Status Checkpoint::useStandardNames() {
  auto standard = standardNames(names_);
  if (!standard.isOk())
    return std::move(standard).takeStatus().within("checkpoint " + folder_);
  if (standard->example.empty())
    return Status::ok();
  warnings_.push_back(
      fmt::format("checkpoint {}: names are not the standard ones and are read "
                  "as such, \"{}\" as \"{}\"",
                  folder_, printable(standard->example),
                  printable(standard->byStored.at(standard->example))));
  std::map<std::string, Place, std::less<>> places;
  names_.clear();
  for (auto &[stored, place] : places_)
    places.emplace(standard->byStored.at(stored), place);
  places_ = std::move(places);
  for (const auto &[name, place] : places_)
    names_.push_back(name);
  return Status::ok();
}

const Checkpoint::Place *Checkpoint::find(std::string_view name) const {
  auto found = places_.find(name);
  return found == places_.end() ? nullptr : &found->second;
}

const TensorInfo *Checkpoint::info(std::string_view name) const {
  const Place *place = find(name);
  return place ? place->info : nullptr;
}

const std::string &Checkpoint::fileOf(std::string_view name) const {
  static const std::string none;
  const Place *place = find(name);
  return place ? *place->fileName : none;
}

Result<Tensor> Checkpoint::read(std::string_view name) const {
  const Place *place = find(name);
  if (!place)
    return Status::badInput(fmt::format(
        "checkpoint {}: tensor \"{}\" is missing; is it of this model?",
        folder_, name));
  return place->file->read(*place->info);
}

Result<Tensor> Checkpoint::readAs(std::string_view name, DType dtype) const {
  NIBBLE_ASSIGN(Tensor tensor, read(name));
  if (tensor.dtype() == dtype)
    return tensor;
  auto converted = convert(tensor, dtype);
  if (!converted.isOk())
    return Status::badInput(fmt::format(
        "checkpoint {}: tensor \"{}\" is {}, which is not read as {}; convert "
        "it first",
        folder_, printable(name), nameOf(tensor.dtype()), nameOf(dtype)));
  return converted;
}

std::vector<std::string> Checkpoint::files() const {
  std::vector<std::string> names;
  for (const auto &[name, file] : files_)
    names.push_back(name);
  return names;
}

} // namespace nibble
