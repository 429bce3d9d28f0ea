// Computes log-probabilities of sequences call by call.
#include "runtime/train/log_probability.h"

#include <fmt/format.h>

namespace nibble {

Status collectRows(const Function &function,
                   const std::vector<TensorView> &results, int64_t rows,
                   RowValues &values,
                   std::map<std::string, std::vector<float>> *more) {
  auto append = [](std::vector<float> &to, const TensorView &from) {
    to.insert(to.end(), from.as<float>(), from.as<float>() + from.elements());
  };
  size_t before = values.logProbability.size();
  for (size_t i = 0; i < results.size(); ++i) {
    std::string name = function.info().results[i].name;
    if (results[i].dtype != DType::kF32 || results[i].shape != Shape{rows})
      continue;
    if (name == "logp")
      append(values.logProbability, results[i]);
    else if (name == "entropy")
      append(values.entropy, results[i]);
    else if (more)
      append((*more)[name], results[i]);
  }
  if (values.logProbability.size() != before + static_cast<size_t>(rows))
    return Status::failed(fmt::format(
        "program: '{}' gave no logp for each of {} rows; compile it again",
        function.info().name, rows));
  return Status::ok();
}

Result<LogProbability> LogProbability::create(const Program &program,
                                              const TensorLookup &parameters,
                                              int64_t maxTokens) {
  NIBBLE_ASSIGN(Function function, program.function("log_probability"));
  NIBBLE_TRY(bindTensors(function, parameters));
  return LogProbability(std::move(function), maxTokens);
}

Result<RowValues>
LogProbability::compute(std::span<const TrainSequence> sequences) {
  NIBBLE_TRY(check(sequences));
  RowValues values;
  for (Microbatch microbatch : splitByTokens(sequences, maxTokens_)) {
    inputs_.build(
        sequences.subspan(microbatch.begin, microbatch.end - microbatch.begin));
    NIBBLE_TRY(inputs_.bind(function_));
    NIBBLE_ASSIGN(auto results, function_.call(*arena_));
    NIBBLE_TRY(
        collectRows(function_, results, inputs_.rows(), values, nullptr));
    arena_->reset();
  }
  return values;
}

} // namespace nibble
