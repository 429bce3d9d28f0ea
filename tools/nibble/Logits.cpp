// nibble logits: prints the model's logits for given tokens, for comparison
// with another implementation.
#include "tools/nibble/Commands.h"

#include "lib/Driver/ModelCompiler.h"
#include "runtime/formats/checkpoint/safetensors.h"
#include "runtime/formats/json.h"
#include "tools/CheckpointFolder.h"
#include "tools/nibble/RecipeOptions.h"
#include "tools/nibble/TargetOption.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace nibble {

namespace {

struct LogitsArguments {
  std::string model;
  std::string tokens;
  std::string out;
  std::string dtype = "bfloat16";
  std::string cpu = "host";
  std::string target = "host";
  Recipe recipe;
};

// The flat batch for a file of token ids.
struct Batch {
  std::vector<int32_t> tokens;
  std::vector<int32_t> positions;
  std::vector<int32_t> sequences = {0};

  Status add(const Json &ids, int64_t vocabulary, const std::string &where) {
    if (ids.empty())
      return Status::badInput(
          where + ": holds an empty sequence; give at least one token");
    int32_t position = 0;
    for (const Json &id : ids) {
      if (!id.is_number_integer() || id.get<int64_t>() < 0 ||
          id.get<int64_t>() >= vocabulary)
        return Status::badInput(
            fmt::format("{}: {} is not a token id below {}; encode with the "
                        "model's own tokenizer",
                        where, id.dump(), vocabulary));
      tokens.push_back(id.get<int32_t>());
      positions.push_back(position++);
    }
    sequences.push_back(static_cast<int32_t>(tokens.size()));
    return Status::ok();
  }
};

// Reads a list of ids, or a list of such lists.
Result<Batch> readBatch(const std::string &path, int64_t vocabulary) {
  NIBBLE_ASSIGN(Json ids, readJsonFile(path));
  if (!ids.is_array() || ids.empty())
    return Status::badInput(path + ": is not a list of token ids, nor a list "
                                   "of such lists; write one as [1, 2, 3]");
  Batch batch;
  if (!ids.front().is_array())
    NIBBLE_TRY(batch.add(ids, vocabulary, path));
  else
    for (size_t i = 0; i < ids.size(); ++i) {
      if (!ids[i].is_array())
        return Status::badInput(
            fmt::format("{}: entry {} is not a list, though the first is; "
                        "write all as lists",
                        path, i));
      NIBBLE_TRY(batch.add(ids[i], vocabulary,
                           fmt::format("{}: sequence {}", path, i)));
    }
  return batch;
}

Status logits(const LogitsArguments &arguments) {
  if (arguments.dtype != "bfloat16" && arguments.dtype != "float32")
    return Status::usage("--dtype '" + arguments.dtype +
                         "' is unknown; there are bfloat16 and float32");
  NIBBLE_TRY(arguments.recipe.check());
  NIBBLE_ASSIGN(auto model, openModel(arguments.model));
  NIBBLE_ASSIGN(Batch batch,
                readBatch(arguments.tokens, model->config().vocabSize));

  ProgramOptions options;
  options.float32 = arguments.dtype == "float32";
  options.train = arguments.recipe;
  options.host.cpu = arguments.cpu;
  NIBBLE_ASSIGN(options.residence, openResidence(arguments.target));
  Session session(printWarning);
  NIBBLE_ASSIGN(Program program,
                ModelCompiler(session, model->config(), options).logits());
  ParameterStore store;
  NIBBLE_TRY(store.declare(program));
  NIBBLE_TRY(store.initialize(*model));
  NIBBLE_TRY(warnOfRounding(arguments.recipe, *model, /*keepsStored=*/false));
  NIBBLE_ASSIGN(Function function, program.function("logits"));
  NIBBLE_TRY(bindTensors(function, store.lookupFunction()));
  NIBBLE_TRY(bindIfTaken(function, "tokens", viewOf(batch.tokens)));
  NIBBLE_TRY(bindIfTaken(function, "positions", viewOf(batch.positions)));
  NIBBLE_TRY(bindIfTaken(function, "sequences", viewOf(batch.sequences)));
  Arena arena;
  NIBBLE_ASSIGN(auto results, function.call(arena));
  return writeSafetensors(
      arguments.out,
      {{"logits", results[0]}, {"sequences", viewOf(batch.sequences)}});
}

} // namespace

void addLogits(CLI::App &app, Status &status) {
  auto *command = app.add_subcommand(
      "logits", "Logits of given tokens, [tokens, vocabulary] in float32.");
  auto arguments = std::make_shared<LogitsArguments>();
  arguments->recipe.scheme = "none";
  command->add_option("--model", arguments->model, "checkpoint folder")
      ->required();
  command
      ->add_option("--tokens", arguments->tokens,
                   "JSON: a list of token ids, or a list of such lists")
      ->required();
  command
      ->add_option(
          "--out", arguments->out,
          "safetensors to write: logits, and where each sequence begins")
      ->required();
  command
      ->add_option("--dtype", arguments->dtype,
                   "of weights and activations: bfloat16 or float32")
      ->capture_default_str();
  command
      ->add_option("--cpu", arguments->cpu,
                   "CPU to compile for: host, or a name LLVM knows")
      ->capture_default_str();
  addTargetOption(*command, arguments->target);
  addRecipeOptions(*command, arguments->recipe);
  command->callback([arguments, &status] { status = logits(*arguments); });
}

} // namespace nibble
