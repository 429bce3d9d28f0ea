#include "runtime/rl/child_process.h"

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

// A write to a pipe that nobody reads raises SIGPIPE in this thread: it is kept from being delivered, and taken back.
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

// Both ends close on exec; the child gets copies under its own numbers.
Result<std::pair<Descriptor, Descriptor>> makePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return Status::environment(fmt::format("cannot make a pipe: {}", strerror(errno)));
  return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

// What posix_spawn is told, freed in the end.
struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    // A process group of its own, and the signals as a fresh program expects them.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
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

// Milliseconds left, rounded up; 0 when there are none.
int millisecondsTo(std::chrono::steady_clock::time_point deadline) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
}

} // namespace

Result<ChildProcess> ChildProcess::start(const std::vector<std::string> &command, const ChildLimits &limits,
                                         const std::string &logPath) {
  if (command.empty())
    return Status::usage("reward program is empty: give a program and its arguments");
  NIBBLE_ASSIGN(auto toChild, makePipe());
  NIBBLE_ASSIGN(auto fromChild, makePipe());
  SpawnPlan plan;
  const char *log = logPath.empty() ? "/dev/null" : logPath.c_str();
  posix_spawn_file_actions_adddup2(&plan.actions, toChild.first.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&plan.actions, fromChild.second.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&plan.actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_addclosefrom_np(&plan.actions, STDERR_FILENO + 1);
  std::vector<char *> arguments;
  for (const std::string &argument : command)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  if (int error = posix_spawnp(&pid, arguments[0], &plan.actions, &plan.attributes, arguments.data(), environ))
    return Status::usage(fmt::format("cannot start reward program '{}': {}", command[0], strerror(error)));
  // It holds nothing of ours yet but its own code: the limits are in force before the first request.
  limitResource(pid, RLIMIT_AS, limits.addressSpaceBytes);
  limitResource(pid, RLIMIT_FSIZE, limits.fileBytes);
  limitResource(pid, RLIMIT_NOFILE, limits.openFiles);
  limitResource(pid, RLIMIT_CORE, 0);
  fcntl(toChild.second.get(), F_SETFL, O_NONBLOCK);
  fcntl(fromChild.first.get(), F_SETFL, O_NONBLOCK);
  return ChildProcess(pid, std::move(toChild.second), std::move(fromChild.first), limits.lineBytes);
}

ChildProcess::ChildProcess(pid_t pid, Descriptor in, Descriptor out, size_t lineBytes)
    : pid_(pid), in_(std::move(in)), out_(std::move(out)), lineBytes_(lineBytes) {}

ChildProcess::ChildProcess(ChildProcess &&other) noexcept
    : pid_(std::exchange(other.pid_, -1)), in_(std::move(other.in_)), out_(std::move(other.out_)),
      lineBytes_(other.lineBytes_), pending_(std::move(other.pending_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ < 0)
    return;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL); // it may have left its group
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string ChildProcess::ending() {
  // Its pipes are closed; it may need a moment to be gone.
  int state = 0;
  for (int i = 0; i < 100; ++i) {
    pid_t ended = waitpid(pid_, &state, WNOHANG);
    if (ended == pid_) {
      // Descendants may still be there.
      kill(-pid_, SIGKILL);
      pid_ = -1;
      return WIFEXITED(state) ? fmt::format("exited with status {}", WEXITSTATUS(state))
                              : fmt::format("was ended by signal {}", WTERMSIG(state));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return "closed its output";
}

bool ChildProcess::hasEnded() const {
  pollfd state{out_.get(), POLLIN, 0};
  return poll(&state, 1, 0) == 1 && (state.revents & POLLHUP) && !(state.revents & POLLIN);
}

Status ChildProcess::expectSilence() {
  char byte;
  if (!pending_.empty() || read(out_.get(), &byte, 1) > 0)
    return Status::failed("reward program said something unasked");
  return Status::ok();
}

Status ChildProcess::send(std::string_view bytes, Clock::time_point deadline) {
  NoBrokenPipeSignal guard;
  while (!bytes.empty()) {
    ssize_t written = write(in_.get(), bytes.data(), bytes.size());
    if (written > 0) {
      bytes.remove_prefix(written);
      continue;
    }
    if (errno == EPIPE)
      return Status::failed("reward program " + ending());
    if (errno != EAGAIN && errno != EINTR)
      return Status::failed(fmt::format("cannot write to the reward program: {}", strerror(errno)));
    pollfd ready{in_.get(), POLLOUT, 0};
    if (int left = millisecondsTo(deadline); left == 0 || poll(&ready, 1, left) == 0)
      return Status::failed("reward program does not read its request in time");
  }
  return Status::ok();
}

Result<std::string> ChildProcess::receive(Clock::time_point deadline) {
  while (true) {
    char buffer[4096];
    ssize_t got = read(out_.get(), buffer, sizeof(buffer));
    if (got == 0)
      return Status::failed("reward program " + ending());
    if (got > 0) {
      pending_.append(buffer, got);
      size_t end = pending_.find('\n', pending_.size() - got);
      if (std::min(end, pending_.size()) > lineBytes_)
        return Status::failed(fmt::format("reward program answers a line of more than {} bytes", lineBytes_));
      if (end == std::string::npos)
        continue;
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    if (errno != EAGAIN && errno != EINTR)
      return Status::failed(fmt::format("cannot read from the reward program: {}", strerror(errno)));
    pollfd ready{out_.get(), POLLIN, 0};
    if (int left = millisecondsTo(deadline); left == 0 || poll(&ready, 1, left) == 0)
      return Status::failed("reward program does not answer in time");
  }
}

Result<std::string> ChildProcess::exchange(std::string_view line, std::chrono::milliseconds limit) {
  Clock::time_point deadline = Clock::now() + limit;
  NIBBLE_TRY(expectSilence());
  NIBBLE_TRY(send(std::string(line) + '\n', deadline));
  return receive(deadline);
}

} // namespace nibble
