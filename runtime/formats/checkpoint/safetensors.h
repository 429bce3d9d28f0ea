// safetensors: `u64 N | N bytes of JSON | tensor bytes`, little-endian,
// row-major. The format of every checkpoint.
//
// The rules of the reader, in the order in which they are checked; an error
// message carries the name:
//    1. the file has 8 bytes HeaderTooSmall
//    2. N <= 100,000,000 HeaderTooLarge
//    3. 8 + N <= size of the file InvalidHeaderLength
//    4. the header is UTF-8 InvalidHeader
//    5. the header is JSON of exactly the shape below
//    InvalidHeaderDeserialization
//    6. sorted by offset, each tensor begins where the last ended
//    InvalidOffset(name)
//    7. element count and size do not overflow ValidationOverflow
//    8. a tensor is a whole number of bytes MisalignedSlice
//    9. end - begin is the size that dtype and shape say TensorInvalidInfo
//   10. the last end is the end of the file MetadataIncompleteBuffer
// The shape: one object, first byte `{`, padded on the right with spaces only.
// Per tensor exactly dtype, shape (at most 64 non-negative integers) and
// data_offsets (two). `__metadata__` maps strings to strings. No key twice, no
// control characters in names, at most a million tensors.
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
  uint64_t begin = 0, end = 0; // bytes, from the start of the tensor bytes

  uint64_t bytes() const { return end - begin; }
};

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors; // sorted by name
  std::map<std::string, std::string> metadata;
};

// Rules 4 to 10, of the N header bytes and the size of the whole file. The
// error does not name the file.
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
  // Null when there is none of that name.
  const TensorInfo *find(std::string_view name) const;

  // A copy in memory of our own. Never a mapping: a file cut by someone else is
  // an error and not a signal.
  Result<Tensor> read(const TensorInfo &tensor) const;
  // A part of one, from byte `offset` of it on.
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

// What will be in a file that is written.
struct TensorSpec {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
};

using Metadata = std::map<std::string, std::string>;
// Readers of the PyTorch world refuse files without this.
Metadata defaultMetadata();

// Writes tensors one by one as `produce` gives them (asked in file order:
// widest dtype first, then by name), so that a checkpoint need not fit in
// memory. The file appears whole or not at all. Usage error for a name twice, a
// name that is not printable UTF-8, or a produced tensor that is not as
// specified.
Status writeSafetensors(
    const std::string &path, std::vector<TensorSpec> specs,
    const std::function<Result<Tensor>(const TensorSpec &)> &produce,
    const Metadata &metadata = defaultMetadata());

// Writes them piece by piece: `produce` gives a tensor's bytes to `sink`, in
// their order. Size and hash of the file, of the bytes as they were given.
using TensorSink = std::function<Status(std::span<const std::byte> piece)>;
Result<FileHash> streamSafetensors(
    const std::string &path, std::vector<TensorSpec> specs,
    const std::function<Status(const TensorSpec &, const TensorSink &sink)>
        &produce,
    const Metadata &metadata = defaultMetadata());

// The same of tensors that are in memory.
struct NamedTensor {
  std::string name;
  TensorView view;
};
Status writeSafetensors(const std::string &path,
                        const std::vector<NamedTensor> &tensors,
                        const Metadata &metadata = defaultMetadata());

// The dtype of that safetensors spelling.
std::optional<DType> dtypeNamed(std::string_view name);

} // namespace nibble
