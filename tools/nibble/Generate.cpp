// nibble generate: generates text from prompts.
#include "tools/nibble/Commands.h"

#include "lib/Driver/ModelCompiler.h"
#include "runtime/core/stop.h"
#include "runtime/formats/io.h"
#include "runtime/rollout/engine.h"
#include "tools/CheckpointFolder.h"
#include "tools/nibble/RecipeOptions.h"
#include "tools/nibble/TargetOption.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace nibble {

namespace {

struct GenerateArguments {
  std::string model;
  std::string dtype = "bfloat16";
  std::string target = "host";
  std::vector<std::string> prompts;
  Recipe recipe;
  SamplingOptions sampling;
  int64_t samples = 1;
  int64_t seed = 0;
  bool json = false;
};

// Reads one prompt per line and skips blank lines.
std::vector<std::string> readPrompts(std::istream &stream) {
  std::vector<std::string> prompts;
  bool isFirst = true;
  for (std::string line; std::getline(stream, line); isFirst = false)
    if (std::string_view prompt = withoutLineMarks(line, isFirst);
        !isBlank(prompt))
      prompts.emplace_back(prompt);
  return prompts;
}

// Checks the ranges of sampling options. The error names the option.
Status checkSampling(const SamplingOptions &sampling) {
  Status status = check(sampling);
  if (status.isOk())
    return status;
  std::string text = status.message(); // for example "top_p: 2 is not in ..."
  size_t name = std::min(text.find(':'), text.size());
  std::replace(text.begin(), text.begin() + name, '_', '-');
  return Status(status.code(), "--" + text);
}

// Just enough for these requests. A model may allow far more positions than
// there is memory for keys and values.
RolloutOptions rolloutOptions(const std::vector<Request> &requests,
                              int64_t mostPositions) {
  RolloutOptions options;
  int64_t samples = 0, longest = 0;
  for (const Request &request : requests) {
    int64_t prompt = std::ssize(request.prompt);
    int64_t fresh = std::min(request.sampling.maxNewTokens, mostPositions);
    longest = std::max(longest, prompt + fresh);
    samples += request.samples;
  }
  options.contextLength = std::min(longest, mostPositions);
  options.maxRunning = std::min(options.maxRunning, samples);
  options.holdsOneContext = true;
  return options;
}

Status generate(GenerateArguments arguments) {
  NIBBLE_TRY(checkSampling(arguments.sampling));
  NIBBLE_TRY(arguments.recipe.check());
  NIBBLE_ASSIGN(auto model, openModel(arguments.model));
  NIBBLE_ASSIGN(ModelText text, loadText(arguments.model, model->config()));
  const Tokenizer &tokenizer = text.tokenizer;
  arguments.sampling.stopTokens = text.stopTokens;
  if (arguments.prompts.empty())
    arguments.prompts = readPrompts(std::cin);
  if (arguments.prompts.empty())
    return Status::usage(
        "there is no prompt; give --prompt, or one a line on standard input");
  std::vector<Request> requests;
  for (size_t i = 0; i < arguments.prompts.size(); ++i) {
    Request request;
    NIBBLE_ASSIGN(request.prompt, tokenizer.encode(arguments.prompts[i],
                                                   /*addSpecialTokens=*/true));
    if (request.prompt.empty())
      return Status::usage(
          fmt::format("prompt {} ('{}') has no token; give a longer one", i + 1,
                      printable(arguments.prompts[i], 40)));
    request.samples = arguments.samples;
    request.sampling = arguments.sampling;
    request.seed = static_cast<uint64_t>(arguments.seed);
    request.firstSample = i * static_cast<uint64_t>(arguments.samples);
    requests.push_back(std::move(request));
  }
  installStopSignals();

  ProgramOptions options;
  options.float32 = arguments.dtype == "float32";
  options.rollout = arguments.recipe;
  NIBBLE_ASSIGN(options.residence, openResidence(arguments.target));
  Session session(printWarning);
  NIBBLE_ASSIGN(Program program,
                ModelCompiler(session, model->config(), options).rollout());
  ParameterStore store;
  NIBBLE_TRY(store.declare(program));
  NIBBLE_TRY(store.initialize(*model));
  NIBBLE_TRY(warnOfRounding(arguments.recipe, *model, /*keepsStored=*/true));
  NIBBLE_ASSIGN(RolloutEngine engine,
                RolloutEngine::create(
                    program, store.lookupFunction(),
                    rolloutOptions(requests, model->config().maxPositions)));

  NIBBLE_ASSIGN(auto samples,
                engine.generate(requests, 0, [] { return stopRequested(); }));
  for (size_t i = 0; i < samples.size(); ++i)
    for (const Sample &sample : samples[i]) {
      std::string response =
          tokenizer.decode(sample.tokens, /*skipSpecial=*/true);
      if (!arguments.json) {
        fmt::print("{}{}\n", arguments.prompts[i], response);
        continue;
      }
      Json line = {{"prompt", arguments.prompts[i]},
                   {"response", response},
                   {"tokens", sample.tokens},
                   {"log_probability", sample.logProbability},
                   {"finish", nameOf(sample.finish)},
                   {"sample", sample.number}};
      fmt::print("{}\n",
                 line.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
  return Status::ok();
}

} // namespace

void addGenerate(CLI::App &app, Status &status) {
  auto *command = app.add_subcommand(
      "generate", "Generate text from prompts, with packed weights.");
  auto arguments = std::make_shared<GenerateArguments>();
  command->add_option("--model", arguments->model, "checkpoint folder")
      ->required();
  command
      ->add_option("--prompt", arguments->prompts,
                   "prompt; may be given again; default: one a line on "
                   "standard input, without blank lines")
      ->allow_extra_args(false);
  command->add_option("--samples", arguments->samples, "samples of each prompt")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command
      ->add_option("--max-new-tokens", arguments->sampling.maxNewTokens,
                   "of a sample")
      ->capture_default_str();
  command
      ->add_option("--temperature", arguments->sampling.temperature,
                   "0 is greedy")
      ->capture_default_str();
  command
      ->add_option("--top-k", arguments->sampling.topK,
                   "keep the most likely tokens; 0: off")
      ->capture_default_str();
  command
      ->add_option("--top-p", arguments->sampling.topP,
                   "keep the most likely tokens of this mass")
      ->capture_default_str();
  command
      ->add_option("--min-p", arguments->sampling.minP,
                   "keep tokens this likely relative to the most likely")
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "of the samples")
      ->capture_default_str();
  command->add_option("--dtype", arguments->dtype, "of weights and activations")
      ->check(CLI::IsMember({"bfloat16", "float32"}))
      ->capture_default_str();
  command->add_flag(
      "--json", arguments->json,
      "one JSON object a sample: tokens, log-probabilities, how it ended");
  addTargetOption(*command, arguments->target);
  addRecipeOptions(*command, arguments->recipe);
  command->callback([arguments, &status] { status = generate(*arguments); });
}

} // namespace nibble
