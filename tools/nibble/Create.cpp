// nibble create: makes a checkpoint of random weights to begin with.
#include "tools/nibble/Commands.h"

#include "runtime/core/file.h"
#include "runtime/core/philox.h"
#include "runtime/formats/checkpoint/companion_files.h"
#include "runtime/formats/checkpoint/model_weights.h"
#include "runtime/formats/checkpoint/safetensors.h"
#include "tools/CheckpointFolder.h"

#include "lib/Numerics/bf16.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cmath>
#include <numbers>

namespace nibble {

namespace {

struct CreateArguments {
  std::string config, out;
  int64_t seed = 0;
  double deviation = 0.02;
};

// A normal number for element `index` of tensor `tensor` (Box and Muller,
// 1958), by counter (N16).
float normal(uint64_t seed, uint32_t tensor, uint64_t index) {
  uint64_t bits =
      randomBits(seed, RandomStream::kInitialize, tensor, index >> 32, index);
  double u = (static_cast<double>(bits >> 32) + 0.5) / 4294967296.0;
  double v = (static_cast<double>(bits & 0xffffffffu) + 0.5) / 4294967296.0;
  return static_cast<float>(std::sqrt(-2.0 * std::log(u)) *
                            std::cos(2.0 * std::numbers::pi * v));
}

Status create(const CreateArguments &arguments) {
  NIBBLE_ASSIGN(ModelConfig config, ModelConfig::read(arguments.config));
  printWarnings(config.warnings);
  std::vector<TensorSpec> specs;
  std::map<std::string, uint32_t> numbers;
  int64_t parameters = 0;
  for (const ExpectedTensor &tensor : expectedTensors(config)) {
    numbers[tensor.name] = static_cast<uint32_t>(specs.size());
    specs.push_back({tensor.name, DType::kBF16, tensor.shape});
    parameters += elementCount(tensor.shape).value_or(0);
  }
  NIBBLE_ASSIGN(AtomicFolder folder, AtomicFolder::create(arguments.out));
  NIBBLE_TRY(writeSafetensors(
      folder / kSingleFile, specs,
      [&](const TensorSpec &spec) -> Result<Tensor> {
        NIBBLE_ASSIGN(Tensor tensor, Tensor::create(DType::kBF16, spec.shape));
        bool isNorm = spec.name.ends_with("norm.weight");
        bool isBias = spec.name.ends_with(".bias");
        // Weights whose output is added to the residual stream start smaller
        // with depth (Radford et al., 2019).
        bool isResidual = spec.name.ends_with("o_proj.weight") ||
                          spec.name.ends_with("down_proj.weight");
        double deviation =
            arguments.deviation /
            (isResidual
                 ? std::sqrt(2.0 * static_cast<double>(config.layers.size()))
                 : 1.0);
        for (int64_t i = 0; i < tensor.elements(); ++i) {
          float value =
              isNorm   ? 1.0f
              : isBias ? 0.0f
                       : static_cast<float>(deviation) *
                             normal(arguments.seed, numbers.at(spec.name), i);
          tensor.as<uint16_t>()[i] = numerics::bf16FromFloat(value);
        }
        return tensor;
      }));
  if (auto companions = copyCompanionFiles(arguments.config, folder, {});
      !companions.isOk())
    return std::move(companions).takeStatus();
  NIBBLE_TRY(folder.commit());
  fmt::print("{}: {} parameters, random with seed {}\n", arguments.out,
             parameters, arguments.seed);
  return Status::ok();
}

} // namespace

void addCreate(CLI::App &app, Status &status) {
  auto *command = app.add_subcommand(
      "create", "Write a checkpoint of random weights for a configuration.");
  auto arguments = std::make_shared<CreateArguments>();
  command
      ->add_option(
          "--config", arguments->config,
          "folder with config.json and what goes along (tokenizer.json, ...)")
      ->required();
  command
      ->add_option("--out", arguments->out, "folder to write; must not exist")
      ->required();
  command->add_option("--seed", arguments->seed, "of the weights")
      ->capture_default_str();
  command
      ->add_option("--deviation", arguments->deviation,
                   "standard deviation of matrices")
      ->capture_default_str();
  command->callback([arguments, &status] { status = create(*arguments); });
}

} // namespace nibble
