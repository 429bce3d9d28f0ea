// A folder of weights: one model.safetensors, or shards with
// model.safetensors.index.json. Tensors are read when asked for.
//
// The index is checked. File names are plain names in the folder, and no link
// leaves it. Every mapped tensor is in its shard, and every tensor of a shard
// is mapped to it. No tensor can exist twice or be lost. A wrong total_size is
// a warning. When both kinds exist, the index wins.
#pragma once

#include "runtime/formats/checkpoint/safetensors.h"

#include <map>

namespace nibble {

class Checkpoint {
public:
  // Opens every shard, reads its header and checks these rules. Bad input
  // naming file and tensor.
  static Result<Checkpoint> open(const std::string &folder);

  // Renames all tensors to their standard names (tensor_names.h).
  // TensorInfo::name stays the name in the file. Bad input with both names when
  // two tensors would get the same one. A warning when any name differs from
  // the file's.
  Status useStandardNames();

  const std::string &folder() const { return folder_; }
  // Sorted names of the tensors.
  const std::vector<std::string> &names() const { return names_; }
  // Null when no tensor has that name.
  const TensorInfo *info(std::string_view name) const;
  // Name (not path) of the tensor's file.
  const std::string &fileOf(std::string_view name) const;
  // Reads a tensor as stored. Bad input when no tensor has that name.
  Result<Tensor> read(std::string_view name) const;
  // Reads a tensor and converts it, see convert.
  Result<Tensor> readAs(std::string_view name, DType dtype) const;

  // Names of the files, sorted. hasIndex: whether they come from
  // model.safetensors.index.json.
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

// Converts a floating-point tensor (F64, F32, BF16, F16) to F32, BF16 or F16,
// rounded to nearest even. F64 is first rounded to float32. Usage error for
// other pairs of dtypes.
Result<Tensor> convert(const Tensor &tensor, DType dtype);

// Counts the NaN, infinite and denormal elements of a floating-point tensor,
// with the index of the first NaN or infinity. Other tensors have none.
struct WeightScan {
  int64_t nans = 0, infinities = 0, denormals = 0;
  int64_t firstNotFinite = -1;
};
WeightScan scanWeights(const Tensor &tensor);

} // namespace nibble
