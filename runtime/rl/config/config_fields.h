// Defines every key of the configuration once: name, place, range and meaning.
// An archive visits them all.
#pragma once

#include "lib/Numerics/scheme.h"
#include "lib/Objectives/Objectives.h"
#include "runtime/rl/config/config.h"
#include "runtime/rl/tasks/task.h"

#include <initializer_list>
#include <utility>

namespace nibble {

template <typename Enum>
using Names = std::initializer_list<std::pair<const char *, Enum>>;

// An archive has these members:
//   section(name)
//   text, texts(key, value, meaning)
//   choice(key, text value, names, meaning)
//   named(key, enum value, names, meaning)
//   flag(key, value, meaning)
//   integer, number(key, value, least, most, meaning)
//   option(option of an objective, values that were set by key, value)
template <typename Archive> void visitConfig(Archive &a, Config &c) {
  a.section("model");
  a.text("path", c.model.path, "checkpoint folder");
  a.choice("dtype", c.model.dtype, {"bfloat16", "float32"},
           "of weights and activations");
  a.integer("context_length", c.model.contextLength, 0, 1 << 24,
            "tokens of prompt and response; 0: the model's own");

  a.section("quantize");
  a.choice("train", c.quantize.train, numerics::schemeNames(),
           "grid that training fakes");
  a.choice("rollout", c.quantize.rollout, numerics::schemeNames(),
           "grid that rollout weights are packed on");
  const std::string groupSizes =
      "weights that share a scale: " + numerics::groupSizeChoices() +
      ", or 0 for a row; of " + numerics::fixedGroupSizes();
  a.integer("group_size", c.quantize.groupSize, 0,
            numerics::groupSizes().back(), groupSizes.c_str());
  a.choice("convention", c.quantize.convention, numerics::runConventions(),
           "slime: scales in float32 while training");
  a.texts("include", c.quantize.include,
          "what is quantized: expressions searched in tensor names, or re: and "
          "one that module names begin with; empty: all");
  a.texts("exclude", c.quantize.exclude,
          "what is not, like include and stronger");
  a.flag("default_exclude", c.quantize.defaultExclude,
         "leave lm_head and embed_tokens out, beside what exclude names");
  a.flag("strict", c.quantize.strict,
         "what is named and stays in full precision, and a pattern without "
         "effect, is an error, not a warning");

  a.section("rollout");
  SamplingOptions &sampling = c.rollout.sampling;
  a.number("temperature", sampling.temperature, 0, 100, "0 is greedy");
  a.integer("top_k", sampling.topK, 0, 1 << 24,
            "keep the most likely tokens; 0: off");
  a.number("top_p", sampling.topP, 1e-9, 1,
           "keep the most likely tokens of this mass; 1: off");
  a.number("min_p", sampling.minP, 0, 1,
           "keep tokens this likely relative to the most likely; 0: off");
  a.integer("max_new_tokens", sampling.maxNewTokens, 1, 1 << 24,
            "of a response");
  a.integer("max_tokens_per_call", c.rollout.maxTokensPerCall, 1, 1 << 24,
            "prompt and new tokens computed at a time");
  a.integer("max_running", c.rollout.maxRunning, 1, 1 << 20,
            "responses generated at a time");
  a.integer("cache_megabytes", c.rollout.cacheMegabytes, 1, 1 << 24,
            "upper limit of the key and value cache");

  a.section("train");
  OptimizerOptions &optimizer = c.train.optimizer;
  a.number("learning_rate", optimizer.learningRate, 0, 10, "of AdamW");
  a.number("beta1", optimizer.beta1, 0, 0.9999999, "decay of the first moment");
  a.number("beta2", optimizer.beta2, 0, 0.9999999,
           "decay of the second moment");
  a.number("epsilon", optimizer.epsilon, 1e-30, 1,
           "added to the root of the second moment");
  a.number("weight_decay", optimizer.weightDecay, 0, 10, "decoupled");
  a.number("clip_norm", optimizer.clipNorm, 0, 1e9,
           "largest gradient norm; 0: no limit");
  a.named("schedule", optimizer.decay,
          Names<Decay>{{"constant", Decay::kConstant},
                       {"linear", Decay::kLinear},
                       {"cosine", Decay::kCosine}},
          "of the learning rate, after the warm-up, to the last step");
  a.integer("warmup_steps", optimizer.warmupSteps, 0, 1 << 30,
            "linear rise of the learning rate");
  a.number("final_fraction", optimizer.finalFraction, 0, 1,
           "of the learning rate, at the end of the schedule");
  a.integer("max_tokens", c.train.maxTokens, 1, 1 << 24,
            "computed at a time; on target host results do not depend on it");
  a.integer("max_steps_without_update", c.train.maxStepsWithoutUpdate, 0,
            1 << 30,
            "so many steps one after the other in which no weight is updated "
            "end the run with an error; 0: no limit");

  a.section("rl");
  a.integer("steps", c.rl.steps, 0, 1 << 30, "rollout and training, once each");
  a.integer("prompts_per_step", c.rl.promptsPerStep, 1, 1 << 20,
            "groups that a step trains on");
  a.integer("samples_per_prompt", c.rl.samplesPerPrompt, 1, 1 << 20,
            "responses of one group");
  a.named("advantage", c.rl.advantage,
          Names<Advantage>{{"group_std", Advantage::kGroupStd},
                           {"group_mean", Advantage::kGroupMean}},
          "reward minus the group's mean, divided by its standard deviation or "
          "not (Dr. GRPO)");
  a.number("advantage_epsilon", c.rl.advantageEpsilon, 0, 1,
           "added to the standard deviation");
  a.number("negative_weight", c.rl.negativeWeight, 0, 1,
           "of advantages below 0; under 1 learns more from what was right");
  a.flag("filter_equal_rewards", c.rl.filterEqualRewards,
         "drop groups whose rewards are all equal");
  a.integer("max_sampling_rounds", c.rl.maxSamplingRounds, 1, 1000,
            "rounds of prompts to fill up what the filter dropped");
  a.integer("updates_per_step", c.rl.updatesPerStep, 1, 1 << 20,
            "optimizer updates on the samples of a step");
  a.flag("mask_truncated", c.rl.maskTruncated,
         "do not train on responses that ran out of tokens");
  a.named("loss_normalization", c.rl.lossNormalization,
          Names<LossNormalization>{{"token", LossNormalization::kToken},
                                   {"sequence", LossNormalization::kSequence},
                                   {"constant", LossNormalization::kConstant}},
          "mean over tokens, mean over responses of their means, or sum over "
          "max_new_tokens (Dr. GRPO)");
  a.named("compare", c.rl.compare,
          Names<Comparison>{{"all", Comparison::kAll},
                            {"trained", Comparison::kTrained},
                            {"none", Comparison::kNone}},
          "sampled tokens whose log-probabilities in training and rollout are "
          "compared bit by bit");
  const std::string objectives =
      "loss of a token: " + objectiveNames(", ", ", ", "advantage") +
      ", or the path of an .mlir file (lib/Objectives)";
  a.text("objective", c.rl.objective, objectives.c_str());
  a.texts("objective_options", c.rl.objectiveOptions,
          "further options of the objective: name=number");
  for (const ObjectiveOption &option : objectiveKeys())
    a.option(option, c.rl.optionValues, c.rl.option(option.key));
  a.number("until_reward", c.rl.untilReward, 0, 1,
           "held-out reward that ends the run early; 0: none does");

  a.section("sft");
  a.integer("steps", c.sft.steps, 0, 1 << 30, "optimizer updates");
  a.integer("sequences_per_step", c.sft.sequencesPerStep, 1, 1 << 24,
            "problems with their answers");
  a.number("until_reward", c.sft.untilReward, 0, 1,
           "held-out reward that ends the training early; 0: none does");

  a.section("task");
  std::vector<const char *> tasks = taskNames();
  tasks.push_back("jsonl");
  a.choice("name", c.task.name, tasks,
           "generated problems, or those of a file of JSON lines");
  a.integer("digits", c.task.digits, 1, 18, "addition: of an operand at most");
  a.integer("min_digits", c.task.minDigits, 1, 18,
            "addition: of an operand at least");
  a.integer("count", c.task.count, 1, 64,
            "countdown, sort: numbers in a problem");
  a.integer("maximum", c.task.maximum, 1, 999999,
            "countdown, sort: largest number");
  a.integer("held_out_one_in", c.task.heldOutOneIn, 2, 1000,
            "of so many problems one is only evaluated on; of a file none "
            "where eval.every is 0");
  a.text("prompt_prefix", c.task.promptPrefix, "before every prompt");
  a.text("prompt_suffix", c.task.promptSuffix, "after every prompt");
  a.text(
      "path", c.task.path,
      "jsonl: the file, an object with a prompt and its answer in each line");
  a.text("held_out_path", c.task.heldOutPath,
         "jsonl: file of held-out problems; empty: one in held_out_one_in of "
         "the other, where eval.every is not 0");
  a.text("prompt_field", c.task.promptField,
         "jsonl: name of the prompt in an object; a.b: field b of the object "
         "in field a, a.0: the first of the list");
  a.text("answer_field", c.task.answerField,
         "jsonl: name of the answer, as of the prompt; a number is its plain "
         "decimal (5.0: 5); empty: there is none, a reward program knows");

  a.section("reward");
  a.texts(
      "command", c.reward.command,
      "program that scores responses, and its arguments; empty: the task does");
  a.integer("workers", c.reward.workers, 1, 256,
            "copies of the program side by side");
  a.number("time_limit_seconds", c.reward.timeLimitSeconds, 0.001, 86400,
           "of one answer");

  a.section("eval");
  a.integer("every", c.eval.every, 0, 1 << 30,
            "steps between evaluations on held-out problems; 0: never");
  a.integer("problems", c.eval.problems, 1, 1 << 24,
            "held-out problems of an evaluation");
  a.number("temperature", c.eval.temperature, 0, 100, "0 is greedy");

  a.section("run");
  a.integer("seed", c.run.seed, 0, INT64_MAX, "of everything random");
  a.text("out", c.run.out, "folder for metrics and checkpoints");
  a.integer("threads", c.run.threads, 0, 4096, "0: one per core");
  a.choice("target", c.run.target, {"host", "cuda", "simt"},
           "where programs run: this machine's CPU, an H200, or its kernels on "
           "the CPU");
  a.integer("checkpoint_every", c.run.checkpointEvery, 0, 1 << 30,
            "steps between checkpoints; 0: only at the end");
  a.integer("keep_checkpoints", c.run.keepCheckpoints, 1, 1 << 20,
            "newest ones that stay");
}

} // namespace nibble
