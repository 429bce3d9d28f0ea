// Splits sequences into calls and fills the tensors of each call.
#include "runtime/train/batch.h"

#include "runtime/core/program/bind.h"

#include <fmt/format.h>

namespace nibble {

Status check(std::span<const TrainSequence> sequences) {
  for (size_t i = 0; i < sequences.size(); ++i) {
    const TrainSequence &sequence = sequences[i];
    if (sequence.rows() < 1)
      return Status::usage(
          fmt::format("train: sequence {} has {} tokens; two are needed", i,
                      sequence.tokens.size()));
    for (const auto *list :
         {&sequence.mask, &sequence.weight, &sequence.advantage,
          &sequence.oldLogProbability, &sequence.referenceLogProbability})
      if (!list->empty() &&
          static_cast<int64_t>(list->size()) != sequence.rows())
        return Status::usage(
            fmt::format("train: sequence {} of {} rows has a list of {} "
                        "values; give one value for each row",
                        i, sequence.rows(), list->size()));
  }
  return Status::ok();
}

std::vector<Microbatch> splitByTokens(std::span<const TrainSequence> sequences,
                                      int64_t maxTokens) {
  std::vector<Microbatch> result;
  int64_t used = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(sequences.size()); ++i) {
    int64_t rows = sequences[i].rows();
    if (result.empty() || used + rows > maxTokens) {
      result.push_back({i, i});
      used = 0;
    }
    result.back().end = i + 1;
    used += rows;
  }
  return result;
}

void TrainInputs::build(std::span<const TrainSequence> sequences) {
  for (auto *list : {&tokens_, &targets_, &positions_})
    list->clear();
  for (auto *list : {&temperature_, &mask_, &weight_, &advantage_, &oldLogp_,
                     &referenceLogp_})
    list->clear();
  sequences_.assign(1, 0);
  for (const TrainSequence &sequence : sequences) {
    size_t rows = static_cast<size_t>(sequence.rows());
    for (size_t t = 0; t < rows; ++t) {
      tokens_.push_back(sequence.tokens[t]);
      targets_.push_back(sequence.tokens[t + 1]);
      positions_.push_back(static_cast<int32_t>(t));
    }
    auto append = [&](std::vector<float> &to, const std::vector<float> &from) {
      if (from.empty())
        to.insert(to.end(), rows, 0.0f);
      else
        to.insert(to.end(), from.begin(), from.end());
    };
    temperature_.insert(temperature_.end(), rows, sequence.temperature);
    append(mask_, sequence.mask);
    append(weight_, sequence.weight);
    append(advantage_, sequence.advantage);
    append(oldLogp_, sequence.oldLogProbability);
    append(referenceLogp_, sequence.referenceLogProbability);
    sequences_.push_back(static_cast<int32_t>(tokens_.size()));
  }
}

Status TrainInputs::bind(Function &function) {
  NIBBLE_TRY(bindIfTaken(function, "tokens", viewOf(tokens_)));
  NIBBLE_TRY(bindIfTaken(function, "targets", viewOf(targets_)));
  NIBBLE_TRY(bindIfTaken(function, "positions", viewOf(positions_)));
  NIBBLE_TRY(bindIfTaken(function, "sequences", viewOf(sequences_)));
  NIBBLE_TRY(bindIfTaken(function, "temperature", viewOf(temperature_)));
  NIBBLE_TRY(bindIfTaken(function, "mask", viewOf(mask_)));
  NIBBLE_TRY(bindIfTaken(function, "weight", viewOf(weight_)));
  NIBBLE_TRY(bindIfTaken(function, "advantage", viewOf(advantage_)));
  NIBBLE_TRY(bindIfTaken(function, "old_logp", viewOf(oldLogp_)));
  return bindIfTaken(function, "reference_logp", viewOf(referenceLogp_));
}

} // namespace nibble
