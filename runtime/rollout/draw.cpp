// Draws tokens with the program's own function or on host threads.
#include "runtime/rollout/draw.h"

#include "runtime/core/program/bind.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace nibble {

Result<TokenDrawer> TokenDrawer::create(const Program &program,
                                        Function &forward, int64_t threads) {
  bool samples = program.has("sample");
  NIBBLE_ASSIGN(
      Function function,
      program.function(samples ? "sample" : "sample_log_probability"));
  std::vector<const char *> needed = {"logp"};
  if (samples)
    needed = {"tokens", "log_kept_mass", "status", "logp"};
  for (const char *name : needed)
    if (function.result(name) < 0)
      return Status::failed(
          fmt::format("program: '{}' has no result '{}'; compile it again",
                      function.info().name, name));
  if (samples)
    forward.keepOnDevice(forward.result("logits"));
  return TokenDrawer(std::move(function), samples, threads);
}

// Rows are independent, so the number of threads does not change results.
void TokenDrawer::choose(const TensorView &logits,
                         std::span<const RowDraw> draws) {
  constexpr int64_t kWorthAThread = 1 << 16; // number of logits
  auto count = static_cast<int64_t>(draws.size());
  int64_t vocabulary = logits.shape[1];
  int64_t threads = std::clamp<int64_t>(
      std::min(threads_, count * vocabulary / kWorthAThread), 1, count);
  samplers_.resize(std::max<size_t>(samplers_.size(), threads));
  auto work = [&](int64_t thread) {
    for (int64_t i = thread; i < count; i += threads) {
      auto row = std::span(logits.as<const float>() + i * vocabulary,
                           static_cast<size_t>(vocabulary));
      auto choice = samplers_[thread].choose(row, *draws[i].sampling,
                                             draws[i].randomBits);
      if (choice.isOk()) {
        drawn_.tokens[i] = choice->token;
        drawn_.logKeptMass[i] = choice->logKeptMass;
      } else {
        drawn_.status[i] = std::move(choice).takeStatus();
      }
    }
  };
  std::vector<std::thread> others;
  for (int64_t thread = 1; thread < threads; ++thread)
    others.emplace_back(work, thread);
  work(0);
  for (std::thread &thread : others)
    thread.join();
}

Status TokenDrawer::bindDraws(std::span<const RowDraw> draws,
                              int64_t vocabulary) {
  bits_.clear();
  for (auto *list : {&filtered_, &topK_})
    list->clear();
  for (auto *list : {&topP_, &minP_})
    list->clear();
  temperatures_.clear();
  for (size_t i = 0; i < draws.size(); ++i) {
    const SamplingOptions &sampling = *draws[i].sampling;
    bits_.push_back(static_cast<int64_t>(draws[i].randomBits));
    temperatures_.push_back(static_cast<float>(sampling.temperature));
    if (!sampling.filtered())
      continue;
    filtered_.push_back(static_cast<int32_t>(i));
    topK_.push_back(static_cast<int32_t>(std::min(sampling.topK, vocabulary)));
    topP_.push_back(sampling.topP);
    minP_.push_back(sampling.minP);
  }
  NIBBLE_TRY(function_.bind("temperature", viewOf(temperatures_)));
  NIBBLE_TRY(function_.bind("recorded_temperature", viewOf(recorded_)));
  NIBBLE_TRY(function_.bind("bits", viewOf(bits_)));
  NIBBLE_TRY(function_.bind("filtered", viewOf(filtered_)));
  NIBBLE_TRY(function_.bind("top_k", viewOf(topK_)));
  NIBBLE_TRY(function_.bind("top_p", viewOf(topP_)));
  return function_.bind("min_p", viewOf(minP_));
}

Result<const DrawnTokens *> TokenDrawer::draw(const TensorView &logits,
                                              std::span<const RowDraw> draws,
                                              Arena &arena) {
  size_t count = draws.size();
  drawn_.tokens.assign(count, 0);
  drawn_.logKeptMass.assign(count, 0);
  drawn_.status.assign(count, Status::ok());
  recorded_.clear();
  for (const RowDraw &draw : draws)
    recorded_.push_back(draw.sampling->recordedTemperature());
  NIBBLE_TRY(function_.bind("logits", logits));
  if (samples_) {
    NIBBLE_TRY(bindDraws(draws, logits.shape[1]));
  } else {
    choose(logits, draws);
    NIBBLE_TRY(function_.bind("targets", viewOf(drawn_.tokens)));
    NIBBLE_TRY(bindIfTaken(function_, "temperature", viewOf(recorded_)));
  }
  NIBBLE_ASSIGN(auto results, function_.call(arena));
  auto copy = [&]<typename T>(const char *name, std::vector<T> &to) {
    int index = function_.result(name);
    const T *from = index < 0 ? nullptr : results[index].template as<T>();
    to.assign(from, from + (from ? count : 0));
  };
  copy("logp", drawn_.logProbability);
  copy("entropy", drawn_.entropy);
  if (samples_) {
    std::vector<int32_t> status;
    copy("tokens", drawn_.tokens);
    copy("log_kept_mass", drawn_.logKeptMass);
    copy("status", status);
    for (size_t i = 0; i < count; ++i)
      drawn_.status[i] = describeBadRow(status[i]);
  }
  return &drawn_;
}

} // namespace nibble
