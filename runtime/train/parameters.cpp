#include "runtime/train/parameters.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace nibble {

namespace {

bool isCache(std::string_view name) { return name.starts_with("key_cache:") || name.starts_with("value_cache:"); }

// "gradient:model.norm.weight" -> "model.norm.weight".
std::string_view afterColon(std::string_view name) { return name.substr(name.find(':') + 1); }

std::string keyOf(const nibble_value_info &info) {
  std::string_view name = info.name;
  bool state = info.role == NIBBLE_ROLE_STATE;
  std::string_view bare = state ? afterColon(name) : name;
  if (info.packed)
    return fmt::format("packed:{} {}", bare, info.packed);
  return state ? std::string(name) : fmt::format("weight:{}", name);
}

// The text of a key "packed:<name> <text>", empty for other keys.
std::string_view packedText(std::string_view key) {
  size_t space = key.find(' ');
  return key.starts_with("packed:") && space != key.npos ? key.substr(space + 1) : std::string_view();
}

std::string_view nameOfKey(std::string_view key) {
  std::string_view rest = afterColon(key);
  return key.starts_with("packed:") ? rest.substr(0, rest.find(' ')) : rest;
}

} // namespace

Status checkFinite(const std::string &what, const TensorView &tensor) {
  auto report = [&](int64_t index, float value) {
    return Status::failed(fmt::format("{} holds {} at index {}", what, value, index));
  };
  for (int64_t i = 0, count = tensor.elements(); i < count; ++i) {
    float value =
        tensor.dtype == DType::kBF16 ? numerics::floatFromBf16(tensor.as<uint16_t>()[i]) : tensor.as<float>()[i];
    if (!std::isfinite(value))
      return report(i, value);
  }
  return Status::ok();
}

ParameterStore::Mirrors::~Mirrors() {
  for (const TensorView &tensor : tensors)
    residence->forget(tensor);
}

Status ParameterStore::fetch(const Tensor &tensor) const {
  return mirrors_ ? mirrors_->residence->fetch(tensor.view()) : Status::ok();
}

Status ParameterStore::push(const Tensor &tensor) const {
  return mirrors_ ? mirrors_->residence->push(tensor.view()) : Status::ok();
}

Status ParameterStore::declare(const Program &program, const std::vector<std::string_view> &functions) {
  std::shared_ptr<Residence> residence = program.residence();
  if (tensors_.empty() && residence)
    mirrors_ = std::make_unique<Mirrors>(residence);
  if (residence != (mirrors_ ? mirrors_->residence : nullptr))
    return Status::failed("program: it runs on another device than the programs that it shares weights with");
  for (const nibble_function &function : program.functions()) {
    if (!functions.empty() && std::find(functions.begin(), functions.end(), function.name) == functions.end())
      continue;
    for (int i = 0; i < function.argument_count; ++i) {
      const nibble_value_info &info = function.arguments[i];
      if (info.role == NIBBLE_ROLE_INPUT || isCache(info.name))
        continue;
      Shape shape(info.shape, info.shape + info.rank);
      DType dtype = static_cast<DType>(info.dtype);
      if (!elementCount(shape))
        return Status::failed(
            fmt::format("program: '{}' of '{}' has the open shape {}", info.name, function.name, toString(shape)));
      std::string key = keyOf(info);
      if (auto found = tensors_.find(key); found != tensors_.end()) {
        if (found->second.dtype() != dtype || found->second.shape() != shape)
          return Status::badInput(
              fmt::format("program: '{}' of '{}' is {} {}, elsewhere {} {}; compile all programs of a "
                          "run from one model",
                          info.name, function.name, nibble::nameOf(dtype), toString(shape),
                          nibble::nameOf(found->second.dtype()), toString(found->second.shape())));
        continue;
      }
      NIBBLE_ASSIGN(Tensor tensor, Tensor::create(dtype, std::move(shape)));
      if (mirrors_)
        mirrors_->tensors.push_back(tensor.view());
      names_.insert(std::string(nameOfKey(key)));
      tensors_.emplace(std::move(key), std::move(tensor));
    }
  }
  return Status::ok();
}

Result<TensorView> ParameterStore::lookup(const nibble_value_info &argument) const {
  auto found = tensors_.find(keyOf(argument));
  if (found == tensors_.end())
    return Status::failed(fmt::format("no tensor '{}' in this run", keyOf(argument)));
  return found->second.view();
}

// Weight and packed weights of one parameter from its master or, when it has none, from its bf16 weight.
Status ParameterStore::derive(const std::string &name, const std::set<std::string> &written) {
  std::vector<uint16_t> rounded;
  const uint16_t *bits = nullptr;
  auto weight = tensors_.find("weight:" + name), master = tensors_.find("master:" + name);
  if (master != tensors_.end()) {
    NIBBLE_TRY(fetch(master->second));
    NIBBLE_TRY(checkFinite("master of " + name, master->second.view()));
    const float *from = master->second.as<float>();
    int64_t count = master->second.elements();
    bool needed = weight != tensors_.end() && !written.contains(weight->first);
    if (needed && weight->second.dtype() == DType::kF32)
      std::memcpy(weight->second.data(), from, count * sizeof(float));
    else if (needed)
      numerics::bf16FromFloats(from, count, weight->second.as<uint16_t>());
    if (weight != tensors_.end())
      NIBBLE_TRY(needed ? push(weight->second) : fetch(weight->second));
    if (weight != tensors_.end() && weight->second.dtype() == DType::kBF16) {
      bits = weight->second.as<uint16_t>();
    } else {
      rounded.resize(count); // N1: the grid starts from bf16
      numerics::bf16FromFloats(from, count, rounded.data());
      bits = rounded.data();
    }
  } else if (weight != tensors_.end()) {
    NIBBLE_TRY(fetch(weight->second));
    int64_t count = weight->second.elements();
    bits = weight->second.as<uint16_t>();
    if (weight->second.dtype() == DType::kF32) {
      rounded.resize(count);
      numerics::bf16FromFloats(weight->second.as<float>(), count, rounded.data());
      bits = rounded.data();
    }
  }
  for (auto packed = tensors_.lower_bound("packed:" + name + " ");
       packed != tensors_.end() && nameOfKey(packed->first) == name && packed->first.starts_with("packed:"); ++packed) {
    if (!bits || written.contains(packed->first))
      continue;
    auto layout = numerics::parsePacked(packedText(packed->first));
    if (!layout || layout->bytes() != packed->second.bytes())
      return Status::failed(fmt::format("program: packed form '{}' of {} is unknown", packedText(packed->first), name));
    if (auto bad = numerics::quantizeMatrix(bits, *layout, packed->second.as<uint8_t>()))
      return Status::failed(fmt::format("weight of {} holds NaN or infinity at index {}", name, *bad));
    NIBBLE_TRY(push(packed->second));
  }
  return Status::ok();
}

Result<Tensor> readWeight(WeightSource &source, const std::string &name) {
  NIBBLE_ASSIGN(Tensor tensor, source.read(name));
  if (tensor.dtype() != DType::kBF16 && tensor.dtype() != DType::kF32)
    return Status::badInput(fmt::format("{}: weights are BF16 or F32, not {}", name, nameOf(tensor.dtype())));
  if (Status finite = checkFinite("weight", tensor.view()); !finite.isOk())
    return Status::badInput(fmt::format("{}: {}; such a weight has no place on a grid", name, finite.message()));
  return tensor;
}

// Fills the packed forms that the source has; their keys.
Result<std::set<std::string>> ParameterStore::takePacked(const std::string &name, WeightSource &source) {
  std::set<std::string> written;
  for (auto packed = tensors_.lower_bound("packed:" + name + " ");
       packed != tensors_.end() && nameOfKey(packed->first) == name && packed->first.starts_with("packed:"); ++packed) {
    auto layout = numerics::parsePacked(packedText(packed->first));
    if (!layout)
      continue; // derive says so
    NIBBLE_ASSIGN(std::optional<Tensor> slab, source.readPacked(name, *layout));
    if (!slab || slab->bytes() != packed->second.bytes())
      continue;
    std::memcpy(packed->second.data(), slab->data(), static_cast<size_t>(slab->bytes()));
    NIBBLE_TRY(push(packed->second));
    written.insert(packed->first);
  }
  return written;
}

Status ParameterStore::initialize(WeightSource &source) {
  for (const std::string &name : names_) {
    NIBBLE_ASSIGN(Tensor tensor, readWeight(source, name));
    int64_t count = tensor.elements();
    std::vector<float> values(count);
    if (tensor.dtype() == DType::kF32)
      std::memcpy(values.data(), tensor.data(), count * sizeof(float));
    else
      for (int64_t i = 0; i < count; ++i)
        values[i] = numerics::floatFromBf16(tensor.as<uint16_t>()[i]);
    bool packedOnly = true;
    for (const char *kind : {"weight:", "master:"}) {
      auto target = tensors_.find(kind + name);
      if (target == tensors_.end())
        continue;
      packedOnly = false;
      if (target->second.shape() != tensor.shape())
        return Status::badInput(fmt::format("{}: the checkpoint has {}, the program {}; compile it for this checkpoint",
                                            name, toString(tensor.shape()), toString(target->second.shape())));
      if (target->second.dtype() == DType::kF32)
        std::memcpy(target->second.data(), values.data(), count * sizeof(float));
      else
        numerics::bf16FromFloats(values.data(), count, target->second.as<uint16_t>());
      NIBBLE_TRY(push(target->second));
    }
    for (const char *kind : {"moment1:", "moment2:", "gradient:"})
      if (auto state = tensors_.find(kind + name); state != tensors_.end()) {
        std::memset(state->second.data(), 0, state->second.bytes());
        NIBBLE_TRY(push(state->second));
      }
    if (!packedOnly) {
      NIBBLE_TRY(derive(name, {}));
      continue;
    }
    // Only the packed form is kept. What the source has in this form is taken as it is: quantizing its values again would
    // choose other scales where somebody else's rule chose them. For the rest the weight is needed for a moment.
    NIBBLE_ASSIGN(std::set<std::string> written, takePacked(name, source));
    std::string key = "weight:" + name;
    NIBBLE_ASSIGN(Tensor weight, Tensor::create(DType::kBF16, tensor.shape()));
    numerics::bf16FromFloats(values.data(), count, weight.as<uint16_t>());
    tensors_.emplace(key, std::move(weight));
    Status derived = derive(name, written);
    tensors_.erase(key);
    NIBBLE_TRY(std::move(derived));
  }
  return Status::ok();
}

Status ParameterStore::publish(const Function *update) {
  std::set<std::string> written;
  if (update)
    for (int i = 0; i < update->info().argument_count; ++i)
      if (update->info().arguments[i].role == NIBBLE_ROLE_STATE)
        written.insert(keyOf(update->info().arguments[i]));
  std::set<std::string> stale;
  for (const auto &[key, tensor] : tensors_)
    if ((key.starts_with("weight:") || key.starts_with("packed:")) && !written.contains(key))
      stale.insert(std::string(nameOfKey(key)));
  for (const std::string &name : stale)
    if (tensors_.contains("master:" + name)) // the others are frozen
      NIBBLE_TRY(derive(name, written));
  return Status::ok();
}

Status ParameterStore::zeroGradients() {
  for (auto &[key, tensor] : tensors_) {
    if (!key.starts_with("gradient:"))
      continue;
    if (mirrors_ && mirrors_->residence->has(tensor.view()))
      NIBBLE_TRY(mirrors_->residence->zero(tensor.view()));
    else
      std::memset(tensor.data(), 0, tensor.bytes());
  }
  return Status::ok();
}

int64_t ParameterStore::bytes() const {
  int64_t sum = 0;
  for (const auto &[key, tensor] : tensors_)
    sum += tensor.bytes();
  return sum;
}

} // namespace nibble
