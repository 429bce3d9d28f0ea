// A program with which we exchange lines. It may fail in any way without
// affecting this process.
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
  int64_t fileBytes = int64_t{1} << 30; // limit for each file that it writes
  int64_t openFiles = 256;
  size_t lineBytes = size_t{64} << 10; // limit for each line of its answers
};

// The child leads a process group of its own. The destructor kills the group
// and waits, so no zombie remains.
class ChildProcess {
public:
  // Starts `command`: a program found in PATH and its arguments, without a
  // shell. Its stdin, stdout and stderr are pipes to this process. Usage error
  // when the program cannot be started.
  static Result<ChildProcess> start(const std::vector<std::string> &command,
                                    const ChildLimits &limits);
  ChildProcess(ChildProcess &&other) noexcept;
  ChildProcess &operator=(ChildProcess &&) = delete;
  ~ChildProcess();

  // Writes `line` and a newline, and returns the next line of the answer
  // without its newline. Blank lines are skipped, and the end of the output
  // also ends a line. Failed, with the reason, when the child has exited, sent
  // too long a line or unrequested output, or the time is over. The object is
  // then unusable.
  Result<std::string> exchange(std::string_view line,
                               std::chrono::milliseconds limit);

  // Whether it has closed its output and everything was read.
  bool hasEnded() const;

  // The last line that it wrote to stderr, for a message of one line. Empty
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
  // Appends the child's output to pending_ until there is a line.
  Result<std::string> receive(Clock::time_point deadline);
  // Waits until `descriptor` is ready for `events`, and reads stderr meanwhile.
  // False when the time is over.
  bool wait(const Descriptor &descriptor, short events,
            Clock::time_point deadline);
  // Reads the available part of stderr and keeps its end.
  void readErrors();
  Status isLate(const char *what) const;
  // How the child ended, for messages.
  std::string ending();

  pid_t pid_;
  Pipes pipes_;
  size_t lineBytes_;
  std::string pending_;               // output that was not consumed yet
  std::string errors_;                // the end of stderr
  std::chrono::milliseconds limit_{}; // time limit of the exchange
};

} // namespace nibble
