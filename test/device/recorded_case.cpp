#include "test/device/recorded_case.h"

#include "lib/Numerics/bf16.h"
#include "runtime/core/file.h"
#include "runtime/formats/checkpoint/safetensors.h"
#include "runtime/formats/json.h"

#include <fmt/format.h>

namespace nibble::test {

Result<RecordedCase> RecordedCase::read(const std::string &folder) {
  NIBBLE_ASSIGN(Json json, readJsonFile(folder + "/case.json"));
  RecordedCase c;
  c.name = json.at("name").get<std::string>();
  c.bounds = json.at("bounds").get<std::vector<double>>();
  c.inPlace = json.at("in_place").get<std::vector<std::pair<int, int>>>();
  c.perToken = json.at("per_token").get<std::vector<int>>();
  c.parts = json.at("parts").get<std::vector<std::pair<int64_t, int64_t>>>();
  NIBBLE_ASSIGN(SafetensorsFile file,
                SafetensorsFile::open(folder + "/tensors.safetensors"));
  for (auto [prefix, to] :
       {std::pair{"argument", &c.arguments}, {"expected", &c.expected}})
    for (size_t i = 0;; ++i) {
      const TensorInfo *info = file.find(fmt::format("{}{}", prefix, i));
      if (!info)
        break;
      NIBBLE_ASSIGN(Tensor tensor, file.read(*info));
      to->push_back(std::move(tensor));
    }
  return c;
}

Status RecordedCase::write(const std::string &folder) const {
  NIBBLE_TRY(makeFolders(folder));
  Json json = {{"name", name},
               {"bounds", bounds},
               {"in_place", inPlace},
               {"per_token", perToken},
               {"parts", parts}};
  NIBBLE_TRY(writeFileAtomically(folder + "/case.json", json.dump() + "\n"));
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < arguments.size(); ++i)
    tensors.push_back({fmt::format("argument{}", i), arguments[i].view()});
  for (size_t i = 0; i < expected.size(); ++i)
    tensors.push_back({fmt::format("expected{}", i), expected[i].view()});
  return writeSafetensors(folder + "/tensors.safetensors", tensors);
}

std::vector<double> numbersOf(const TensorView &tensor) {
  std::vector<double> numbers;
  for (int64_t i = 0, count = tensor.elements(); i < count; ++i)
    switch (tensor.dtype) {
    case DType::kF32:
      numbers.push_back(tensor.as<float>()[i]);
      break;
    case DType::kBF16:
      numbers.push_back(numerics::floatFromBf16(tensor.as<uint16_t>()[i]));
      break;
    case DType::kI32:
      numbers.push_back(tensor.as<int32_t>()[i]);
      break;
    case DType::kF64:
      numbers.push_back(tensor.as<double>()[i]);
      break;
    default:
      numbers.push_back(static_cast<double>(tensor.as<uint8_t>()[i]));
    }
  return numbers;
}

} // namespace nibble::test
