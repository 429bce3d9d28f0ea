// A folder of weights: one model.safetensors, or shards with
// model.safetensors.index.json. Tensors are read when asked for.
//
// The index is checked: file names are plain names in the folder and no link
// leaves it; every mapped tensor is in its shard, and every tensor of a shard
// is mapped to it. So no tensor exists twice and none is lost. A wrong
// total_size is a warning. The index wins when both exist.
#pragma once

#include "runtime/formats/checkpoint/safetensors.h"

#include <map>

namespace nibble {

class Checkpoint {
public:
  // Opens every shard and checks the rules; reads headers only. Bad input
  // naming file and tensor.
  static Result<Checkpoint> open(const std::string &folder);

  // From now on tensors go by their standard names (tensor_names.h).
  // TensorInfo::name stays the one in the file. Bad input naming both when two
  // tensors would have one name; a warning when any name is another than the
  // file's.
  Status useStandardNames();

  const std::string &folder() const { return folder_; }
  // Sorted.
  const std::vector<std::string> &names() const { return names_; }
  // Null when there is none of that name.
  const TensorInfo *info(std::string_view name) const;
  // Name (not path) of the file that holds it.
  const std::string &fileOf(std::string_view name) const;
  // As stored. Bad input when there is none of that name.
  Result<Tensor> read(std::string_view name) const;
  // Converted, see convert.
  Result<Tensor> readAs(std::string_view name, DType dtype) const;

  // Names of the files, sorted; hasIndex: whether model.safetensors.index.json
  // says so.
  std::vector<std::string> files() const;
  bool hasIndex() const { return hasIndex_; }
  const std::vector<std::string> &warnings() const { return warnings_; }

private:
  struct Place {
    const SafetensorsFile *file;
    const TensorInfo *info;
    const std::string *fileName;
  };
  const Place *find(std::string_view name) const;
  Status addFile(const std::string &name);
  Status openIndex(const std::string &path);

  std::string folder_;
  bool hasIndex_ = false;
  std::map<std::string, std::unique_ptr<SafetensorsFile>, std::less<>> files_;
  std::map<std::string, Place, std::less<>> places_;
  std::vector<std::string> names_, warnings_;
};

inline constexpr const char *kSingleFile = "model.safetensors";
inline constexpr const char *kIndexFile = "model.safetensors.index.json";

// A floating-point tensor (F64, F32, BF16, F16) as F32, BF16 or F16, rounded to
// nearest even; F64 is rounded to float32 first. Usage error for other pairs of
// dtypes.
Result<Tensor> convert(const Tensor &tensor, DType dtype);

// How many elements of a floating-point tensor are no numbers, and the index of
// the first of them. Other tensors have none.
struct WeightScan {
  int64_t nans = 0, infinities = 0, denormals = 0;
  int64_t firstNotFinite = -1;
};
WeightScan scanWeights(const Tensor &tensor);

} // namespace nibble
