// Opens, reads and writes safetensors files.
#include "runtime/formats/checkpoint/safetensors.h"

#include "runtime/formats/json.h"

#include <algorithm>
#include <fmt/format.h>

namespace nibble {

namespace {
constexpr uint64_t kMostHeaderBytes = 100'000'000;
} // namespace

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  NIBBLE_ASSIGN(OpenedFile file, OpenedFile::open(path));
  auto wrong = [&](const char *rule, const std::string &why) {
    return Status::badInput(fmt::format(
        "safetensors {}: {}: {}; fetch the file again", path, rule, why));
  };
  if (file.size < 8)
    return wrong("HeaderTooSmall", fmt::format("{} bytes", file.size));
  uint64_t length;
  NIBBLE_TRY(file.readAt(0, std::as_writable_bytes(std::span(&length, 1))));
  if (length > kMostHeaderBytes)
    return wrong("HeaderTooLarge", fmt::format("{} bytes of header", length));
  if (length > file.size - 8)
    return wrong(
        "InvalidHeaderLength",
        fmt::format("{} bytes of header in a file of {}", length, file.size));
  std::string text(static_cast<size_t>(length), '\0');
  NIBBLE_TRY(file.readAt(8, std::as_writable_bytes(std::span(text))));
  auto header = parseSafetensorsHeader(text, file.size);
  if (!header.isOk())
    return std::move(header).takeStatus().within("safetensors " + path);
  return SafetensorsFile(std::move(file), *std::move(header), 8 + length);
}

const TensorInfo *SafetensorsFile::find(std::string_view name) const {
  auto found =
      std::lower_bound(header_.tensors.begin(), header_.tensors.end(), name,
                       [](const TensorInfo &tensor, std::string_view key) {
                         return tensor.name < key;
                       });
  return found != header_.tensors.end() && found->name == name ? &*found
                                                               : nullptr;
}

Result<Tensor> SafetensorsFile::read(const TensorInfo &info) const {
  NIBBLE_ASSIGN(Tensor tensor, Tensor::create(info.dtype, info.shape));
  NIBBLE_TRY(readInto(
      info, 0, std::span(tensor.data(), static_cast<size_t>(info.bytes()))));
  return tensor;
}

Status SafetensorsFile::readInto(const TensorInfo &info, uint64_t offset,
                                 std::span<std::byte> out) const {
  if (offset > info.bytes() || out.size() > info.bytes() - offset)
    return Status::usage(fmt::format("safetensors {}: \"{}\" has {} bytes, {} "
                                     "from {} are asked for; read less of it",
                                     path(), info.name, info.bytes(),
                                     out.size(), offset));
  return file_.readAt(dataBegin_ + info.begin + offset, out);
}

Metadata defaultMetadata() { return {{"format", "pt"}}; }

// The widest dtype comes first, so that every tensor begins at a multiple of
// its element size. The name breaks ties, so that the file is a function of its
// content.
static bool comesBefore(const TensorSpec &a, const TensorSpec &b) {
  return std::pair(-bitsOf(a.dtype), std::string_view(a.name)) <
         std::pair(-bitsOf(b.dtype), std::string_view(b.name));
}

// Builds the length word and the padded JSON.
static Result<std::string> headerOf(const std::vector<TensorSpec> &specs,
                                    const Metadata &metadata) {
  auto quoted = [](const std::string &text) { return Json(text).dump(); };
  auto usable = [](std::string_view text) {
    return isUtf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
             return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
           });
  };
  std::string text = "{\"__metadata__\":{";
  for (const auto &[key, value] : metadata) {
    if (!isUtf8(key) || !isUtf8(value))
      return Status::usage("metadata is not UTF-8; use other text");
    text += (text.back() == '{' ? "" : ",") + quoted(key) + ":" + quoted(value);
  }
  text += "}";
  uint64_t end = 0;
  for (const TensorSpec &spec : specs) {
    if (!usable(spec.name) || spec.name == "__metadata__")
      return Status::usage(fmt::format(
          "tensor name \"{}\" cannot be written; use printable UTF-8",
          printable(spec.name)));
    auto elements = elementCount(spec.shape);
    int64_t bits = 0;
    if (!elements ||
        __builtin_mul_overflow(*elements, bitsOf(spec.dtype), &bits) ||
        bits % 8 != 0)
      return Status::usage(fmt::format(
          "tensor \"{}\", {} {}, cannot be written: its size is no whole "
          "number of bytes; write whole bytes",
          printable(spec.name), nameOf(spec.dtype), toString(spec.shape)));
    uint64_t begin = end;
    if (__builtin_add_overflow(end, static_cast<uint64_t>(bits / 8), &end))
      return Status::usage(
          "tensors of more than 2^64 bytes; write several files");
    text += fmt::format(
        ",{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
        quoted(spec.name), nameOf(spec.dtype), fmt::join(spec.shape, ","),
        begin, end);
  }
  text += "}";
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > kMostHeaderBytes)
    return Status::usage(
        "a header of more than 100,000,000 bytes; write several files");
  uint64_t length = text.size();
  return std::string(reinterpret_cast<const char *>(&length), 8) + text;
}

Result<FileHash> streamSafetensors(
    const std::string &path, std::vector<TensorSpec> specs,
    const std::function<Status(const TensorSpec &, const TensorSink &)>
        &produce,
    const Metadata &metadata) {
  std::sort(specs.begin(), specs.end(),
            [](const auto &a, const auto &b) { return a.name < b.name; });
  auto twice = std::adjacent_find(
      specs.begin(), specs.end(),
      [](const auto &a, const auto &b) { return a.name == b.name; });
  if (twice != specs.end())
    return Status::usage(
        fmt::format("safetensors {}: tensor \"{}\" twice; rename one", path,
                    printable(twice->name)));
  std::sort(specs.begin(), specs.end(), comesBefore);
  auto header = headerOf(specs, metadata);
  if (!header.isOk())
    return std::move(header).takeStatus().within("safetensors " + path);

  NIBBLE_ASSIGN(AtomicFile file, AtomicFile::create(path));
  FileHash written;
  Hasher hasher;
  TensorSink sink = [&](std::span<const std::byte> piece) {
    hasher.add(piece);
    written.bytes += std::ssize(piece);
    return file.write(piece);
  };
  NIBBLE_TRY(sink(std::as_bytes(std::span(*header))));
  for (const TensorSpec &spec : specs) {
    int64_t begin = written.bytes;
    int64_t bytes = TensorView{spec.dtype, spec.shape}.bytes();
    NIBBLE_TRY(produce(spec, sink));
    if (written.bytes - begin != bytes)
      return Status::usage(
          fmt::format("safetensors {}: \"{}\" has {} bytes, not {} as "
                      "announced; write as many as were announced",
                      path, spec.name, written.bytes - begin, bytes));
  }
  NIBBLE_TRY(file.commit());
  written.hash = hasher.digest();
  return written;
}

Status writeSafetensors(
    const std::string &path, std::vector<TensorSpec> specs,
    const std::function<Result<Tensor>(const TensorSpec &)> &produce,
    const Metadata &metadata) {
  auto whole = [&](const TensorSpec &spec, const TensorSink &sink) -> Status {
    NIBBLE_ASSIGN(Tensor tensor, produce(spec));
    if (tensor.dtype() != spec.dtype || tensor.shape() != spec.shape)
      return Status::usage(fmt::format(
          "safetensors {}: \"{}\" is {} {}, not {} {} as announced; write what "
          "was announced",
          path, spec.name, nameOf(tensor.dtype()), toString(tensor.shape()),
          nameOf(spec.dtype), toString(spec.shape)));
    return sink(std::span(tensor.data(), static_cast<size_t>(tensor.bytes())));
  };
  auto written = streamSafetensors(path, std::move(specs), whole, metadata);
  return written.isOk() ? Status::ok() : std::move(written).takeStatus();
}

Status writeSafetensors(const std::string &path,
                        const std::vector<NamedTensor> &tensors,
                        const Metadata &metadata) {
  std::vector<TensorSpec> specs;
  std::map<std::string_view, const TensorView *> views;
  for (const NamedTensor &tensor : tensors) {
    specs.push_back({tensor.name, tensor.view.dtype, tensor.view.shape});
    views[tensor.name] = &tensor.view;
  }
  auto inPlace = [&](const TensorSpec &spec, const TensorSink &sink) {
    const TensorView &view = *views.at(spec.name);
    return sink(std::span(view.data, static_cast<size_t>(view.bytes())));
  };
  auto written = streamSafetensors(path, std::move(specs), inPlace, metadata);
  return written.isOk() ? Status::ok() : std::move(written).takeStatus();
}

} // namespace nibble
