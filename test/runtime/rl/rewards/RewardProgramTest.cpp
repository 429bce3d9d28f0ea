// A reward program may do anything. The sample pays for it, the run continues,
// and nothing is left behind.
#include "runtime/rl/rewards/reward_program.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <dirent.h>
#include <sys/wait.h>

namespace nibble {
namespace {

using std::chrono::milliseconds;
using Outcomes = std::vector<RewardOutcome>;

// Answers every request with its id and the given text. `$n` counts the
// requests of this process.
std::string answering(const std::string &body) {
  return R"(n=0; while IFS= read -r line; do n=$((n+1)); id=${line#*\"id\":}; id=${id%%,*}; )" +
         body + "; done";
}
const std::string kHalf = R"(printf '{"id":%s,"reward":0.5}\n' "$id")";

std::unique_ptr<RewardProgram> start(const std::string &script,
                                     RewardProgramOptions options = {}) {
  options.command = {"/bin/sh", "-c", script};
  Result<std::unique_ptr<RewardProgram>> program =
      RewardProgram::create(options);
  EXPECT_TRUE(program.isOk()) << program.status().message();
  return *std::move(program);
}

Outcomes scoreSome(RewardProgram &program, int count) {
  std::vector<RewardRequest> requests;
  for (int i = 0; i < count; ++i)
    requests.push_back({"1+" + std::to_string(i) + "=",
                        "a \"quoted\"\n\xFF line", std::to_string(i + 1)});
  Result<Outcomes> outcomes = program.score(requests);
  EXPECT_TRUE(outcomes.isOk());
  return *outcomes;
}

int failures(const Outcomes &outcomes, const std::string &reason) {
  int count = 0;
  for (const RewardOutcome &outcome : outcomes) {
    count += outcome.isFailed;
    if (outcome.isFailed)
      EXPECT_NE(outcome.problem.find(reason), std::string::npos)
          << outcome.problem;
  }
  return count;
}

void expectNoChildren() {
  int state;
  EXPECT_EQ(waitpid(-1, &state, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

int openDescriptors() {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (readdir(folder))
    ++count;
  closedir(folder);
  return count;
}

TEST(RewardProgram, GivesWhatTheProgramSays) {
  {
    auto program =
        start(answering(R"(printf '{"reward":0.%s,"id":%s}\n' "$id" "$id")"));
    Outcomes outcomes = scoreSome(*program, 10);
    for (int i = 0; i < 10; ++i) {
      EXPECT_FALSE(outcomes[i].isFailed) << outcomes[i].problem;
      EXPECT_DOUBLE_EQ(outcomes[i].reward, 0.1 * i);
    }
    EXPECT_EQ(program->starts(), 1);
  }
  expectNoChildren();
}

TEST(RewardProgram, SpreadsRequestsOverWorkers) {
  RewardProgramOptions options;
  options.workers = 4;
  auto program = start(answering("sleep 0.1; " + kHalf), options);
  auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(failures(scoreSome(*program, 20), ""), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(1900))
      << "20 x 100 ms one after the other";
  EXPECT_EQ(program->starts(), 4);
}

TEST(RewardProgram, ACrashCostsOneSample) {
  auto program =
      start(answering("if [ $n = 3 ]; then kill -SEGV $$; fi; " + kHalf));
  Outcomes outcomes = scoreSome(*program, 9);
  EXPECT_EQ(failures(outcomes, "signal 11"), 3);
  EXPECT_FALSE(outcomes[0].isFailed);
  EXPECT_TRUE(outcomes[2].isFailed);
  EXPECT_FALSE(outcomes[3].isFailed);
  EXPECT_EQ(program->starts(), 3);
}

TEST(RewardProgram, AnEndBetweenRequestsCostsNothing) {
  auto program = start(answering(kHalf + "; exit 0"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(failures(scoreSome(*program, 1), ""), 0);
    usleep(100000);
  }
  EXPECT_EQ(program->starts(), 3);
}

TEST(RewardProgram, AnExitIsNamed) {
  auto program = start("exit 3");
  EXPECT_EQ(failures(scoreSome(*program, 4), "exited with status 3"), 4);
}

TEST(RewardProgram, AHangEndsAtTheTimeLimit) {
  RewardProgramOptions options;
  options.timeLimit = milliseconds(100);
  {
    auto program = start(
        answering("if [ $n = 2 ]; then sleep 1000; fi; " + kHalf), options);
    auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(failures(scoreSome(*program, 4), "in time"), 2);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(2000));
  }
  {
    // This program never reads, so a long request fills the pipe.
    auto program = start("sleep 1000", options);
    std::vector<RewardRequest> requests = {{std::string(1 << 20, 'x'), "", ""}};
    EXPECT_EQ(failures(*program->score(requests), "in time"), 1);
  }
  {
    // This program stops itself, and only SIGKILL ends it.
    auto program = start(answering("kill -STOP $$; " + kHalf), options);
    EXPECT_EQ(failures(scoreSome(*program, 1), "in time"), 1);
  }
  expectNoChildren();
}

TEST(RewardProgram, NonsenseCostsTheSample) {
  struct Case {
    std::string answer, reason;
  };
  for (const Case &test :
       {Case{"hello", "not a JSON object: 'hello'"},
        Case{"[1]", "not a JSON object"}, Case{"{", "not a JSON object"},
        Case{R"({"id":%s})", "without a finite number"},
        Case{R"({"id":%s,"reward":"1"})",
             R"(without a finite number "reward": '{"id":)"},
        Case{R"({"id":%s,"reward":null})", "finite"},
        Case{R"({"id":%s,"reward":NaN})", "not a JSON object"},
        Case{R"({"id":%s,"reward":1e999})", "not a JSON"},
        Case{R"({"id":99%s,"reward":1})", "another id"},
        Case{R"({"reward":1})", "another id"},
        Case{R"({"id":%s,"reward":0.5}\n{"id":%s,"reward":0.5})", "unasked"}}) {
    auto program = start(answering("printf '" + test.answer +
                                   "\\n' \"$id\" \"$id\"; sleep 0.05"));
    Outcomes outcomes;
    for (int i = 0; i < 2; ++i) {
      outcomes = scoreSome(*program, 1);
      usleep(60000);
    }
    EXPECT_EQ(failures(outcomes, test.reason), 1) << test.answer;
  }
}

TEST(RewardProgram, TrueAndFalseAreRewards) {
  auto program = start(answering(
      R"(if [ $((n%2)) = 1 ]; then r=true; else r=false; fi; printf '{"id":%s,"reward":%s}\n' "$id" $r)"));
  Outcomes outcomes = scoreSome(*program, 4);
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(outcomes[i].isFailed) << outcomes[i].problem;
    EXPECT_EQ(outcomes[i].reward, i % 2 == 0 ? 1.0 : 0.0);
  }
}

// CRLF line ends, blank lines and a last line without a newline are accepted.
TEST(RewardProgram, LinesEndAsTheyMay) {
  auto program = start(answering(
      R"(printf '\r\n\n{"id":%s,"reward":0.5}\r\n\n' "$id"; sleep 0.05)"));
  EXPECT_EQ(failures(scoreSome(*program, 3), ""), 0);
  EXPECT_EQ(program->starts(), 1);
  auto unfinished =
      start(answering(R"(printf '{"id":%s,"reward":0.5}' "$id"; exit 0)"));
  EXPECT_EQ(failures(scoreSome(*unfinished, 3), ""), 0);
  RewardProgramOptions options;
  options.timeLimit = milliseconds(100);
  auto blank = start("while :; do echo; done", options);
  EXPECT_EQ(failures(scoreSome(*blank, 1), "in time"), 1);
}

TEST(RewardProgram, ItsOwnWordsStandInTheMessage) {
  auto crash = start("echo loading >&2; read -r line; printf 'Traceback:\n  "
                     "ModuleNotFoundError: no module\n\n' >&2; exit 1");
  EXPECT_EQ(failures(scoreSome(*crash, 2),
                     "reward program exited with status 1; it "
                     "says: ModuleNotFoundError: no module"),
            2);
  auto chatty =
      start("echo loading model; " + answering("sleep 0.05; " + kHalf));
  usleep(50000);
  EXPECT_EQ(
      failures(
          scoreSome(*chatty, 1),
          "said something unasked: 'loading model'; it may write answers only"),
      1);
  auto nonsense = start(answering("echo 'cannot parse' >&2; echo what"));
  EXPECT_EQ(failures(scoreSome(*nonsense, 1),
                     "not a JSON object: 'what'; correct the program; it "
                     "says: cannot parse"),
            1);
  // Writes more than a pipe holds to stderr, during its work and between its
  // answers. Nobody may block.
  auto loud =
      start(answering("head -c 300000 /dev/zero | tr '\\0' x >&2; " + kHalf));
  Outcomes outcomes = scoreSome(*loud, 3);
  EXPECT_EQ(failures(outcomes, ""), 0);
  auto loudAndWrong =
      start(answering("head -c 300000 /dev/zero | tr '\\0' x >&2; echo >&2; "
                      "echo the end >&2; exit 2"));
  EXPECT_EQ(failures(scoreSome(*loudAndWrong, 1),
                     "exited with status 2; it says: the end"),
            1);
}

TEST(RewardProgram, AFloodIsCutOff) {
  auto program = start(answering("head -c 1000000000 /dev/zero | tr '\\0' x"));
  EXPECT_EQ(failures(scoreSome(*program, 2), "more than 65536 bytes"), 2);
  RewardProgramOptions options;
  options.timeLimit = milliseconds(200);
  auto lines = start("yes", options);
  EXPECT_EQ(failures(scoreSome(*lines, 3), ""), 3);
}

TEST(RewardProgram, MemoryIsLimited) {
  RewardProgramOptions options;
  options.limits.addressSpaceBytes = 64 << 20;
  // The shell doubles a string until it hits the limit.
  auto program =
      start(answering("s=xxxxxxxxxxxxxxxx; while :; do s=$s$s; done"), options);
  Outcomes outcomes = scoreSome(*program, 1);
  EXPECT_EQ(failures(outcomes, "reward program"), 1);
}

TEST(RewardProgram, LeavesNothingBehind) {
  int before = openDescriptors();
  {
    // A grandchild holds the pipe and ignores SIGTERM.
    auto program =
        start("trap '' TERM HUP INT; sleep 1000 & " + answering(kHalf));
    EXPECT_EQ(failures(scoreSome(*program, 3), ""), 0);
  }
  expectNoChildren();
  EXPECT_EQ(openDescriptors(), before);
}

TEST(RewardProgram, DoesNotInheritOurDescriptors) {
  ASSERT_EQ(dup2(STDERR_FILENO, 77), 77); // a descriptor without close-on-exec
  ASSERT_TRUE(std::filesystem::exists("/proc/self/fd/77"));
  auto program = start(answering(
      R"(if [ -e /proc/$$/fd/77 ]; then r=1; else r=0; fi; printf '{"id":%s,"reward":%s}\n' "$id" "$r")"));
  Outcomes outcomes = scoreSome(*program, 1);
  close(77);
  ASSERT_FALSE(outcomes[0].isFailed) << outcomes[0].problem;
  EXPECT_EQ(outcomes[0].reward, 0);
}

TEST(RewardProgram, ACommandThatIsNotThereIsAUsageError) {
  for (std::vector<std::string> command :
       {std::vector<std::string>{}, {"/nonexistent/program"}}) {
    RewardProgramOptions options;
    options.command = command;
    Result<std::unique_ptr<RewardProgram>> program =
        RewardProgram::create(options);
    ASSERT_FALSE(program.isOk());
    EXPECT_EQ(program.status().code(), Code::kUsage)
        << program.status().message();
  }
}

} // namespace
} // namespace nibble
