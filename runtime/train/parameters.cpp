// Declares, fills, packs, loads and publishes the tensors of a run.
#include "runtime/train/parameters.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace nibble {

namespace {

bool isCache(std::string_view name) {
  return name.starts_with("key_cache:") || name.starts_with("value_cache:");
}

// Turns "gradient:model.norm.weight" into "model.norm.weight".
std::string_view afterColon(std::string_view name) {
  return name.substr(name.find(':') + 1);
}

std::string keyOf(const nibble_value_info &info) {
  std::string_view name = info.name;
  bool state = info.role == NIBBLE_ROLE_STATE;
  std::string_view bare = state ? afterColon(name) : name;
  if (info.packed)
    return fmt::format("packed:{} {}", bare, info.packed);
  return state ? std::string(name) : fmt::format("weight:{}", name);
}

// The text of a key "packed:<name> <text>"; empty for other keys.
std::string_view packedText(std::string_view key) {
  size_t space = key.find(' ');
  return key.starts_with("packed:") && space != key.npos ? key.substr(space + 1)
                                                         : std::string_view();
}

std::string_view nameOfKey(std::string_view key) {
  std::string_view rest = afterColon(key);
  return key.starts_with("packed:") ? rest.substr(0, rest.find(' ')) : rest;
}

} // namespace

// `first` is the index in the tensor of the piece's first element.
static Status checkFinite(const std::string &what, DType dtype, int64_t first,
                          std::span<const std::byte> piece) {
  for (int64_t i = 0, count = std::ssize(piece) * 8 / bitsOf(dtype); i < count;
       ++i) {
    float value = dtype == DType::kBF16
                      ? numerics::floatFromBf16(
                            reinterpret_cast<const uint16_t *>(piece.data())[i])
                      : reinterpret_cast<const float *>(piece.data())[i];
    if (!std::isfinite(value))
      return Status::failed(fmt::format(
          "{} holds {} at index {}; check the weights and the learning rate",
          what, value, first + i));
  }
  return Status::ok();
}

Status checkFinite(const std::string &what, const TensorView &tensor) {
  return checkFinite(
      what, tensor.dtype, 0,
      std::span(tensor.data, static_cast<size_t>(tensor.bytes())));
}

Status checkFinite(const std::string &what, const ResidentTensor &tensor) {
  return tensor.readPieces(
      [&](int64_t offset, std::span<const std::byte> piece) {
        return checkFinite(what, tensor.dtype(),
                           offset * 8 / bitsOf(tensor.dtype()), piece);
      });
}

Status ParameterStore::declare(const Program &program,
                               const std::vector<std::string_view> &functions) {
  if (tensors_.empty())
    residence_ = program.residence();
  if (program.residence() != residence_)
    return Status::failed("program: it runs on another device than the "
                          "programs that it shares weights with; load both "
                          "programs on one device");
  for (const nibble_function &function : program.functions()) {
    if (!functions.empty() && std::find(functions.begin(), functions.end(),
                                        function.name) == functions.end())
      continue;
    for (int i = 0; i < function.argument_count; ++i) {
      const nibble_value_info &info = function.arguments[i];
      if (info.role == NIBBLE_ROLE_INPUT || isCache(info.name))
        continue;
      Shape shape(info.shape, info.shape + info.rank);
      DType dtype = static_cast<DType>(info.dtype);
      if (!elementCount(shape))
        return Status::failed(fmt::format(
            "program: '{}' of '{}' has the open shape {}; compile it again",
            info.name, function.name, toString(shape)));
      std::string key = keyOf(info);
      if (auto found = tensors_.find(key); found != tensors_.end()) {
        if (found->second.dtype() != dtype || found->second.shape() != shape)
          return Status::badInput(fmt::format(
              "program: '{}' of '{}' is {} {}, elsewhere {} {}; compile all "
              "programs of a "
              "run from one model",
              info.name, function.name, nibble::nameOf(dtype), toString(shape),
              nibble::nameOf(found->second.dtype()),
              toString(found->second.shape())));
        continue;
      }
      NIBBLE_ASSIGN(ResidentTensor tensor,
                    ResidentTensor::create(residence_, dtype, std::move(shape),
                                           info.name));
      names_.insert(std::string(nameOfKey(key)));
      tensors_.emplace(std::move(key), std::move(tensor));
    }
  }
  return Status::ok();
}

Result<TensorView>
ParameterStore::lookup(const nibble_value_info &argument) const {
  auto found = tensors_.find(keyOf(argument));
  if (found == tensors_.end())
    return Status::failed(fmt::format(
        "no tensor '{}' in this run; compile its programs for one model",
        keyOf(argument)));
  return found->second.view();
}

ResidentTensor *ParameterStore::find(const std::string &key) {
  auto found = tensors_.find(key);
  return found == tensors_.end() ? nullptr : &found->second;
}

// Packs every packed form of a parameter that is not in `written`, from its
// weight in bf16.
Status ParameterStore::pack(const std::string &name, const TensorView &weight,
                            const std::set<std::string> &written) {
  for (auto packed = tensors_.lower_bound("packed:" + name + " ");
       packed != tensors_.end() && nameOfKey(packed->first) == name &&
       packed->first.starts_with("packed:");
       ++packed) {
    if (written.contains(packed->first))
      continue;
    auto layout = numerics::parsePacked(packedText(packed->first));
    if (!layout || layout->bytes() != packed->second.bytes())
      return Status::failed(fmt::format(
          "program: packed form '{}' of {} is unknown; compile it again",
          packedText(packed->first), name));
    if (weight.shape != Shape{layout->n, layout->k})
      return Status::badInput(fmt::format(
          "{}: the checkpoint has {}, the program {}; compile it for this "
          "checkpoint",
          name, toString(weight.shape), toString(Shape{layout->n, layout->k})));
    // A weight on a device is packed as a whole, in temporary host memory.
    bool onHost = packed->second.data() != nullptr;
    std::vector<uint8_t> bytes(onHost ? 0
                                      : static_cast<size_t>(layout->bytes()));
    if (auto bad = numerics::quantizeMatrix(
            weight.as<uint16_t>(), *layout,
            onHost ? packed->second.as<uint8_t>() : bytes.data()))
      return Status::failed(
          fmt::format("weight of {} holds NaN or infinity at index {}; check "
                      "the weights and the learning rate",
                      name, *bad));
    if (!onHost)
      NIBBLE_TRY(packed->second.write(std::as_bytes(std::span(bytes))));
  }
  return Status::ok();
}

Result<Tensor> readWeight(WeightSource &source, const std::string &name) {
  NIBBLE_ASSIGN(Tensor tensor, source.read(name));
  if (tensor.dtype() != DType::kBF16 && tensor.dtype() != DType::kF32)
    return Status::badInput(
        fmt::format("{}: weights are BF16 or F32, not {}; convert it", name,
                    nameOf(tensor.dtype())));
  if (Status finite = checkFinite("weight", tensor.view()); !finite.isOk())
    return Status::badInput(name + ": " + finite.message());
  return tensor;
}

// Fills the packed forms that the source has, and returns their keys.
Result<std::set<std::string>>
ParameterStore::takePacked(const std::string &name, WeightSource &source) {
  std::set<std::string> written;
  for (auto packed = tensors_.lower_bound("packed:" + name + " ");
       packed != tensors_.end() && nameOfKey(packed->first) == name &&
       packed->first.starts_with("packed:");
       ++packed) {
    auto layout = numerics::parsePacked(packedText(packed->first));
    // Pack reports this error.
    if (!layout)
      continue;
    NIBBLE_ASSIGN(std::optional<Tensor> slab, source.readPacked(name, *layout));
    if (!slab || slab->bytes() != packed->second.bytes())
      continue;
    NIBBLE_TRY(packed->second.write(
        std::span(slab->data(), static_cast<size_t>(slab->bytes()))));
    written.insert(packed->first);
  }
  return written;
}

namespace {

// Whole tensors in host memory: the originals, or copies of a device's tensors.
struct OnHost {
  Tensor copy;
  TensorView view;

  static Result<OnHost> of(const ResidentTensor &tensor) {
    OnHost held;
    held.view = tensor.view();
    if (!tensor.data()) {
      NIBBLE_ASSIGN(held.copy, tensor.read());
      held.view = held.copy.view();
    }
    return held;
  }
};

Result<Tensor> roundedOf(const TensorView &floats) {
  NIBBLE_ASSIGN(Tensor rounded, Tensor::create(DType::kBF16, floats.shape));
  numerics::bf16FromFloats(floats.as<float>(), floats.elements(),
                           rounded.as<uint16_t>());
  return rounded;
}

// Fills the tensor (bf16 or f32) from numbers of either type.
Status fill(ResidentTensor &tensor, const float *floats,
            const uint16_t *rounded) {
  return tensor.writePieces([&](int64_t offset, std::span<std::byte> piece) {
    int64_t bytes = tensor.dtype() == DType::kF32 ? 4 : 2;
    int64_t first = offset / bytes;
    int64_t count = std::ssize(piece) / bytes;
    auto *to = reinterpret_cast<float *>(piece.data());
    if (tensor.dtype() == DType::kBF16)
      std::memcpy(piece.data(), rounded + first, piece.size());
    else if (floats)
      std::memcpy(to, floats + first, piece.size());
    else
      for (int64_t i = 0; i < count; ++i)
        to[i] = numerics::floatFromBf16(rounded[first + i]);
    return Status::ok();
  });
}

} // namespace

// Derives a parameter's weight and packed weights from its master. N1:
// quantization starts from bf16.
Status ParameterStore::derive(const std::string &name,
                              const std::set<std::string> &written) {
  ResidentTensor *weight = find("weight:" + name),
                 *master = find("master:" + name);
  NIBBLE_ASSIGN(OnHost values, OnHost::of(*master));
  NIBBLE_TRY(checkFinite("master of " + name, values.view));
  bool needed = weight && !written.contains("weight:" + name);
  if (weight && weight->dtype() == DType::kBF16 &&
      (weight->data() || !needed)) {
    if (needed)
      numerics::bf16FromFloats(values.view.as<float>(), master->elements(),
                               weight->as<uint16_t>());
    NIBBLE_ASSIGN(OnHost bits, OnHost::of(*weight));
    return pack(name, bits.view, written);
  }
  NIBBLE_ASSIGN(Tensor rounded, roundedOf(values.view));
  if (needed)
    NIBBLE_TRY(fill(*weight, values.view.as<float>(), rounded.as<uint16_t>()));
  return pack(name, rounded.view(), written);
}

// Loads everything that belongs to a parameter from its weight in the source.
Status ParameterStore::load(const std::string &name, WeightSource &source) {
  NIBBLE_ASSIGN(Tensor tensor, readWeight(source, name));
  const float *floats =
      tensor.dtype() == DType::kF32 ? tensor.as<float>() : nullptr;
  Tensor rounded;
  if (floats) {
    NIBBLE_ASSIGN(rounded, roundedOf(tensor.view()));
  }
  const TensorView &bits = floats ? rounded.view() : tensor.view();
  bool packedOnly = true;
  for (const char *kind : {"weight:", "master:"}) {
    ResidentTensor *target = find(kind + name);
    if (!target)
      continue;
    packedOnly = false;
    if (target->shape() != tensor.shape())
      return Status::badInput(fmt::format(
          "{}: the checkpoint has {}, the program {}; compile it for this "
          "checkpoint",
          name, toString(tensor.shape()), toString(target->shape())));
    NIBBLE_TRY(fill(*target, floats, bits.as<uint16_t>()));
  }
  for (const char *kind : {"moment1:", "moment2:", "gradient:"})
    if (ResidentTensor *state = find(kind + name))
      NIBBLE_TRY(state->zero());
  std::set<std::string> written;
  // Only the packed form is kept, so the source's own packed form is used as it
  // is. Quantizing its values again could choose other scales when another rule
  // chose them.
  if (packedOnly) {
    NIBBLE_ASSIGN(written, takePacked(name, source));
  }
  return pack(name, bits, written);
}

Status ParameterStore::initialize(WeightSource &source) {
  for (const std::string &name : names_)
    NIBBLE_TRY(load(name, source));
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
    if ((key.starts_with("weight:") || key.starts_with("packed:")) &&
        !written.contains(key))
      stale.insert(std::string(nameOfKey(key)));
  // The other weights are frozen.
  for (const std::string &name : stale)
    if (tensors_.contains("master:" + name))
      NIBBLE_TRY(derive(name, written));
  return Status::ok();
}

Status ParameterStore::zeroGradients() {
  for (auto &[key, tensor] : tensors_)
    if (key.starts_with("gradient:"))
      NIBBLE_TRY(tensor.zero());
  return Status::ok();
}

int64_t ParameterStore::bytes() const {
  int64_t sum = 0;
  for (const auto &[key, tensor] : tensors_)
    sum += tensor.bytes();
  return sum;
}

} // namespace nibble
