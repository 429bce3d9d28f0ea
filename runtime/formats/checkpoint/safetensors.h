// safetensors, the format of every checkpoint: `u64 N | N bytes of JSON |
// tensor bytes`, little-endian, row-major.
//
// The reader checks these rules in this order. An error message contains the
// name of the rule:
//    1. HeaderTooSmall                the file has 8 bytes
//    2. HeaderTooLarge                N <= 100,000,000
//    3. InvalidHeaderLength           8 + N <= size of the file
//    4. InvalidHeader                 the header is UTF-8
//    5. InvalidHeaderDeserialization  it is JSON of exactly the shape below
//    6. InvalidOffset(name)           sorted by offset, each tensor begins
//                                     where the last one ended
//    7. ValidationOverflow            element count and size do not overflow
//    8. MisalignedSlice               a tensor is a whole number of bytes
//    9. TensorInvalidInfo             end - begin fits dtype and shape
//   10. MetadataIncompleteBuffer      the last end is the end of the file
//
// The JSON is one object whose first byte is `{`, padded on the right with
// spaces only. Each tensor has exactly dtype, shape (at most 64 non-negative
// integers) and data_offsets (two). `__metadata__` maps strings to strings.
// Keys are unique, names have no control characters, and there are at most a
// million tensors.
#pragma once

#include "runtime/core/hash.h"
#include "runtime/core/tensor.h"
#include "runtime/formats/io.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  uint64_t begin = 0, end = 0; // bytes from the start of the tensor bytes

  uint64_t bytes() const { return end - begin; }
};

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors; // sorted by name
  std::map<std::string, std::string> metadata;
};

// Checks rules 4 to 10 on the N header bytes, given the size of the whole file.
// The error does not name the file.
Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view header,
                                                 uint64_t fileSize);

// One file, open for reading. Only the header is in memory.
class SafetensorsFile {
public:
  static Result<SafetensorsFile> open(const std::string &path);

  const std::string &path() const { return file_.path; }
  const std::vector<TensorInfo> &tensors() const { return header_.tensors; }
  const std::map<std::string, std::string> &metadata() const {
    return header_.metadata;
  }
  // Null when no tensor has that name.
  const TensorInfo *find(std::string_view name) const;

  // Reads a tensor into memory of its own. Nothing is mapped, so a file that
  // somebody truncates causes an error and no signal.
  Result<Tensor> read(const TensorInfo &tensor) const;
  // Reads a part of a tensor, from byte `offset` on.
  Status readInto(const TensorInfo &tensor, uint64_t offset,
                  std::span<std::byte> out) const;

private:
  SafetensorsFile(OpenedFile file, SafetensorsHeader header, uint64_t dataBegin)
      : file_(std::move(file)), header_(std::move(header)),
        dataBegin_(dataBegin) {}
  OpenedFile file_;
  SafetensorsHeader header_;
  uint64_t dataBegin_;
};

// A tensor of a file to be written.
struct TensorSpec {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
};

using Metadata = std::map<std::string, std::string>;
// Readers based on PyTorch refuse files without this metadata.
Metadata defaultMetadata();

// Writes tensors one by one, so that a checkpoint need not fit in memory.
// `produce` is called in file order: widest dtype first, then by name. The file
// appears whole or not at all. Usage error for a duplicate name, a name that is
// not printable UTF-8, or a produced tensor that differs from its
// specification.
Status writeSafetensors(
    const std::string &path, std::vector<TensorSpec> specs,
    const std::function<Result<Tensor>(const TensorSpec &)> &produce,
    const Metadata &metadata = defaultMetadata());

// Writes tensors piece by piece: `produce` passes a tensor's bytes to `sink` in
// order. Returns size and hash of the file, computed from the bytes passed.
using TensorSink = std::function<Status(std::span<const std::byte> piece)>;
Result<FileHash> streamSafetensors(
    const std::string &path, std::vector<TensorSpec> specs,
    const std::function<Status(const TensorSpec &, const TensorSink &sink)>
        &produce,
    const Metadata &metadata = defaultMetadata());

// Writes tensors that are in memory.
struct NamedTensor {
  std::string name;
  TensorView view;
};
Status writeSafetensors(const std::string &path,
                        const std::vector<NamedTensor> &tensors,
                        const Metadata &metadata = defaultMetadata());

// The dtype for a safetensors spelling.
std::optional<DType> dtypeNamed(std::string_view name);

} // namespace nibble
