// Calls reward programs in parallel, and checks each answer.
#include "runtime/rl/rewards/reward_program.h"

#include "runtime/formats/io.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <thread>

namespace nibble {
namespace {

using Json = nlohmann::json;

Result<double> parseAnswer(const std::string &line, uint64_t id) {
  // The length of a line bounds the nesting depth, and the parser does not
  // recurse.
  Json answer = Json::parse(line, nullptr, false);
  if (!answer.is_object())
    return Status::failed(fmt::format("reward program answers what is not a "
                                      "JSON object: '{}'; correct the program",
                                      printable(line, 80)));
  auto answerId = answer.find("id");
  if (answerId == answer.end() || *answerId != id)
    return Status::failed(fmt::format(
        "reward program answers another id than {}: '{}'; correct the program",
        id, printable(line, 80)));
  auto reward = answer.find("reward");
  if (reward != answer.end() && reward->is_boolean())
    return reward->get<bool>() ? 1.0 : 0.0;
  if (reward == answer.end() || !reward->is_number() ||
      !std::isfinite(reward->get<double>()))
    return Status::failed(
        fmt::format("reward program answers without a finite number "
                    "\"reward\": '{}'; correct the program",
                    printable(line, 80)));
  return reward->get<double>();
}

} // namespace

RewardProgram::RewardProgram(RewardProgramOptions options)
    : options_(std::move(options)) {}

Result<std::unique_ptr<RewardProgram>>
RewardProgram::create(const RewardProgramOptions &options) {
  if (options.workers < 1 || options.workers > 256)
    return Status::usage(fmt::format(
        "reward program has {} workers: want 1 to 256", options.workers));
  std::unique_ptr<RewardProgram> program(new RewardProgram(options));
  program->workers_.resize(options.workers);
  NIBBLE_ASSIGN(ChildProcess first,
                ChildProcess::start(options.command, options.limits));
  program->workers_[0].emplace(std::move(first));
  program->starts_ = 1;
  return program;
}

Result<double> RewardProgram::exchange(std::optional<ChildProcess> &worker,
                                       uint64_t id,
                                       const RewardRequest &request) {
  // A program that ended after its last answer is restarted without any loss.
  if (worker && worker->hasEnded())
    worker.reset();
  if (!worker) {
    NIBBLE_ASSIGN(ChildProcess child,
                  ChildProcess::start(options_.command, options_.limits));
    worker.emplace(std::move(child));
    ++starts_;
  }
  Json line = {{"id", id},
               {"prompt", request.prompt},
               {"response", request.response},
               {"reference", request.reference}};
  NIBBLE_ASSIGN(std::string answer,
                worker->exchange(
                    line.dump(-1, ' ', false, Json::error_handler_t::replace),
                    options_.timeLimit));
  return parseAnswer(answer, id);
}

RewardOutcome RewardProgram::ask(std::optional<ChildProcess> &worker,
                                 uint64_t id, const RewardRequest &request) {
  Result<double> reward = exchange(worker, id, request);
  if (reward.isOk())
    return {*reward, false, {}};
  RewardOutcome outcome{0, true, reward.status().message()};
  if (std::string words = worker ? worker->lastWords() : ""; !words.empty())
    outcome.problem += fmt::format("; it says: {}", words);
  worker.reset();
  return outcome;
}

Result<std::vector<RewardOutcome>>
RewardProgram::score(std::span<const RewardRequest> requests) {
  std::vector<RewardOutcome> outcomes(requests.size());
  uint64_t firstId = nextId_;
  nextId_ += requests.size();
  std::atomic<size_t> next = 0;
  auto work = [&](std::optional<ChildProcess> &worker) {
    for (size_t i; (i = next++) < requests.size();)
      outcomes[i] = ask(worker, firstId + i, requests[i]);
  };
  std::vector<std::jthread> threads;
  for (size_t i = 1; i < std::min(workers_.size(), requests.size()); ++i)
    threads.emplace_back([&, i] { work(workers_[i]); });
  work(workers_[0]);
  threads.clear(); // joins the threads
  return outcomes;
}

} // namespace nibble
