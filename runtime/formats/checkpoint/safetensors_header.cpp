// Parses the header, rules 4 to 10. Events of the JSON parser fill TensorInfo
// directly, without a JSON tree. Memory therefore stays a small multiple of the
// header, whatever it contains.
#include "runtime/formats/checkpoint/safetensors.h"
#include "runtime/formats/json.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace nibble {

namespace {

constexpr size_t kMostTensors = 1'000'000;
constexpr size_t kMostRank = 64;

constexpr std::array kDTypes = {
    DType::kF32,        DType::kBF16,       DType::kF64,    DType::kI8,
    DType::kI32,        DType::kI64,        DType::kU8,     DType::kBool,
    DType::kF16,        DType::kI16,        DType::kU16,    DType::kU32,
    DType::kU64,        DType::kF8E4M3,     DType::kF8E5M2, DType::kF8E8M0,
    DType::kF8E4M3FNUZ, DType::kF8E5M2FNUZ, DType::kF6E2M3, DType::kF6E3M2,
    DType::kF4,         DType::kC64};

bool hasControlCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
}

// The header is three levels deep: root, tensor (or metadata), list.
class HeaderReader final : public nlohmann::json_sax<Json> {
public:
  SafetensorsHeader header;
  std::string problem;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("true or false"); }
  bool number_integer(number_integer_t) override {
    return refuse("a negative number");
  }
  bool number_float(number_float_t, const string_t &) override {
    return refuse("a number that is no integer");
  }
  bool binary(binary_t &) override { return refuse("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::kShape) {
      if (tensor_.shape.size() == kMostRank)
        return refuse("a shape of more than 64 dimensions");
      // Keep the value for rule 7, which reports sizes that overflow.
      tensor_.shape.push_back(value > static_cast<uint64_t>(INT64_MAX)
                                  ? -1
                                  : static_cast<int64_t>(value));
      return true;
    }
    if (place_ != Place::kOffsets || offsets_ == 2)
      return refuse("a number");
    (offsets_++ == 0 ? tensor_.begin : tensor_.end) = value;
    return true;
  }

  bool string(string_t &value) override {
    if (place_ == Place::kMetadata) {
      header.metadata[key_] = std::move(value);
      return true;
    }
    if (place_ != Place::kTensor || key_ != "dtype")
      return refuse("a string");
    auto dtype = dtypeNamed(value);
    if (!dtype)
      return refuse("dtype \"" + printable(value, 40) + "\"");
    tensor_.dtype = *dtype;
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == Place::kOutside)
      place_ = Place::kRoot;
    else if (place_ == Place::kRoot && tensor_.name == "__metadata__")
      place_ = Place::kMetadata;
    else if (place_ == Place::kRoot)
      place_ = Place::kTensor;
    else
      return refuse("an object");
    fields_ = 0;
    offsets_ = 0;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::kTensor) {
      if (fields_ != (kDTypeField | kShapeField | kOffsetsField))
        return refuse("a tensor without dtype, shape or data_offsets");
      if (header.tensors.size() == kMostTensors)
        return refuse("more than a million tensors");
      header.tensors.push_back(std::move(tensor_));
    }
    place_ = place_ == Place::kRoot ? Place::kOutside : Place::kRoot;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ == Place::kTensor && key_ == "shape")
      place_ = Place::kShape;
    else if (place_ == Place::kTensor && key_ == "data_offsets")
      place_ = Place::kOffsets;
    else
      return refuse("a list");
    return true;
  }

  bool end_array() override {
    if (place_ == Place::kOffsets && offsets_ != 2)
      return refuse("data_offsets that are not two numbers");
    place_ = Place::kTensor;
    return true;
  }

  bool key(string_t &key) override {
    if (place_ == Place::kRoot) {
      if (hasControlCharacter(key))
        return refuse("a control character in a name");
      if (key == "__metadata__" && std::exchange(sawMetadata_, true))
        return refuse("__metadata__ twice");
      tensor_ = TensorInfo{std::move(key), DType::kF32, {}, 0, 0};
      return true;
    }
    if (place_ == Place::kMetadata) {
      if (header.metadata.contains(key))
        return refuse("key \"" + printable(key) + "\" twice");
    } else {
      int field = key == "dtype"          ? kDTypeField
                  : key == "shape"        ? kShapeField
                  : key == "data_offsets" ? kOffsetsField
                                          : 0;
      if (!field)
        return refuse("unknown field \"" + printable(key) + "\"");
      if (fields_ & field)
        return refuse("field \"" + key + "\" twice");
      fields_ |= field;
    }
    key_ = std::move(key);
    return true;
  }

  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &) override {
    return refuse(fmt::format("no JSON at byte {}", position));
  }

private:
  enum class Place { kOutside, kRoot, kMetadata, kTensor, kShape, kOffsets };
  enum Field { kDTypeField = 1, kShapeField = 2, kOffsetsField = 4 };

  bool refuse(std::string what) {
    problem = std::move(what);
    if (place_ != Place::kOutside && !tensor_.name.empty())
      problem += fmt::format(" at \"{}\"", printable(tensor_.name));
    return false;
  }

  Place place_ = Place::kOutside;
  TensorInfo tensor_;
  std::string key_;
  int fields_ = 0, offsets_ = 0;
  bool sawMetadata_ = false;
};

Status wrong(const char *rule, const std::string &why) {
  return Status::badInput(
      fmt::format("{}: {}; fetch the file again", rule, why));
}

Result<SafetensorsHeader> readShape(std::string_view text) {
  constexpr const char *rule = "InvalidHeaderDeserialization";
  if (!text.starts_with("{"))
    return wrong(rule, "the header does not begin with {");
  if (size_t end = text.find_last_not_of(' '); text[end] != '}')
    return wrong(rule, "the header does not end with } and spaces");
  if (text.find('\0') != std::string_view::npos)
    return wrong(rule, "a NUL byte in the header");
  HeaderReader reader;
  if (!Json::sax_parse(text.begin(), text.end(), &reader,
                       nlohmann::detail::input_format_t::json, /*strict=*/true))
    return wrong(rule, "unexpected in the header: " + reader.problem);
  auto &tensors = reader.header.tensors;
  std::sort(tensors.begin(), tensors.end(),
            [](const auto &a, const auto &b) { return a.name < b.name; });
  auto twice = std::adjacent_find(
      tensors.begin(), tensors.end(),
      [](const auto &a, const auto &b) { return a.name == b.name; });
  if (twice != tensors.end())
    return wrong(rule,
                 fmt::format("tensor \"{}\" twice", printable(twice->name)));
  return std::move(reader.header);
}

} // namespace

std::optional<DType> dtypeNamed(std::string_view name) {
  for (DType dtype : kDTypes)
    if (name == nameOf(dtype))
      return dtype;
  return std::nullopt;
}

Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view text,
                                                 uint64_t fileSize) {
  if (!isUtf8(text))
    return wrong("InvalidHeader", "the header is not UTF-8");
  NIBBLE_ASSIGN(SafetensorsHeader header, readShape(text));

  std::vector<const TensorInfo *> byOffset;
  byOffset.reserve(header.tensors.size());
  for (const TensorInfo &tensor : header.tensors)
    byOffset.push_back(&tensor);
  std::sort(byOffset.begin(), byOffset.end(), [](const auto *a, const auto *b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t end = 0;
  for (const TensorInfo *tensor : byOffset) {
    if (tensor->begin != end || tensor->end < tensor->begin)
      return wrong(
          fmt::format("InvalidOffset({})", printable(tensor->name)).c_str(),
          fmt::format("bytes [{}, {}) where byte {} is next", tensor->begin,
                      tensor->end, end));
    end = tensor->end;
  }
  for (const TensorInfo *tensor : byOffset) {
    auto elements = elementCount(tensor->shape);
    int64_t bits = 0;
    if (!elements ||
        __builtin_mul_overflow(*elements, bitsOf(tensor->dtype), &bits))
      return wrong("ValidationOverflow",
                   fmt::format("size of \"{}\" does not fit in 64 bits",
                               printable(tensor->name)));
    if (bits % 8 != 0)
      return wrong("MisalignedSlice",
                   fmt::format("\"{}\" is not a whole number of bytes",
                               printable(tensor->name)));
    if (tensor->bytes() != static_cast<uint64_t>(bits / 8))
      return wrong("TensorInvalidInfo",
                   fmt::format("\"{}\", {} {}, needs {} bytes and has {}",
                               printable(tensor->name), nameOf(tensor->dtype),
                               toString(tensor->shape), bits / 8,
                               tensor->bytes()));
  }
  uint64_t before = 8 + static_cast<uint64_t>(text.size());
  if (fileSize < before || end != fileSize - before)
    return wrong("MetadataIncompleteBuffer",
                 fmt::format("tensors end at byte {} of {}", end,
                             fileSize < before ? 0 : fileSize - before));
  return header;
}

} // namespace nibble
