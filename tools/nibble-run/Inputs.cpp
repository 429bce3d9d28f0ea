// Reads arguments from files and makes random ones.
#include "tools/nibble-run/Inputs.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/half.h"
#include "lib/Numerics/pack.h"
#include "runtime/core/philox.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace nibble {

namespace {

// Extents of nested lists, taken from their first elements. `fill` refuses
// lists that are not rectangular.
Shape shapeOf(const Json &value) {
  Shape shape;
  for (const Json *inner = &value; inner->is_array(); inner = &inner->front()) {
    shape.push_back(static_cast<int64_t>(inner->size()));
    if (inner->empty())
      break;
  }
  return shape;
}

template <typename T> bool storeInteger(const Json &value, T *out) {
  if (!value.is_number_integer() ||
      value.get<int64_t>() < std::numeric_limits<T>::min() ||
      value.get<int64_t>() >
          static_cast<int64_t>(std::numeric_limits<T>::max()))
    return false;
  *out = static_cast<T>(value.get<int64_t>());
  return true;
}

bool storeNumber(const Json &value, const Tensor &tensor, int64_t index) {
  if (tensor.dtype() == DType::kBool &&
      (value.is_boolean() || value == 0 || value == 1)) {
    tensor.as<uint8_t>()[index] =
        value.is_boolean() ? value.get<bool>() : value == 1;
    return true;
  }
  if (!value.is_number())
    return false;
  switch (tensor.dtype()) {
  case DType::kF32:
    tensor.as<float>()[index] = value.get<float>();
    return true;
  case DType::kF64:
    tensor.as<double>()[index] = value.get<double>();
    return true;
  case DType::kBF16:
    tensor.as<uint16_t>()[index] = numerics::bf16FromFloat(value.get<float>());
    return true;
  case DType::kF16:
    tensor.as<uint16_t>()[index] = numerics::halfFromFloat(value.get<float>());
    return true;
  case DType::kI32:
    return storeInteger(value, tensor.as<int32_t>() + index);
  case DType::kI64:
    return storeInteger(value, tensor.as<int64_t>() + index);
  case DType::kI8:
    return storeInteger(value, tensor.as<int8_t>() + index);
  case DType::kU8:
    return storeInteger(value, tensor.as<uint8_t>() + index);
  default:
    return false;
  }
}

// Returns false for a list of another length, or a value that the dtype cannot
// represent.
bool fill(const Json &value, const Tensor &tensor, size_t depth,
          int64_t &index) {
  if (depth == tensor.shape().size())
    return storeNumber(value, tensor, index++);
  if (!value.is_array() ||
      static_cast<int64_t>(value.size()) != tensor.shape()[depth])
    return false;
  for (const Json &inner : value)
    if (!fill(inner, tensor, depth + 1, index))
      return false;
  return true;
}

Result<Tensor> fromJson(const Json &value, const nibble_value_info &argument,
                        const std::string &path) {
  auto dtype = static_cast<DType>(argument.dtype);
  auto wrong = [&](const std::string &why) {
    return Status::badInput(
        fmt::format("{}: '{}' {}; give a number, true or false, nested lists "
                    "of one shape, or {{\"zeros\": [shape]}}",
                    path, argument.name, why));
  };
  if (const Json *zeros =
          value.is_object() ? findField(value, "zeros") : nullptr) {
    if (value.size() != 1 || !zeros->is_array())
      return wrong("is no list of extents");
    Shape shape;
    for (const Json &extent : *zeros) {
      if (!extent.is_number_unsigned() ||
          extent.get<uint64_t>() > (uint64_t{1} << 40))
        return wrong("has the extent " + extent.dump());
      shape.push_back(extent.get<int64_t>());
    }
    if (!elementCount(shape))
      return wrong("is too large");
    return Tensor::create(dtype, shape);
  }
  NIBBLE_ASSIGN(Tensor tensor, Tensor::create(dtype, shapeOf(value)));
  int64_t index = 0;
  if (!fill(value, tensor, 0, index))
    return wrong(
        fmt::format("is not {} {}", nameOf(dtype), toString(tensor.shape())));
  return tensor;
}

// Extents of the weight for a key of the store. Empty when the key is for
// another tensor.
Shape weightShape(const std::string &key, const Shape &tensor,
                  const std::string &name) {
  for (const char *kind : {"weight:", "master:", "gradient:"})
    if (key == kind + name)
      return tensor;
  std::string packed = "packed:" + name + " ";
  if (!key.starts_with(packed))
    return {};
  auto layout = numerics::parsePacked(key.substr(packed.size()));
  return layout ? Shape{layout->n, layout->k} : Shape{};
}

// FNV-1a, so that a name alone determines its numbers.
uint32_t hashOf(const std::string &name) {
  uint32_t hash = 2166136261u;
  for (char c : name)
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

// One normal number from two uniform ones (Box and Muller, 1958). It depends on
// seed, name and index only.
double normalNumber(uint64_t seed, const std::string &name, int64_t index) {
  uint64_t bits = randomBits(seed, RandomStream::kInitialize, hashOf(name),
                             static_cast<uint64_t>(index) >> 32, index);
  double u = (static_cast<double>(bits >> 32) + 0.5) * 0x1p-32;
  double v = static_cast<double>(bits & 0xffffffffu) * 0x1p-32;
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

} // namespace

Result<InputFiles> InputFiles::open(const std::vector<std::string> &paths) {
  InputFiles files;
  for (const std::string &path : paths) {
    if (!path.ends_with(".json")) {
      NIBBLE_ASSIGN(auto file, SafetensorsFile::open(path));
      files.files_.emplace_back(std::move(file));
      continue;
    }
    NIBBLE_ASSIGN(Json object, readJsonFile(path));
    if (!object.is_object())
      return Status::badInput(
          path + ": is no object; write {\"<argument>\": <value>, ...}");
    files.files_.emplace_back(JsonFile{path, std::move(object)});
  }
  return files;
}

Result<std::optional<Tensor>>
InputFiles::read(const nibble_value_info &argument) const {
  for (auto file = files_.rbegin(); file != files_.rend(); ++file) {
    if (const auto *json = std::get_if<JsonFile>(&*file)) {
      if (auto value = json->object.find(argument.name);
          value != json->object.end()) {
        NIBBLE_ASSIGN(Tensor tensor, fromJson(*value, argument, json->path));
        return std::optional<Tensor>(std::move(tensor));
      }
      continue;
    }
    const auto &tensors = std::get<SafetensorsFile>(*file);
    if (const TensorInfo *info = tensors.find(argument.name)) {
      NIBBLE_ASSIGN(Tensor tensor, tensors.read(*info));
      return std::optional<Tensor>(std::move(tensor));
    }
  }
  return std::optional<Tensor>();
}

Result<std::optional<Tensor>> randomInput(uint64_t seed,
                                          const nibble_value_info &argument) {
  auto dtype = static_cast<DType>(argument.dtype);
  Shape shape(argument.shape, argument.shape + argument.rank);
  bool isFloat = dtype == DType::kF32 || dtype == DType::kF64 ||
                 dtype == DType::kBF16 || dtype == DType::kF16;
  if (argument.role != NIBBLE_ROLE_INPUT || !isFloat ||
      std::find(shape.begin(), shape.end(), -1) != shape.end())
    return std::optional<Tensor>();
  NIBBLE_ASSIGN(Tensor tensor, Tensor::create(dtype, shape));
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    double number = normalNumber(seed, argument.name, i);
    if (dtype == DType::kF64)
      tensor.as<double>()[i] = number;
    else if (dtype == DType::kF32)
      tensor.as<float>()[i] = static_cast<float>(number);
    else if (dtype == DType::kF16)
      tensor.as<uint16_t>()[i] =
          numerics::halfFromFloat(static_cast<float>(number));
    else
      tensor.as<uint16_t>()[i] =
          numerics::bf16FromFloat(static_cast<float>(number));
  }
  return std::optional<Tensor>(std::move(tensor));
}

Result<Tensor> RandomWeights::read(const std::string &name) {
  Shape shape;
  for (const auto &[key, tensor] : store_.tensors())
    if (shape = weightShape(key, tensor.shape(), name); !shape.empty())
      break;
  NIBBLE_ASSIGN(Tensor tensor, Tensor::create(DType::kBF16, shape));
  bool isVector = shape.size() < 2;
  double deviation =
      isVector ? 0.1 : 1.0 / std::sqrt(static_cast<double>(shape.back()));
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    tensor.as<uint16_t>()[i] = numerics::bf16FromFloat(static_cast<float>(
        (isVector ? 1.0 : 0.0) + deviation * normalNumber(seed_, name, i)));
  }
  return tensor;
}

} // namespace nibble
