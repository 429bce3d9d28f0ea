// Starts a program with pipes and limits, exchanges lines with it, and ends it.
#include "runtime/rl/rewards/child_process.h"

#include "runtime/formats/io.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

extern char **environ;

namespace nibble {
namespace {

// A write to a pipe without a reader raises SIGPIPE in this thread. This object
// blocks the signal and discards it.
class NoBrokenPipeSignal {
public:
  NoBrokenPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    wasPending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoBrokenPipeSignal() {
    timespec now{};
    if (!wasPending_)
      while (sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
      }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoBrokenPipeSignal(const NoBrokenPipeSignal &) = delete;
  NoBrokenPipeSignal &operator=(const NoBrokenPipeSignal &) = delete;

private:
  sigset_t pipe_, before_;
  bool wasPending_;
};

// White space around a line, including blank lines.
constexpr std::string_view kSpace = " \t\r\n";

// Both ends close on exec. The child receives copies under its own descriptor
// numbers.
Result<std::pair<Descriptor, Descriptor>> makePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return Status::environment(fmt::format(
        "cannot make a pipe: {}; raise the limit of open files (ulimit -n)",
        strerror(errno)));
  return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

// Arguments of posix_spawn, freed by the destructor.
struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    // Give the child a process group of its own, and the default signal
    // handling of a fresh program.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
                                              POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan &) = delete;
  SpawnPlan &operator=(const SpawnPlan &) = delete;
};

void limitResource(pid_t pid, __rlimit_resource resource, int64_t limit) {
  rlimit value{static_cast<rlim_t>(limit), static_cast<rlim_t>(limit)};
  prlimit(pid, resource, &value, nullptr);
}

// Milliseconds until the deadline, rounded up; 0 when it has passed.
int millisecondsTo(std::chrono::steady_clock::time_point deadline) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(
                  deadline - std::chrono::steady_clock::now())
                  .count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
}

} // namespace

Result<ChildProcess>
ChildProcess::start(const std::vector<std::string> &command,
                    const ChildLimits &limits) {
  if (command.empty())
    return Status::usage(
        "reward program is empty: give a program and its arguments");
  NIBBLE_ASSIGN(auto toChild, makePipe());
  NIBBLE_ASSIGN(auto fromChild, makePipe());
  NIBBLE_ASSIGN(auto errors, makePipe());
  SpawnPlan plan;
  posix_spawn_file_actions_adddup2(&plan.actions, toChild.first.get(),
                                   STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&plan.actions, fromChild.second.get(),
                                   STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&plan.actions, errors.second.get(),
                                   STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&plan.actions, STDERR_FILENO + 1);
  std::vector<char *> arguments;
  for (const std::string &argument : command)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  if (int error = posix_spawnp(&pid, arguments[0], &plan.actions,
                               &plan.attributes, arguments.data(), environ))
    return Status::usage(fmt::format(
        "cannot start reward program '{}': {}; correct reward.command",
        command[0], strerror(error)));
  // So far the child holds none of our data, so the limits are in force before
  // the first request.
  limitResource(pid, RLIMIT_AS, limits.addressSpaceBytes);
  limitResource(pid, RLIMIT_FSIZE, limits.fileBytes);
  limitResource(pid, RLIMIT_NOFILE, limits.openFiles);
  limitResource(pid, RLIMIT_CORE, 0);
  for (const Descriptor *ours :
       {&toChild.second, &fromChild.first, &errors.first})
    fcntl(ours->get(), F_SETFL, O_NONBLOCK);
  Pipes pipes{std::move(toChild.second), std::move(fromChild.first),
              std::move(errors.first)};
  return ChildProcess(pid, std::move(pipes), limits.lineBytes);
}

ChildProcess::ChildProcess(pid_t pid, Pipes pipes, size_t lineBytes)
    : pid_(pid), pipes_(std::move(pipes)), lineBytes_(lineBytes) {}

ChildProcess::ChildProcess(ChildProcess &&other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pipes_(std::move(other.pipes_)),
      lineBytes_(other.lineBytes_), pending_(std::move(other.pending_)),
      errors_(std::move(other.errors_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ < 0)
    return;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL); // the child may have left its group
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string ChildProcess::ending() {
  // Its pipes are closed. It may need a moment to exit.
  int state = 0;
  for (int i = 0; i < 100; ++i) {
    pid_t ended = waitpid(pid_, &state, WNOHANG);
    if (ended == pid_) {
      // Descendants may still be running.
      kill(-pid_, SIGKILL);
      pid_ = -1;
      return WIFEXITED(state)
                 ? fmt::format("exited with status {}", WEXITSTATUS(state))
                 : fmt::format("was ended by signal {}", WTERMSIG(state));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return "closed its output";
}

bool ChildProcess::hasEnded() const {
  pollfd state{pipes_.out.get(), POLLIN, 0};
  return poll(&state, 1, 0) == 1 && (state.revents & POLLHUP) &&
         !(state.revents & POLLIN);
}

void ChildProcess::readErrors() {
  constexpr size_t kKept = 4096;
  char buffer[4096];
  if (!pipes_.error.isOpen())
    return;
  ssize_t got = read(pipes_.error.get(), buffer, sizeof(buffer));
  // A closed pipe would be reported as ready forever.
  if (got == 0)
    pipes_.error = Descriptor();
  if (got <= 0)
    return;
  errors_.append(buffer, got);
  if (errors_.size() > 2 * kKept)
    errors_.erase(0, errors_.size() - kKept);
}

std::string ChildProcess::lastWords() {
  for (int i = 0; i < 32; ++i) // more than a pipe holds, but not endless
    readErrors();
  size_t end = errors_.find_last_not_of(" \t\r\n");
  if (end == std::string::npos)
    return {};
  size_t begin = errors_.find_last_of("\r\n", end);
  begin =
      errors_.find_first_not_of(kSpace, begin == std::string::npos ? 0 : begin);
  return printable(std::string_view(errors_).substr(begin, end + 1 - begin),
                   200);
}

bool ChildProcess::wait(const Descriptor &descriptor, short events,
                        Clock::time_point deadline) {
  while (true) {
    int left = millisecondsTo(deadline);
    pollfd ready[] = {{descriptor.get(), events, 0},
                      {pipes_.error.get(), POLLIN, 0}}; // poll ignores -1
    if (left == 0 || poll(ready, 2, left) == 0)
      return false;
    if (ready[1].revents)
      readErrors();
    if (ready[0].revents)
      return true;
  }
}

Status ChildProcess::isLate(const char *what) const {
  return Status::failed(
      fmt::format("reward program does not {} in time, within {:g} s "
                  "(reward.time_limit_seconds); raise that limit or make the "
                  "program faster",
                  what, static_cast<double>(limit_.count()) / 1000));
}

Status ChildProcess::expectSilence() {
  char buffer[4096];
  ssize_t got = read(pipes_.out.get(), buffer, sizeof(buffer));
  pending_.append(buffer, std::max<ssize_t>(got, 0));
  size_t begin = pending_.find_first_not_of(kSpace);
  if (begin != std::string::npos) {
    size_t end = std::min(pending_.find('\n', begin), pending_.size());
    return Status::failed(fmt::format(
        "reward program said something unasked: '{}'; it may write answers "
        "only to its "
        "standard output, the rest belongs to standard error; print anything "
        "else to standard error",
        printable(std::string_view(pending_).substr(begin, end - begin), 80)));
  }
  pending_.clear();
  return Status::ok();
}

Status ChildProcess::send(std::string_view bytes, Clock::time_point deadline) {
  NoBrokenPipeSignal guard;
  while (!bytes.empty()) {
    ssize_t written = write(pipes_.in.get(), bytes.data(), bytes.size());
    if (written > 0) {
      bytes.remove_prefix(written);
      continue;
    }
    if (errno == EPIPE)
      return Status::failed("reward program " + ending());
    if (errno != EAGAIN && errno != EINTR)
      return Status::failed(fmt::format(
          "cannot write to the reward program: {}; correct the program",
          strerror(errno)));
    if (!wait(pipes_.in, POLLOUT, deadline))
      return isLate("read its request");
  }
  return Status::ok();
}

Result<std::string> ChildProcess::receive(Clock::time_point deadline) {
  while (true) {
    size_t begin =
        std::min(pending_.find_first_not_of(kSpace), pending_.size());
    pending_.erase(0, begin);
    size_t end = pending_.find('\n');
    if (std::min(end, pending_.size()) > lineBytes_)
      return Status::failed(fmt::format("reward program answers a line of more "
                                        "than {} bytes; shorten its answers",
                                        lineBytes_));
    if (end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    char buffer[4096];
    ssize_t got = read(pipes_.out.get(), buffer, sizeof(buffer));
    // The last line, which has no newline.
    if (got == 0 && !pending_.empty())
      return std::exchange(pending_, {});
    if (got == 0)
      return Status::failed("reward program " + ending());
    if (got > 0) {
      pending_.append(buffer, got);
      // Endless blank lines are no answer either.
      if (millisecondsTo(deadline) > 0)
        continue;
    } else if (errno != EAGAIN && errno != EINTR)
      return Status::failed(fmt::format(
          "cannot read from the reward program: {}; correct the program",
          strerror(errno)));
    if (!wait(pipes_.out, POLLIN, deadline))
      return isLate("answer");
  }
}

Result<std::string> ChildProcess::exchange(std::string_view line,
                                           std::chrono::milliseconds limit) {
  limit_ = limit;
  Clock::time_point deadline = Clock::now() + limit;
  NIBBLE_TRY(expectSilence());
  NIBBLE_TRY(send(std::string(line) + '\n', deadline));
  return receive(deadline);
}

} // namespace nibble
