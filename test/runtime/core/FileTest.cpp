// Files: atomic writing, full disks, errors, locks, and stopping.
#include "runtime/core/file.h"
#include "runtime/core/hash.h"
#include "runtime/core/stop.h"
#include "test/runtime/core/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

TEST(File, WritesAtomically) {
  TemporaryFolder folder;
  ASSERT_TRUE(writeFileAtomically(folder / "a", "one").isOk());
  ASSERT_TRUE(writeFileAtomically(folder / "a", "two").isOk());
  EXPECT_EQ(*readFile(folder / "a"), "two");
  EXPECT_EQ(*listFolder(folder.path()), std::vector<std::string>{"a"});
  std::string large(300000, 'q');
  ASSERT_TRUE(writeFileAtomically(folder / "b", large).isOk());
  EXPECT_EQ(*readFile(folder / "b"), large);
  EXPECT_EQ(hashFile(folder / "b")->hash, hash128(large));
  EXPECT_EQ(hashFile(folder / "b")->bytes, 300000);
  EXPECT_EQ(readFile(folder / "b", 1000).status().code(), Code::kBadInput);
}

TEST(File, APipeIsWrittenIntoAndStays) {
  TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  ASSERT_EQ(::symlink("pipe", (folder / "link").c_str()), 0);
  // Open without blocking, so that neither side waits for the other.
  Descriptor reader(
      ::open((folder / "pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader.isOpen());
  for (const char *name : {"pipe", "link"}) {
    Status status = writeFileAtomically(folder / name, "text");
    EXPECT_TRUE(status.isOk()) << status.message();
    char buffer[8] = {};
    EXPECT_EQ(::read(reader.get(), buffer, sizeof(buffer)), 4) << name;
    EXPECT_STREQ(buffer, "text");
  }
  EXPECT_TRUE(std::filesystem::is_fifo(folder / "pipe"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(*listFolder(folder.path()),
            (std::vector<std::string>{"link", "pipe"}));
}

TEST(File, LinksAreFollowed) {
  TemporaryFolder folder;
  ASSERT_TRUE(makeFolders(folder / "there").isOk());
  ASSERT_TRUE(writeFileAtomically(folder / "there" / "file", "old").isOk());
  ASSERT_EQ(::symlink("there/file", (folder / "link").c_str()), 0);
  ASSERT_EQ(::symlink("there/new", (folder / "dangling").c_str()), 0);
  for (const char *name : {"link", "dangling"}) {
    Status status = writeFileAtomically(folder / name, name);
    EXPECT_TRUE(status.isOk()) << status.message();
    EXPECT_TRUE(std::filesystem::is_symlink(folder / name)) << name;
  }
  EXPECT_EQ(*readFile(folder / "there" / "file"), "link");
  EXPECT_EQ(*readFile(folder / "there" / "new"), "dangling");
  EXPECT_EQ(*listFolder(folder / "there"),
            (std::vector<std::string>{"file", "new"}));
  ASSERT_EQ(::symlink("round", (folder / "round").c_str()), 0);
  EXPECT_THAT(writeFileAtomically(folder / "round", "x").message(),
              HasSubstr("round: Too many levels of symbolic links"));
}

TEST(File, ErrorsNameThePathAndTheReason) {
  TemporaryFolder folder;
  Status status = writeFileAtomically(folder / "none" / "a", "x");
  EXPECT_EQ(status.code(), Code::kEnvironment);
  EXPECT_THAT(status.message(), HasSubstr("none/a"));
  EXPECT_THAT(status.message(), HasSubstr("No such file or directory"));
  EXPECT_EQ(readFile(folder / "none").status().code(), Code::kBadInput);
  EXPECT_EQ(listFolder(folder / "none").status().code(), Code::kEnvironment);
  EXPECT_TRUE(removeTree(folder / "none").isOk());
}

// Simulates a full disk: writes beyond a limit fail. It runs in a child
// process, because the limit stays.
TEST(File, FullDiskKeepsTheOldFileAndLeavesNoPart) {
  TemporaryFolder folder;
  ASSERT_TRUE(writeFileAtomically(folder / "a", "old").isOk());
  pid_t child = fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {50000, 50000};
    setrlimit(RLIMIT_FSIZE, &limit);
    Status status = writeFileAtomically(folder / "a", std::string(60000, 'n'));
    bool said = status.code() == Code::kEnvironment &&
                status.message().find("File too large") != std::string::npos;
    _exit(said ? 0 : 1);
  }
  int result = 0;
  waitpid(child, &result, 0);
  EXPECT_EQ(result, 0);
  EXPECT_EQ(*readFile(folder / "a"), "old");
  EXPECT_EQ(*listFolder(folder.path()), std::vector<std::string>{"a"});
}

TEST(File, AppendCutsToWhatTheCheckpointKnows) {
  TemporaryFolder folder;
  auto append = [&](std::string_view text, int64_t keep) -> Status {
    NIBBLE_ASSIGN(FileWriter writer, FileWriter::append(folder / "log", keep));
    return writer.write(text);
  };
  ASSERT_TRUE(append("one\n", -1).isOk());
  ASSERT_TRUE(append("two\n", -1).isOk());
  ASSERT_TRUE(append("2\n", 4).isOk());
  EXPECT_EQ(*readFile(folder / "log"), "one\n2\n");
  EXPECT_EQ(append("x", 100).code(), Code::kBadInput);
}

TEST(File, LinkIsReplaced) {
  TemporaryFolder folder;
  ASSERT_TRUE(makeFolders(folder / "step-1").isOk());
  ASSERT_TRUE(makeFolders(folder / "step-2").isOk());
  ASSERT_TRUE(replaceLink(folder / "latest", "step-1").isOk());
  ASSERT_TRUE(replaceLink(folder / "latest", "step-2").isOk());
  EXPECT_EQ(std::filesystem::read_symlink(folder / "latest"), "step-2");
}

TEST(File, SecondProcessIsRefused) {
  TemporaryFolder folder;
  auto lock = FolderLock::acquire(folder.path());
  ASSERT_TRUE(lock.isOk());
  pid_t child = fork();
  if (child == 0) {
    auto second = FolderLock::acquire(folder.path());
    std::string holder = "process " + std::to_string(getppid());
    _exit(!second.isOk() &&
                  second.status().message().find(holder) != std::string::npos
              ? 0
              : 1);
  }
  int result = 0;
  waitpid(child, &result, 0);
  EXPECT_EQ(result, 0);
  *lock = {};
  EXPECT_TRUE(FolderLock::acquire(folder.path()).isOk());
}

TEST(Stop, SecondSignalEndsTheProcess) {
  pid_t child = fork();
  if (child == 0) {
    installStopSignals();
    if (stopRequested())
      _exit(1);
    raise(SIGTERM);
    if (!stopRequested())
      _exit(2);
    raise(SIGTERM);
    _exit(3);
  }
  int result = 0;
  waitpid(child, &result, 0);
  EXPECT_TRUE(WIFSIGNALED(result) && WTERMSIG(result) == SIGTERM) << result;
}

} // namespace
