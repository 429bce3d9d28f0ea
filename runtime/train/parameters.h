// Every tensor that the programs of one run share, by name: weights, packed
// weights, masters, moments, gradients.
//
// One copy of each: the weight that the update writes is the memory that
// training and rollout read, so publishing new weights is nothing but counting
// their version. A program for a device has that copy on the device, and the
// host has none: what it reads and writes goes through a small piece of its
// memory (runtime/core/program/residence.h).
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

// Where the initial weights come from: a checkpoint.
class WeightSource {
public:
  virtual ~WeightSource() = default;
  // The tensor of that checkpoint name as BF16 or F32, [N, K] or as the
  // checkpoint has it. Bad input when there is none.
  virtual Result<Tensor> read(const std::string &name) = 0;
  // The tensor as a slab (U8 [layout.bytes()], lib/Numerics/pack.h) when the
  // checkpoint holds it packed on that grid; null when it does not.
  virtual Result<std::optional<Tensor>>
  readPacked(const std::string &name, const numerics::PackedLayout &layout) {
    (void)name, (void)layout;
    return std::optional<Tensor>();
  }
};

// A weight that a run may begin with. Bad input naming it when it is missing,
// of another dtype than BF16 and F32, or holds NaN or infinity (N7; with the
// index).
Result<Tensor> readWeight(WeightSource &source, const std::string &name);

// Tensors are kept under keys:
//   weight:<name>          bf16 (or f32), what the graph calls the parameter
//   packed:<name> <text>   u8, the same weight quantized; text is the program's
//   (!qat.packed<...>) master:<name>, moment1:<name>, moment2:<name>,
//   gradient:<name>   f32, of the weight's shape
class ParameterStore {
public:
  // Takes memory for every parameter and state argument of these functions; all
  // functions of the program when the list is empty. The cache of a rollout is
  // left out. Bad input when two programs disagree about a tensor, failed when
  // they run on different devices.
  Status declare(const Program &program,
                 const std::vector<std::string_view> &functions = {});

  // Reads every weight: masters, bf16 weights and packed weights from it,
  // moments zero. A weight of which programs have the packed form alone is
  // taken as the source packed it, if it did. Bad input as of readWeight, and
  // for another shape.
  Status initialize(WeightSource &source);

  // The tensor for a parameter or state argument of any of the declared
  // functions.
  Result<TensorView> lookup(const nibble_value_info &argument) const;
  TensorLookup lookupFunction() const {
    return
        [this](const nibble_value_info &argument) { return lookup(argument); };
  }

  // After an update: brings every weight and packed weight up to date that
  // `update` (when not null) does not write itself, from the masters. Failed
  // when a master is NaN or infinite, naming it.
  Status publish(const Function *update);

  Status zeroGradients();

  // By key, sorted.
  const std::map<std::string, ResidentTensor> &tensors() const {
    return tensors_;
  }
  std::map<std::string, ResidentTensor> &tensors() { return tensors_; }
  // Where they are; null: on the host.
  const std::shared_ptr<Residence> &residence() const { return residence_; }
  // Names of tensors as a checkpoint spells them, without the part before the
  // colon of a key; sorted.
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

// Failed when the tensor (F32 or BF16) holds a NaN or infinity, "<what> holds
// nan at index 17".
Status checkFinite(const std::string &what, const TensorView &tensor);
Status checkFinite(const std::string &what, const ResidentTensor &tensor);

} // namespace nibble
