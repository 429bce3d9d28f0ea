// Opens and locks a run's folder, and saves and restores its checkpoints.
#include "runtime/rl/run_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace nibble {

namespace {

// Format 1 had `config_hash` instead of `config` and `contents`.
constexpr int64_t kStateFormat = 2;
constexpr int64_t kOldestFormat = 1;

// Whether this is "model.tmp.123" or "report.html.tmp.123.0" of a process 123
// that no longer exists. A running process may write without the lock (nibble
// report).
bool isLeftover(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix))
    return false;
  name.remove_prefix(prefix.size());
  pid_t process = 0;
  auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), process);
  bool isNumber = end == name.data() + name.size() || *end == '.';
  return error == std::errc() && isNumber && process > 0 &&
         kill(process, 0) != 0 && errno == ESRCH;
}

// The keys that differ from those in a checkpoint's state, as one text. Empty
// when none differs.
Result<std::string> differencesFrom(const Json &state, int64_t format,
                                    const RunIdentity &now,
                                    const std::string &file) {
  if (format == 1) {
    NIBBLE_ASSIGN(std::string hash, stringField(state, "config_hash", file));
    return hash == now.legacyHash
               ? std::string()
               : std::string("which keys differ is not known, an older version "
                             "saved it with no "
                             "more than a hash of them");
  }
  RunIdentity began;
  for (auto [name, json] : {std::pair("config", &began.config),
                            std::pair("contents", &began.contents)}) {
    const Json *field = findField(state, name);
    if (!field || !field->is_object())
      return Status::badInput(fmt::format(
          "{}: field \"{}\" is missing or no object; the checkpoint is "
          "damaged; remove it and resume from an older one",
          file, name));
    *json = *field;
  }
  return fmt::format("{}", fmt::join(differences(began, now), ", "));
}

// Removes results of a run that a killed process left half-written.
Status removeUnfinished(const std::filesystem::path &folder) {
  NIBBLE_ASSIGN(auto names, listFolder(folder));
  for (const std::string &name : names)
    if (isLeftover(name, "model.tmp.") || isLeftover(name, "report.html.tmp."))
      NIBBLE_TRY(removeTree(folder / name));
  return Status::ok();
}

} // namespace

Result<RunFolder> RunFolder::open(const Options &options) {
  // A folder that cannot be listed cannot be written either, which is reported
  // below.
  std::error_code none;
  bool isNew = !std::filesystem::exists(options.folder, none);
  NIBBLE_TRY(makeFolders(options.folder));
  NIBBLE_ASSIGN(FolderLock lock, FolderLock::acquire(options.folder));
  RunFolder run(options, std::move(lock));
  if (isNew)
    run.unused_ = std::make_unique<std::filesystem::path>(options.folder);
  NIBBLE_ASSIGN(run.checkpoint_,
                newestCheckpoint(run.checkpoints(), run.warnings_));
  std::string where = options.folder.string();
  auto metricsSize =
      std::filesystem::file_size(options.folder / "metrics.jsonl", none);
  // An empty file counts as no file.
  bool holdsRun =
      run.checkpoint_ || !run.warnings_.empty() || (!none && metricsSize > 0);
  if (holdsRun && !options.resume)
    return Status::usage(fmt::format("{}: holds a run already; resume it "
                                     "(--resume) or choose another folder",
                                     where));
  if (!run.checkpoint_ && !run.warnings_.empty())
    return Status::badInput(fmt::format("{}: no checkpoint is whole; {}", where,
                                        run.warnings_.front()));
  if (run.checkpoint_) {
    const Json &state = run.checkpoint_->state;
    std::string file = (run.checkpoint_->path / "state.json").string();
    NIBBLE_ASSIGN(int64_t format,
                  integerField(state, "format", file, 0, INT64_MAX));
    NIBBLE_ASSIGN(std::string kind, stringField(state, "kind", file));
    NIBBLE_ASSIGN(int64_t step,
                  integerField(state, "step", file, 0, INT64_MAX));
    if (format < kOldestFormat || format > kStateFormat ||
        step != run.checkpoint_->step || !findField(state, "loop"))
      return Status::badInput(fmt::format(
          "{}: not a checkpoint of this version; begin another run", file));
    constexpr const char *kMend =
        "go on with the configuration it began with or choose another folder";
    if (kind != options.kind)
      return Status::usage(fmt::format("{}: holds a run of 'nibble {}'; {}",
                                       where, kind, kMend));
    NIBBLE_ASSIGN(std::string differs,
                  differencesFrom(state, format, options.identity, file));
    if (!differs.empty())
      return Status::usage(
          fmt::format("{}: holds a run of another configuration: {}; {}", where,
                      differs, kMend));
    run.lastSaved_ = step;
  }
  // Remove nothing before this point, so that a refused run loses nothing.
  NIBBLE_TRY(removeUnfinished(options.folder));
  NIBBLE_TRY(tidyCheckpoints(run.checkpoints(), options.keepCheckpoints));
  return run;
}

RunFolder::~RunFolder() {
  if (!unused_)
    return;
  // Best effort: the error that ended the run is the one to report.
  std::error_code ignored;
  std::filesystem::remove(*unused_ / FolderLock::kFile, ignored);
  // Fails when the folder holds anything else, which then stays.
  std::filesystem::remove(*unused_, ignored);
}

const Json &RunFolder::state() const {
  static const Json nothing;
  return checkpoint_ ? checkpoint_->state["loop"] : nothing;
}

Status RunFolder::restore(ParameterStore &store) const {
  return checkpoint_ ? loadCheckpoint(*checkpoint_, store) : Status::ok();
}

Result<std::optional<StepMetrics>> RunFolder::recorded(int64_t step) const {
  std::error_code none;
  if (!std::filesystem::exists(options_.folder / "metrics.jsonl", none))
    return std::optional<StepMetrics>();
  NIBBLE_ASSIGN(RunSeries series, readRun(options_.folder, {}));
  auto line = std::ranges::find(series.steps, step, &StepMetrics::step);
  return line == series.steps.end() ? std::optional<StepMetrics>()
                                    : std::optional(*line);
}

Status RunFolder::beginMetrics(int64_t firstStep) {
  unused_.reset();
  NIBBLE_ASSIGN(metrics_, MetricsWriter::open(options_.folder, firstStep));
  return Status::ok();
}

Status RunFolder::save(int64_t step, Json state, const ParameterStore &store) {
  if (step == lastSaved_)
    return Status::ok();
  Json whole = {{"format", kStateFormat},
                {"kind", options_.kind},
                {"config", options_.identity.config},
                {"contents", options_.identity.contents},
                {"step", step},
                {"loop", std::move(state)}};
  NIBBLE_TRY(saveCheckpoint(checkpoints(), step, whole, store,
                            options_.keepCheckpoints));
  lastSaved_ = step;
  return Status::ok();
}

} // namespace nibble
