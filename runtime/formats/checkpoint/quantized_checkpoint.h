// INT4 checkpoints: compressed-tensors "pack-quantized" (N9), the form that
// serving engines read.
//
// A matrix X.weight [N, K] is stored as X.weight_packed I32 [N, ceil(K/8)],
// X.weight_scale [N, K/G] and X.weight_shape I64 [2] (I32 is read too);
// config.json says so in quantization_config, whose ignore list names every
// matrix that was not packed. The scales have the type T of the model's
// weights, BF16, F16 or F32, and a code q stands for T(q * scale), as the
// public tools decode it.
#pragma once

#include "lib/Numerics/pack.h"
#include "runtime/formats/checkpoint/checkpoint.h"
#include "runtime/formats/checkpoint/quantization_config.h"
#include "runtime/formats/json.h"

namespace nibble {

// A packed tensor as a file holds it.
struct PackedWeight {
  Tensor codes;  // I32 [N, ceil(K/8)], layout interchange
  Tensor scales; // BF16, F16 or F32 [N, K/G]
};

// A checkpoint seen by the names of the model, packed or not: X.weight is one
// tensor whether it is stored as bf16 or as codes. Of a checkpoint without
// quantization_config it is the checkpoint itself.
class QuantizedCheckpoint {
public:
  // Reads config.json for quantization_config, and the headers. Bad input,
  // naming the tensor, for a packed tensor whose parts are missing, of wrong
  // dtype or shape, or contradict weight_shape or group_size; for one that no
  // group targets, that is on the ignore list, or whose group has what is not
  // supported; for a matrix that a group targets and that is neither packed nor
  // ignored.
  static Result<QuantizedCheckpoint> open(const std::string &folder);

  const std::string &folder() const { return files_.folder(); }
  const Checkpoint &files() const { return files_; }
  // The names of the model's tensors, sorted: X.weight, never X.weight_packed.
  const std::vector<std::string> &names() const { return names_; }
  struct Info {
    DType dtype; // of a packed tensor that of its scales
    Shape shape;
  };
  std::optional<Info> info(const std::string &name) const;

  // How a tensor is packed (layout interchange); null when it is not.
  const numerics::PackedLayout *packed(const std::string &name) const;
  // A packed tensor as it is stored. Bad input naming tensor and index for a
  // scale that is negative, NaN or infinite, or zero under a code that is not.
  Result<PackedWeight> readPacked(const std::string &name) const;
  // The same as one slab, U8 [bytes] (see lib/Numerics/pack.h), in that layout:
  // the codes as they are, the scales rounded to bf16, which is exact of BF16.
  Result<Tensor> readSlab(const std::string &name,
                          numerics::Layout layout) const;
  // The tensor; a packed one by value, in the type of its scales.
  Result<Tensor> read(const std::string &name) const;
  // What writing stores of a matrix (packed or not before). The convention
  // compressed_tensors computes in the type of the tensor, the others in bf16.
  // Errors as of quantize.
  Result<PackedWeight> pack(const std::string &name,
                            const numerics::PackedLayout &layout) const;
  // F32 [N, K]: what codes and scales stand for, T(q * scale) of the scales'
  // type T.
  static Result<Tensor> valuesOf(const PackedWeight &packed,
                                 const numerics::PackedLayout &layout);
  // The type of the scales that `pack` makes.
  DType packedType(const std::string &name,
                   const numerics::Scheme &scheme) const;
  // A matrix put on the grid (packed or not before), rounded to bf16 first
  // (N1): one slab, U8 [layout.bytes()]. Bad input naming tensor, row and
  // column for NaN or infinity (N7). `layout` has the extents of the tensor.
  Result<Tensor> quantize(const std::string &name,
                          const numerics::PackedLayout &layout) const;
  // Converted to F32 or BF16.
  Result<Tensor> readAs(const std::string &name, DType dtype) const;

  // The schemes of packed tensors, each once, in the order of group sizes; none
  // when the checkpoint is not quantized.
  std::vector<numerics::Scheme> schemes() const;
  // What is read and worth a word, one line each: fields and groups without
  // effect, scales that bf16 does not hold.
  const std::vector<std::string> &warnings() const { return warnings_; }

private:
  explicit QuantizedCheckpoint(Checkpoint files) : files_(std::move(files)) {}
  Status addPacked(const std::string &name,
                   const DeclaredQuantization *declared);
  Status checkZeroPoint(const std::string &name) const;
  Status checkKept(const DeclaredQuantization &declared) const;
  Status notFinite(const std::string &name, float value, int64_t index,
                   int64_t k) const;
  Status warnOfGroups(const DeclaredQuantization &declared);

  struct Packed {
    numerics::PackedLayout layout; // interchange
    DType scaleType;
    std::string group; // of config_groups
  };
  Checkpoint files_;
  std::map<std::string, Packed> packed_;
  std::vector<std::string> names_, warnings_;
};

struct ExportReport {
  int64_t packedTensors = 0, keptTensors = 0;
  int64_t bytesRead = 0, bytesWritten = 0;  // of tensors
  std::vector<std::string> copied, skipped; // other files of the folder
  std::vector<std::string> warnings; // what serving engines will not like
};

// Writes `target` from `source` with the tensors `names` (each X.weight, a
// matrix) packed by `scheme` (int4), all other tensors as they are, and every
// other file copied except weights of other formats. `source` may itself be
// quantized: its packed tensors are read by value. `target` appears whole or
// not at all and must not exist; without names it is `source` unpacked. Usage
// error naming the tensor for one that is absent, no matrix, or whose K does
// not divide (N2); bad input naming tensor and index for NaN or infinity (N7).
Result<ExportReport>
writeQuantizedCheckpoint(const std::string &source, const std::string &target,
                         const numerics::Scheme &scheme,
                         const std::vector<std::string> &names);

struct VerifyReport {
  int64_t packedTensors = 0, keptTensors = 0;
  int64_t codes = 0, differingCodes = 0;
  int64_t scales = 0, differingScales = 0;
  int64_t differingTensors = 0; // kept tensors whose bytes differ
  std::string firstDifference;  // one line; empty when there is none
  bool isEqual() const { return firstDifference.empty(); }
};

// Compares `quantized` with quantizing `source` again: every code, every scale,
// every kept tensor's bytes, and that both have the same tensors. A difference
// is in the report, not an error. The scheme's convention is how `quantized`
// was made. Bad input when nothing is packed in `quantized`.
Result<VerifyReport> verifyQuantizedCheckpoint(
    const std::string &source, const std::string &quantized,
    numerics::Convention convention = numerics::Convention::kNibble);

} // namespace nibble
