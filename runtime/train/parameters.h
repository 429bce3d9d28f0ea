// Every tensor that the programs of one run share, by name: weights, packed
// weights, masters, moments, gradients.
//
// Each tensor exists once. The update writes the same memory that training and
// rollout read, so publishing new weights only increments their version. For a
// device program that memory is on the device, and the host has no copy. The
// host reads and writes through a small staging buffer
// (runtime/core/program/residence.h).
#pragma once

#include "lib/Numerics/pack.h"
#include "runtime/core/program/bind.h"
#include "runtime/core/program/residence.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// The source of the initial weights: a checkpoint.
class WeightSource {
public:
  virtual ~WeightSource() = default;
  // Reads the checkpoint's tensor of that name as BF16 or F32, in the
  // checkpoint's shape ([N, K] for a matrix). Bad input when it does not exist.
  virtual Result<Tensor> read(const std::string &name) = 0;
  // The tensor as a slab (U8 [layout.bytes()], lib/Numerics/pack.h) when the
  // checkpoint stores it packed on that grid. Null when it does not.
  virtual Result<std::optional<Tensor>>
  readPacked(const std::string &name, const numerics::PackedLayout &layout) {
    (void)name, (void)layout;
    return std::optional<Tensor>();
  }
};

// Reads an initial weight. Bad input naming it when it is missing, is neither
// BF16 nor F32, or holds NaN or infinity (N7; with the index).
Result<Tensor> readWeight(WeightSource &source, const std::string &name);

// Tensors are stored under keys:
//   weight:<name>         bf16 (or f32), the parameter in the graph
//   packed:<name> <text>  u8, the same weight quantized; text is the program's
//                         (!qat.packed<...>)
//   master:<name>, moment1:<name>, moment2:<name>, gradient:<name>
//                         f32, in the weight's shape
class ParameterStore {
public:
  // Allocates memory for every parameter and state argument of these functions,
  // or of all functions of the program when the list is empty. The cache of a
  // rollout is excluded. Bad input when two programs disagree about a tensor;
  // failed when they run on different devices.
  Status declare(const Program &program,
                 const std::vector<std::string_view> &functions = {});

  // Reads every weight and computes masters, bf16 weights and packed weights
  // from it. Moments become zero. If programs use a weight in packed form only,
  // the source's own packed form is used, if any. Bad input as in readWeight,
  // and for another shape.
  Status initialize(WeightSource &source);

  // The tensor for a parameter or state argument of any declared function.
  Result<TensorView> lookup(const nibble_value_info &argument) const;
  TensorLookup lookupFunction() const {
    return
        [this](const nibble_value_info &argument) { return lookup(argument); };
  }

  // After an update: recomputes from the masters every weight and packed weight
  // that `update` (may be null) does not write itself. Failed when a master is
  // NaN or infinite, naming it.
  Status publish(const Function *update);

  Status zeroGradients();

  // All tensors, sorted by key.
  const std::map<std::string, ResidentTensor> &tensors() const {
    return tensors_;
  }
  std::map<std::string, ResidentTensor> &tensors() { return tensors_; }
  // Where they live; null means the host.
  const std::shared_ptr<Residence> &residence() const { return residence_; }
  // Sorted names of tensors in a checkpoint's spelling: a key without the part
  // before the colon.
  const std::set<std::string> &names() const { return names_; }
  int64_t bytes() const;

private:
  ResidentTensor *find(const std::string &key);
  Status load(const std::string &name, WeightSource &source);
  Status derive(const std::string &name, const std::set<std::string> &written);
  Result<std::set<std::string>> takePacked(const std::string &name,
                                           WeightSource &source);
  Status pack(const std::string &name, const TensorView &weight,
              const std::set<std::string> &written);

  std::shared_ptr<Residence> residence_;
  std::map<std::string, ResidentTensor> tensors_;
  std::set<std::string> names_;
};

// Failed when the tensor (F32 or BF16) holds a NaN or infinity: "<what> holds
// nan at index 17".
Status checkFinite(const std::string &what, const TensorView &tensor);
Status checkFinite(const std::string &what, const ResidentTensor &tensor);

} // namespace nibble
