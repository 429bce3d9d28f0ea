#include "runtime/rl/run_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace nibble {

namespace {

// Format 1 had `config_hash` in the place of `config` and `contents`.
constexpr int64_t kStateFormat = 2;
constexpr int64_t kOldestFormat = 1;

// "model.tmp.123" of a process 123 that is no more. One that runs may be
// writing beside the lock (nibble report).
bool isLeftover(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix))
    return false;
  name.remove_prefix(prefix.size());
  pid_t process = 0;
  auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), process);
  return error == std::errc() && end == name.data() + name.size() &&
         process > 0 && kill(process, 0) != 0 && errno == ESRCH;
}

// The keys that differ from those of a checkpoint's state, as one text; empty
// when none does.
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
          "{}: field \"{}\" is missing or no object; the checkpoint is damaged",
          file, name));
    *json = *field;
  }
  return fmt::format("{}", fmt::join(differences(began, now), ", "));
}

// What a process that was killed while it wrote the results of a run left
// half-written.
Status removeUnfinished(const std::filesystem::path &folder) {
  NIBBLE_ASSIGN(auto names, listFolder(folder));
  for (const std::string &name : names)
    if (isLeftover(name, "model.tmp.") || isLeftover(name, "report.html.tmp."))
      NIBBLE_TRY(removeTree(folder / name));
  return Status::ok();
}

} // namespace

Result<RunFolder> RunFolder::open(const Options &options) {
  std::error_code none; // what cannot be looked at cannot be written either,
                        // which is told below
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
  // No file counts as an empty one.
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
      return Status::badInput(
          fmt::format("{}: not a checkpoint of this version", file));
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
  // Only now: a run that is refused loses nothing.
  NIBBLE_TRY(removeUnfinished(options.folder));
  NIBBLE_TRY(tidyCheckpoints(run.checkpoints(), options.keepCheckpoints));
  return run;
}

RunFolder::~RunFolder() {
  if (!unused_)
    return;
  std::error_code
      ignored; // best effort: the error that ended the run is the one to tell
  std::filesystem::remove(*unused_ / FolderLock::kFile, ignored);
  std::filesystem::remove(*unused_,
                          ignored); // only when there is nothing else in it
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
