// A program that we talk to line by line, and that may do whatever it likes
// without taking us along.
#pragma once

#include "runtime/core/file.h"
#include "runtime/core/status.h"

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

struct ChildLimits {
  int64_t addressSpaceBytes = int64_t{4} << 30;
  int64_t fileBytes = int64_t{1} << 30; // of each file it writes
  int64_t openFiles = 256;
  size_t lineBytes = size_t{64} << 10; // of each line it answers
};

// The child leads a process group of its own, which is killed and waited for
// when the object goes: no zombie is left.
class ChildProcess {
public:
  // Starts `command` (a program, found in PATH, and its arguments; no shell).
  // Its stdin, stdout and stderr are pipes to us. Usage error when the program
  // cannot be started.
  static Result<ChildProcess> start(const std::vector<std::string> &command,
                                    const ChildLimits &limits);
  ChildProcess(ChildProcess &&other) noexcept;
  ChildProcess &operator=(ChildProcess &&) = delete;
  ~ChildProcess();

  // Writes `line` and a newline and waits for one line back, without its
  // newline; blank lines are passed over, and the end of its output ends a line
  // too. Failed, with the reason, when the child is gone, answers too long a
  // line, has said something unasked, or the time is over; it is of no use
  // after.
  Result<std::string> exchange(std::string_view line,
                               std::chrono::milliseconds limit);

  // Whether it has closed its output and everything it said was read.
  bool hasEnded() const;

  // The last line that it wrote to stderr, for a message of one line; empty
  // when there is none.
  std::string lastWords();

private:
  using Clock = std::chrono::steady_clock;
  struct Pipes {
    Descriptor in, out, error;
  };
  ChildProcess(pid_t pid, Pipes pipes, size_t lineBytes);
  // Failed when the child has sent anything by now.
  Status expectSilence();
  Status send(std::string_view bytes, Clock::time_point deadline);
  // Appends what the child sends to pending_ until there is a line.
  Result<std::string> receive(Clock::time_point deadline);
  // Until `descriptor` is ready for `events`, reading stderr meanwhile; false
  // when the time is over.
  bool wait(const Descriptor &descriptor, short events,
            Clock::time_point deadline);
  // Reads some of stderr, if there is any, and keeps the end of it.
  void readErrors();
  Status isLate(const char *what) const;
  // How the child ended, for messages.
  std::string ending();

  pid_t pid_;
  Pipes pipes_;
  size_t lineBytes_;
  std::string pending_;               // of stdout
  std::string errors_;                // the end of stderr
  std::chrono::milliseconds limit_{}; // of the exchange
};

} // namespace nibble
