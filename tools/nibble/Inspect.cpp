// nibble inspect: prints the content of a checkpoint. nibble import: writes its
// module.
#include "tools/nibble/Commands.h"

#include "lib/Driver/ModelCompiler.h"
#include "lib/Driver/Stages.h"
#include "runtime/core/file.h"
#include "runtime/formats/checkpoint/model_weights.h"
#include "tools/CheckpointFolder.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace nibble {

namespace {

Status inspect(const std::string &folder, bool listTensors) {
  NIBBLE_ASSIGN(auto model, openModel(folder));
  const ModelConfig &config = model->config();
  // Weights alone are a checkpoint too. A tokenizer must be valid if it exists.
  std::string tokens = "none";
  if (Tokenizer::isThere(folder)) {
    NIBBLE_ASSIGN(ModelText text, loadText(folder, config));
    tokens = fmt::format("{} tokens", text.tokenizer.vocabularySize());
  } else {
    printWarnings(
        {folder +
         ": there is no tokenizer.json; generate, sft and rl need one"});
  }
  const QuantizedCheckpoint &checkpoint = model->checkpoint();
  int64_t parameters = 0, packed = 0;
  for (const ExpectedTensor &tensor : expectedTensors(config)) {
    int64_t elements = elementCount(tensor.shape).value_or(0);
    parameters += elements;
    // Refuse here what a run would refuse when it loads the weights.
    if (auto weight = readWeight(*model, tensor.name); !weight.isOk())
      return std::move(weight).takeStatus();
    if (checkpoint.packed(tensor.name))
      packed += elements;
    if (listTensors)
      fmt::print("{} {} {}{}\n", tensor.name,
                 nameOf(checkpoint.info(tensor.name)->dtype),
                 toString(tensor.shape),
                 checkpoint.packed(tensor.name) ? " packed" : "");
  }
  fmt::print("model type         {}\n", config.modelType);
  fmt::print("parameters         {}{}\n", parameters,
             config.tieWordEmbeddings ? " (head tied to embedding)" : "");
  fmt::print("layers             {}\n", config.layerCount());
  fmt::print("hidden             {}, inner {}\n", config.hiddenSize,
             config.intermediateSize);
  fmt::print("heads              {} of {}, key/value {}\n", config.heads,
             config.headDim, config.kvHeads);
  fmt::print("vocabulary         {}\n", config.vocabSize);
  fmt::print("tokenizer          {}\n", tokens);
  fmt::print("context            {}\n", config.maxPositions);
  std::string schemes;
  for (const numerics::Scheme &scheme : checkpoint.schemes())
    schemes += (schemes.empty() ? "" : ", ") + numerics::toString(scheme);
  if (!schemes.empty())
    fmt::print("quantized          {}: {} of {} parameters\n", schemes, packed,
               parameters);
  fmt::print("cache              {} bytes a token in bf16\n",
             2 * 2 * config.layerCount() * config.kvHeads * config.headDim);
  fmt::print("training state     {} bytes (masters, two moments, gradients in "
             "float32)\n",
             16 * parameters);
  return Status::ok();
}

Status importModel(const std::string &folder, const std::string &out,
                   bool float32) {
  NIBBLE_ASSIGN(auto model, openModel(folder));
  Session session(printWarning);
  ProgramOptions options;
  options.float32 = float32;
  NIBBLE_ASSIGN(
      auto module,
      ModelCompiler(session, model->config(), options).importModule());
  std::string text = textOf(*module);
  if (!out.empty())
    return writeFileAtomically(out, text);
  fmt::print("{}", text);
  return Status::ok();
}

} // namespace

void addInspect(CLI::App &app, Status &status) {
  auto *command =
      app.add_subcommand("inspect", "Check a checkpoint and say what it is.");
  auto folder = std::make_shared<std::string>();
  auto tensors = std::make_shared<bool>(false);
  command->add_option("model", *folder, "checkpoint folder")->required();
  command->add_flag("--tensors", *tensors, "list every tensor");
  command->callback([=, &status] { status = inspect(*folder, *tensors); });
}

void addImport(CLI::App &app, Status &status) {
  auto *command = app.add_subcommand(
      "import", "Print the module that a checkpoint's configuration becomes.");
  struct Arguments {
    std::string model;
    std::string out;
    std::string dtype = "bfloat16";
  };
  auto arguments = std::make_shared<Arguments>();
  command->add_option("--model", arguments->model, "checkpoint folder")
      ->required();
  command->add_option("--out", arguments->out,
                      "file to write; default: standard output");
  command->add_option("--dtype", arguments->dtype, "of weights and activations")
      ->check(CLI::IsMember({"bfloat16", "float32"}))
      ->capture_default_str();
  command->callback([=, &status] {
    status = importModel(arguments->model, arguments->out,
                         arguments->dtype == "float32");
  });
}

} // namespace nibble
