// One step of reinforcement learning, and its metrics.
#include "runtime/rl/grpo.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

namespace nibble {

// Sums over all updates of a step.
struct UpdateTotals {
  // moving: number of updates that could move a weight.
  int64_t updates = 0, moving = 0, tokens = 0;
  double loss = 0, gradientNorm = 0, clipScale = 0, learningRate = 0;
  // Sums over updates of the objective's metrics with one number per call.
  std::map<std::string, double> perCall;
  // Sums over trained tokens of the metrics with one number per token.
  std::map<std::string, double> perToken;
};

namespace {

// Walks over the rows of consecutive sequences.
class RowWalk {
public:
  explicit RowWalk(std::span<const float> rows) : rows_(rows) {}
  std::span<const float> next(const TrainSequence &sequence) {
    auto result = rows_.first(static_cast<size_t>(sequence.rows()));
    rows_ = rows_.subspan(result.size());
    return result;
  }

private:
  std::span<const float> rows_;
};

// Adds rewards, lengths and entropy of all samples to the metrics.
void describeSamples(const Collected &collected,
                     std::map<std::string, double> &values) {
  std::vector<double> rewards;
  double reward = 0, squares = 0, tokens = 0, truncated = 0, failed = 0,
         entropy = 0, kept = 0;
  for (const auto *groups : {&collected.kept, &collected.dropped})
    for (const Group &group : *groups)
      for (const ScoredSample &scored : group.samples) {
        rewards.push_back(scored.reward);
        reward += scored.reward;
        squares += scored.reward * scored.reward;
        tokens += static_cast<double>(scored.sample.tokens.size());
        truncated += scored.sample.finish != FinishReason::kStop;
        failed += scored.failed;
        for (float value : scored.sample.entropy)
          entropy += value;
        for (float value : scored.sample.logKeptMass)
          kept += value;
      }
  double count = static_cast<double>(rewards.size());
  Moments moments = momentsOf(rewards);
  double mean = count > 0 && moments.unit == 1 ? reward / count
                                               : moments.mean * moments.unit;
  // This formula differs from the robust one in the last digits only, if the
  // spread is a substantial part of the values. Metrics keep its digits for
  // compatibility. For a small spread it would return rounding noise.
  double meanSquare = count > 0 ? squares / count : 0;
  double variance = meanSquare - mean * mean;
  bool hasDigits = moments.unit == 1 && variance > 0x1p-20 * meanSquare;
  values["samples"] = count;
  values["tokens"] = tokens;
  values["reward_mean"] = mean;
  values["reward_std"] =
      hasDigits ? std::sqrt(variance) : moments.deviation * moments.unit;
  values["reward_failed"] = failed;
  values["response_length_mean"] = count > 0 ? tokens / count : 0;
  values["truncated_fraction"] = count > 0 ? truncated / count : 0;
  values["entropy"] = tokens > 0 ? entropy / tokens : 0;
  values["log_kept_mass"] = tokens > 0 ? kept / tokens : 0;
  values["groups_kept"] = static_cast<double>(collected.kept.size());
  values["groups_dropped"] = static_cast<double>(collected.dropped.size());
  values["sampling_rounds"] = static_cast<double>(collected.rounds);
}

// Training takes advantages in float32. Failed when one does not fit, naming it
// and its reward.
Status checkAdvantages(std::span<const Group> groups, int64_t step) {
  for (const Group &group : groups)
    for (const ScoredSample &scored : group.samples)
      if (!std::isfinite(static_cast<float>(scored.advantage)))
        return Status::failed(fmt::format(
            "step {}: the advantage of a response with reward {} overflows "
            "float32 ({}); "
            "make rewards smaller, or set rl.advantage = \"group_std\"",
            step, scored.reward, scored.advantage));
  return Status::ok();
}

// Explains why a step updated no weight by what happened to its responses.
std::string describeNoUpdate(const Collected &collected, const Config &config) {
  int64_t responses = 0, failed = 0, truncated = 0, groupCount = 0, unequal = 0,
          usable = 0;
  std::set<double> rewards;
  for (const auto *groups : {&collected.kept, &collected.dropped})
    for (const Group &group : *groups) {
      bool teaches = !isUniform(group);
      ++groupCount;
      unequal += teaches;
      for (const ScoredSample &scored : group.samples) {
        ++responses;
        failed += scored.failed;
        if (!scored.failed)
          rewards.insert(scored.reward);
        bool isCutOff = config.rl.maskTruncated &&
                        scored.sample.finish != FinishReason::kStop;
        truncated += teaches && isCutOff;
        usable += teaches && !scored.failed && !isCutOff &&
                  !scored.sample.tokens.empty();
      }
    }
  if (failed == responses)
    return fmt::format("none of {} responses has a reward; the first: {}",
                       responses, collected.rewardProblem);
  std::string also =
      failed == 0
          ? ""
          : fmt::format(", and {} of {} responses have none; the first: {}",
                        failed, responses, collected.rewardProblem);
  if (unequal == 0 && rewards.size() == 1)
    return fmt::format("all rewards are {}, which says nothing about which "
                       "response is better{}",
                       *rewards.begin(), also);
  if (unequal == 0)
    return fmt::format("the rewards in each of {} groups are all equal{}",
                       groupCount, also);
  if (usable == 0 && truncated > 0)
    return fmt::format("all responses that could teach something ({}) were "
                       "truncated at rollout.max_new_tokens = {} and "
                       "left out (rl.mask_truncated){}",
                       truncated, config.rollout.sampling.maxNewTokens, also);
  return fmt::format("what the update makes of {} responses is 0{}", usable,
                     also);
}

} // namespace

Result<std::unique_ptr<GrpoLoop>> GrpoLoop::create(const Config &config,
                                                   const LoopParts &parts,
                                                   LoopCallbacks callbacks) {
  if (!parts.trainer || !parts.store || !parts.rollout ||
      !parts.environment.task || !parts.environment.codec)
    return Status::usage(
        "rl: needs a trainer, a rollout, a task and a tokenizer");
  if (config.rl.usesReference() && !parts.reference)
    return Status::usage("rl.kl_coefficient: there is no reference model to "
                         "keep near; set it to 0");
  bool comparesMore =
      config.rl.compare == Comparison::kAll || config.rl.updatesPerStep > 1;
  if (config.rl.compare != Comparison::kNone && comparesMore &&
      !parts.trainer->hasLogProbability())
    return Status::usage(
        "rl.compare: the training program has no 'log_probability'; compile it "
        "with one or set \"none\"");
  return std::unique_ptr<GrpoLoop>(
      new GrpoLoop(config, parts, std::move(callbacks), config.rl.steps, "rl"));
}

// Compares samples whose log-probabilities the update does not compute under
// the weights that sampled them.
Status GrpoLoop::compareUntrained(const Collected &collected,
                                  Mismatch &mismatch) {
  if (config().rl.compare == Comparison::kNone)
    return Status::ok();
  bool single = config().rl.updatesPerStep == 1;
  std::vector<const Sample *> samples;
  std::vector<TrainSequence> sequences;
  auto add = [&](const Group &group, const ScoredSample &scored) {
    if (scored.sample.tokens.empty())
      return;
    samples.push_back(&scored.sample);
    sequences.push_back(toSequence(group.prompt, scored.sample));
  };
  std::vector<SamplePlace> places;
  (void)toSequences(collected.kept, config(), places);
  size_t nextPlace = 0;
  for (size_t g = 0; g < collected.kept.size(); ++g)
    for (size_t s = 0; s < collected.kept[g].samples.size(); ++s) {
      bool trained = nextPlace < places.size() &&
                     places[nextPlace].group == g &&
                     places[nextPlace].sample == s;
      nextPlace += trained;
      if (trained ? !single : config().rl.compare == Comparison::kAll)
        add(collected.kept[g], collected.kept[g].samples[s]);
    }
  if (config().rl.compare == Comparison::kAll)
    for (const Group &group : collected.dropped)
      for (const ScoredSample &scored : group.samples)
        add(group, scored);
  if (sequences.empty())
    return Status::ok();
  NIBBLE_ASSIGN(RowValues values, parts().trainer->logProbability(sequences));
  RowWalk walk(values.logProbability);
  for (size_t i = 0; i < sequences.size(); ++i)
    mismatch.add(*samples[i], walk.next(sequences[i]));
  return Status::ok();
}

// Takes one optimizer step on these groups. `mismatch` is set while the weights
// are still those that sampled.
Status GrpoLoop::update(std::span<const Group> groups, Mismatch *mismatch,
                        UpdateTotals &totals) {
  std::vector<SamplePlace> places;
  std::vector<TrainSequence> sequences = toSequences(groups, config(), places);
  if (sequences.empty())
    return Status::ok();
  if (parts().trainer->takes("reference_logp") && !parts().reference)
    for (TrainSequence &sequence :
         sequences) // its coefficient is 0, so any finite value will do
      sequence.referenceLogProbability = sequence.oldLogProbability;
  else if (parts().trainer->takes("reference_logp")) {
    NIBBLE_ASSIGN(RowValues reference, parts().reference->compute(sequences));
    RowWalk walk(reference.logProbability);
    for (TrainSequence &sequence : sequences) {
      auto rows = walk.next(sequence);
      sequence.referenceLogProbability.assign(rows.begin(), rows.end());
    }
  }
  NIBBLE_ASSIGN(StepResult result, parts().trainer->step(sequences));
  RowWalk walk(result.values.logProbability);
  size_t row = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    auto rows = walk.next(sequences[i]);
    if (mismatch)
      mismatch->add(groups[places[i].group].samples[places[i].sample].sample,
                    rows);
    for (size_t t = 0; t < rows.size(); ++t, ++row) {
      if (sequences[i].mask[t] == 0)
        continue;
      ++totals.tokens;
      for (const auto &[name, values] : result.rowMetrics)
        totals.perToken[name] += values[row];
    }
  }
  for (const auto &[name, value] : result.metrics)
    totals.perCall[name] += value;
  ++totals.updates;
  totals.moving += movesWeights(result);
  totals.loss += result.loss;
  totals.gradientNorm += result.gradientNorm;
  totals.clipScale += result.clipScale;
  totals.learningRate = result.learningRate;
  return Status::ok();
}

Status GrpoLoop::takeStep(StepMetrics &line, std::string &noUpdate) {
  uint64_t version = static_cast<uint64_t>(parts().trainer->steps());
  NIBBLE_ASSIGN(Collected collected,
                collectGroups(config(), parts().environment, *parts().rollout,
                              line.step, nextProblem_, version, stop()));
  NIBBLE_TRY(checkAdvantages(collected.kept, line.step));
  StopWatch watch;
  Mismatch mismatch;
  NIBBLE_TRY(compareUntrained(collected, mismatch));
  double compareSeconds = watch.lap();
  if (stopRequested())
    return Status::interrupted(
        "training: stopped by a signal; go on with --resume");

  UpdateTotals totals;
  int64_t updates = config().rl.updatesPerStep;
  int64_t count = static_cast<int64_t>(collected.kept.size());
  bool compareHere = updates == 1 && config().rl.compare != Comparison::kNone;
  for (int64_t i = 0; i < updates; ++i) {
    int64_t begin = count * i / updates;
    int64_t end = count * (i + 1) / updates;
    NIBBLE_TRY(update(std::span(collected.kept).subspan(begin, end - begin),
                      compareHere ? &mismatch : nullptr, totals));
  }
  double trainSeconds = watch.lap();
  nextProblem_ = collected.nextProblem;

  std::map<std::string, double> &values = line.values;
  describeSamples(collected, values);
  warnOfRewards(line.step, values["reward_failed"], values["samples"],
                collected.rewardProblem, "are not trained on", toldOfFailures_);
  if (totals.moving == 0)
    noUpdate = describeNoUpdate(collected, config());
  if (config().rl.compare != Comparison::kNone) {
    values["train_rollout_logprob_abs_diff"] =
        mismatch.meanAbsoluteDifference();
    values["train_rollout_logprob_mismatches"] =
        static_cast<double>(mismatch.mismatches);
    values["train_rollout_logprob_tokens"] =
        static_cast<double>(mismatch.tokens);
  }
  double n = static_cast<double>(std::max<int64_t>(totals.updates, 1));
  values["updates"] = static_cast<double>(totals.updates);
  values["trained_tokens"] = static_cast<double>(totals.tokens);
  values["loss"] = totals.loss / n;
  values["gradient_norm"] = totals.gradientNorm / n;
  values["clip_scale"] = totals.updates ? totals.clipScale / n : 1.0;
  values["learning_rate"] = totals.learningRate;
  for (const auto &[name, sum] : totals.perCall)
    values[name] = sum / n;
  for (const auto &[name, sum] : totals.perToken)
    values[name] = sum / static_cast<double>(totals.tokens);
  // There is no reference to measure a distance to.
  if (!parts().reference)
    values.erase("kl");

  values["time_rollout"] = collected.rolloutSeconds;
  values["time_reward"] = collected.rewardSeconds;
  values["time_compare"] = compareSeconds;
  values["time_train"] = trainSeconds;
  values["tokens_per_second"] =
      static_cast<double>(collected.sampledTokens) / collected.rolloutSeconds;
  values["memory_rollout_cache_bytes"] =
      static_cast<double>(parts().rollout->statistics().cacheBytes);
  values["memory_rollout_arena_bytes"] =
      static_cast<double>(parts().rollout->statistics().arenaBytes);
  return Status::ok();
}

} // namespace nibble
