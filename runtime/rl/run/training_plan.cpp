// Describes what a run would do and what it needs: the lines of --dry-run.
#include "runtime/rl/run/training_run.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>

namespace nibble {

namespace {

std::string megabytes(int64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string labelled(const char *label, const std::string &text) {
  return fmt::format("{:<12} {}", label, text);
}

} // namespace

// Describes the arena of each function's largest call, and the device memory
// that the run takes beside it. Parameters and cache stay in that memory; calls
// take turns with the arena.
Status TrainingRun::describeDevice(
    const Residence &device,
    const std::function<void(const std::string &)> &line) const {
  int64_t largest = 0;
  auto calls = [&](const char *option, const Program &program,
                   int64_t tokens) -> Status {
    std::string text;
    for (const nibble_function &info : program.functions()) {
      NIBBLE_ASSIGN(Function function, program.function(info.name));
      NIBBLE_ASSIGN(int64_t bytes, function.planBytes(tokens));
      largest = std::max(largest, bytes);
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", info.name,
                          megabytes(bytes));
    }
    line(labelled("arena", fmt::format("of calls with {} = {}: {}", option,
                                       tokens, text)));
    return Status::ok();
  };
  NIBBLE_TRY(calls("train.max_tokens", *training_, config_.train.maxTokens));
  int64_t cache = 0;
  if (generates()) {
    cache = config_.rollout.cacheMegabytes << 20;
    NIBBLE_TRY(calls("rollout.max_tokens_per_call", *rollout_,
                     config_.rollout.maxTokensPerCall));
    // Logits stay on the device, outside the arena (Function::keepOnDevice).
    NIBBLE_ASSIGN(Function forward, rollout_->function("forward"));
    if (int logits = forward.result("logits");
        logits >= 0 && rollout_->has("sample"))
      largest += config_.rollout.maxTokensPerCall *
                 forward.info().results[logits].shape[1] *
                 static_cast<int64_t>(sizeof(float));
  }
  int64_t most = device.memory().total;
  int64_t total = store_.bytes() + initial_.bytes() + cache + largest;
  line(labelled("device", device.describe()));
  line(labelled(
      "on it",
      fmt::format("{} at most, of {}{}", megabytes(total), megabytes(most),
                  total <= most ? ""
                                : ": too much; lower train.max_tokens, "
                                  "rollout.max_tokens_per_call or "
                                  "rollout.cache_megabytes")));
  return Status::ok();
}

Status TrainingRun::describe(
    const std::function<void(const std::string &)> &line) const {
  int64_t parameters = 0;
  int64_t bytes[5] = {};
  constexpr const char *kinds[] = {"weight:", "packed:", "master:", "moment",
                                   "gradient:"};
  for (const auto &[key, tensor] : store_.tensors()) {
    parameters += key.starts_with("master:") ? tensor.elements() : 0;
    for (int i = 0; i < 5; ++i)
      bytes[i] +=
          key.starts_with(kinds[i]) ? static_cast<int64_t>(tensor.bytes()) : 0;
  }
  line(labelled("parameters", fmt::format("{}", parameters)));
  line(labelled(
      "memory",
      fmt::format(
          "{}: weights {}, packed {}, masters {}, moments {}, gradients {}",
          megabytes(store_.bytes()), megabytes(bytes[0]), megabytes(bytes[1]),
          megabytes(bytes[2]), megabytes(bytes[3]), megabytes(bytes[4]))));
  line(labelled(
      "cache",
      generates()
          ? fmt::format(
                "{} at most, of keys and values (rollout.cache_megabytes)",
                megabytes(config_.rollout.cacheMegabytes << 20))
          : "none, nothing is generated (eval.every = 0)"));
  if (std::shared_ptr<Residence> device = training_->residence())
    NIBBLE_TRY(describeDevice(*device, line));
  else
    line(labelled(
        "activations",
        fmt::format(
            "grow with train.max_tokens = {}{}", config_.train.maxTokens,
            generates() ? fmt::format(" and rollout.max_tokens_per_call = {}",
                                      config_.rollout.maxTokensPerCall)
                        : std::string())));
  if (options_.supervised)
    line(labelled("steps", fmt::format("{} of {} sequences", config_.sft.steps,
                                       config_.sft.sequencesPerStep)));
  else
    line(labelled("steps",
                  fmt::format("{} of {} prompts, {} samples each, {} updates",
                              config_.rl.steps, config_.rl.promptsPerStep,
                              config_.rl.samplesPerPrompt,
                              config_.rl.updatesPerStep)));
  line(labelled(
      "quantize",
      fmt::format("train {}, rollout {}, group size {}, convention {}",
                  config_.quantize.train, config_.quantize.rollout,
                  config_.quantize.groupSize, config_.quantize.convention)));
  line(labelled("threads", fmt::format("{}", omp_get_max_threads())));
  line(labelled("out", config_.run.out));
  return Status::ok();
}

} // namespace nibble
