// INT4 checkpoints in the form that serving engines read: compressed-tensors
// "pack-quantized" (N9).
//
// A matrix X.weight [N, K] is stored as three tensors:
//    X.weight_packed  I32 [N, ceil(K/8)]
//    X.weight_scale   [N, K/G]
//    X.weight_shape   I64 [2] (I32 is read too)
//
// quantization_config in config.json describes them. Its ignore list names
// every matrix that was not packed. The scales have the type T of the model's
// weights, BF16, F16 or F32. A code q stands for T(q * scale), as the public
// tools decode it.
#pragma once

#include "lib/Numerics/pack.h"
#include "runtime/formats/checkpoint/checkpoint.h"
#include "runtime/formats/checkpoint/quantization_config.h"
#include "runtime/formats/json.h"

namespace nibble {

// A packed tensor in the form of the file.
struct PackedWeight {
  Tensor codes;  // I32 [N, ceil(K/8)], layout interchange
  Tensor scales; // BF16, F16 or F32 [N, K/G]
};

// A checkpoint under the names of the model, packed or not: X.weight is one
// tensor whether it is stored as bf16 or as codes. Without quantization_config,
// it is the plain checkpoint.
class QuantizedCheckpoint {
public:
  // Reads config.json for quantization_config, and the headers. Bad input names
  // the tensor when one of these holds:
  //   - A part of a packed tensor is missing, has the wrong dtype or shape, or
  //     contradicts weight_shape or group_size.
  //   - A packed tensor is targeted by no group, is on the ignore list, or its
  //     group is not supported.
  //   - A group targets a matrix that is neither packed nor ignored.
  static Result<QuantizedCheckpoint> open(const std::string &folder);

  const std::string &folder() const { return files_.folder(); }
  const Checkpoint &files() const { return files_; }
  // The names of the model's tensors, sorted: X.weight, and never
  // X.weight_packed.
  const std::vector<std::string> &names() const { return names_; }
  struct Info {
    DType dtype; // for a packed tensor, the dtype of its scales
    Shape shape;
  };
  std::optional<Info> info(const std::string &name) const;

  // How a tensor is packed (interchange layout); null when it is not packed.
  const numerics::PackedLayout *packed(const std::string &name) const;
  // Reads a packed tensor as stored. Bad input naming tensor and index for a
  // scale that is negative, NaN or infinite. Likewise for a zero scale of a
  // nonzero code.
  Result<PackedWeight> readPacked(const std::string &name) const;
  // Reads it as one slab, U8 [bytes] (see lib/Numerics/pack.h), in the given
  // layout. Codes are unchanged. Scales are rounded to bf16, which is exact for
  // BF16.
  Result<Tensor> readSlab(const std::string &name,
                          numerics::Layout layout) const;
  // Reads a tensor. A packed one is decoded to the type of its scales.
  Result<Tensor> read(const std::string &name) const;
  // Packs a matrix for storage, whether it was packed before or not. The
  // convention compressed_tensors computes in the type of the tensor, the
  // others in bf16. Errors are those of quantize.
  Result<PackedWeight> pack(const std::string &name,
                            const numerics::PackedLayout &layout) const;
  // F32 [N, K]: the values of codes and scales, T(q * scale) for scales of type
  // T.
  static Result<Tensor> valuesOf(const PackedWeight &packed,
                                 const numerics::PackedLayout &layout);
  // The type of the scales that `pack` produces.
  DType packedType(const std::string &name,
                   const numerics::Scheme &scheme) const;
  // Quantizes a matrix, packed before or not, to one slab, U8 [layout.bytes()].
  // Values are first rounded to bf16 (N1). `layout` has the extents of the
  // tensor. Bad input naming tensor, row and column for NaN or infinity (N7).
  Result<Tensor> quantize(const std::string &name,
                          const numerics::PackedLayout &layout) const;
  // Reads a tensor and converts it to F32 or BF16.
  Result<Tensor> readAs(const std::string &name, DType dtype) const;

  // The distinct schemes of packed tensors, ordered by group size. Empty when
  // the checkpoint is not quantized.
  std::vector<numerics::Scheme> schemes() const;
  // Accepted peculiarities, one line each: fields and groups without effect,
  // scales that bf16 cannot represent.
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
    numerics::PackedLayout layout; // interchange layout
    DType scaleType;
    std::string group; // entry of config_groups
  };
  Checkpoint files_;
  std::map<std::string, Packed> packed_;
  std::vector<std::string> names_, warnings_;
};

struct ExportReport {
  int64_t packedTensors = 0, keptTensors = 0;
  int64_t bytesRead = 0, bytesWritten = 0;  // bytes of tensors
  std::vector<std::string> copied, skipped; // other files in the folder
  // Properties that serving engines may refuse.
  std::vector<std::string> warnings;
};

// Usage error for a scheme that the format pack-quantized is not written in.
Status checkWritable(const numerics::Scheme &scheme);

// Writes `target` from `source` with the matrices `names` (each X.weight)
// packed by `scheme` (int4). All other tensors stay as they are. Every other
// file is copied except weights of other formats. `source` may itself be
// quantized; its packed tensors are read by value. Without names, `target` is
// `source` unpacked.
//
// `target` must not exist, and appears whole or not at all. Usage error naming
// the tensor when it is absent, no matrix, or its K does not divide (N2). Bad
// input naming tensor and index for NaN or infinity (N7).
Result<ExportReport>
writeQuantizedCheckpoint(const std::string &source, const std::string &target,
                         const numerics::Scheme &scheme,
                         const std::vector<std::string> &names);

struct VerifyReport {
  int64_t packedTensors = 0, keptTensors = 0;
  int64_t codes = 0, differingCodes = 0;
  int64_t scales = 0, differingScales = 0;
  int64_t differingTensors = 0; // number of unpacked tensors whose bytes differ
  std::string firstDifference;  // one line, or empty
  bool isEqual() const { return firstDifference.empty(); }
};

// Quantizes `source` again and compares the result with `quantized`: every
// code, every scale, and the bytes of every unpacked tensor. Both must have the
// same tensors. Differences are in the report and are no error. The scheme's
// convention is the one that made `quantized`. Bad input when nothing is packed
// in `quantized`.
Result<VerifyReport> verifyQuantizedCheckpoint(
    const std::string &source, const std::string &quantized,
    numerics::Convention convention = numerics::Convention::kNibble);

} // namespace nibble
