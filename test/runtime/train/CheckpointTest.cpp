// Checkpoints: saving, pruning, and detection of any damage.
#include "runtime/train/checkpoint.h"
#include "runtime/core/file.h"
#include "runtime/core/philox.h"
#include "test/runtime/core/temporary_folder.h"
#include "test/runtime/train/fake_source.h"
#include "test/runtime/train/fake_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

class CheckpointTest : public testing::Test {
protected:
  CheckpointTest() {
    options.vocabulary = 64;
    addFakeTraining(fake, FakeObjective::kSft, options);
    EXPECT_TRUE(store.declare(fake.program()).isOk());
  }
  // The contents identify the step.
  void fill(int64_t step) {
    for (auto &[key, tensor] : store.tensors()) {
      uint32_t counter = 0;
      for (int64_t i = 0; i < tensor.bytes(); ++i)
        tensor.data()[i] = static_cast<std::byte>(step * 31 + counter++ % 251);
    }
  }
  bool holds(int64_t step) {
    for (auto &[key, tensor] : store.tensors())
      for (int64_t i = 0; i < tensor.bytes(); ++i)
        if (!key.starts_with("gradient:") &&
            tensor.data()[i] != static_cast<std::byte>(step * 31 + i % 251))
          return false;
    return true;
  }
  Status save(int64_t step, int64_t keep = 2) {
    fill(step);
    return saveCheckpoint(folder.path(), step,
                          {{"step", step}, {"text", "state"}}, store, keep);
  }
  std::optional<TrainCheckpoint> newest() {
    warnings.clear();
    auto result = newestCheckpoint(folder.path(), warnings);
    EXPECT_TRUE(result.isOk()) << result.status().message();
    return result.isOk() ? *std::move(result) : std::nullopt;
  }

  FakeModelOptions options;
  FakeProgram fake;
  ParameterStore store;
  TemporaryFolder folder;
  std::vector<std::string> warnings;
};

void flipBit(const std::filesystem::path &path, int64_t bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(bit / 8);
  char byte = static_cast<char>(file.get() ^ (1 << bit % 8));
  file.seekp(bit / 8);
  file.put(byte);
}

// The process was killed between the rename of a checkpoint and the move of the
// link.
TEST_F(CheckpointTest, TidyingMovesTheLinkToTheNewest) {
  ASSERT_TRUE(save(1).isOk());
  ASSERT_TRUE(save(2).isOk());
  ASSERT_TRUE(replaceLink(folder / "latest", "step-000001").isOk());
  ASSERT_TRUE(tidyCheckpoints(folder.path(), 2).isOk());
  EXPECT_EQ(std::filesystem::read_symlink(folder / "latest"), "step-000002");
}

TEST_F(CheckpointTest, SavesLoadsAndPrunes) {
  EXPECT_FALSE(newest());
  for (int64_t step : {1, 2, 3, 4})
    ASSERT_TRUE(save(step).isOk());
  EXPECT_EQ(*listFolder(folder.path()),
            (std::vector<std::string>{"latest", "step-000003", "step-000004"}));
  EXPECT_EQ(std::filesystem::read_symlink(folder / "latest"), "step-000004");
  EXPECT_EQ(*listFolder(folder / "latest"),
            (std::vector<std::string>{"manifest.json", "optimizer.safetensors",
                                      "state.json", "weights.safetensors"}));
  fill(0);
  auto checkpoint = newest();
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->step, 4);
  EXPECT_EQ(checkpoint->state, (Json{{"step", 4}, {"text", "state"}}));
  ASSERT_TRUE(loadCheckpoint(*checkpoint, store).isOk());
  EXPECT_TRUE(holds(4));
  ASSERT_TRUE(save(4).isOk()); // saving again changes nothing
  EXPECT_TRUE(warnings.empty());
}

// A flipped bit anywhere is detected, and the previous checkpoint is used.
TEST_F(CheckpointTest, EveryFlippedBitIsDetected) {
  ASSERT_TRUE(save(1).isOk());
  ASSERT_TRUE(save(2).isOk());
  auto names = *listFolder(folder / "step-000002");
  int64_t tried = 0;
  for (const std::string &name : names) {
    auto path = folder / "step-000002" / name;
    int64_t bits = static_cast<int64_t>(std::filesystem::file_size(path)) * 8;
    // Every bit of the small files.
    int64_t stride = std::max<int64_t>(1, bits / 300);
    if (name == "manifest.json" || name == "state.json")
      stride = 1;
    for (int64_t bit = 0; bit < bits; bit += stride, ++tried) {
      flipBit(path, bit);
      ASSERT_FALSE(verifyCheckpoint(folder / "step-000002").isOk())
          << name << " bit " << bit;
      flipBit(path, bit);
    }
    flipBit(path, bits / 2);
    auto checkpoint = newest();
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(checkpoint->step, 1);
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_THAT(warnings[0], HasSubstr("step-000002"));
    flipBit(path, bits / 2);
  }
  EXPECT_EQ(newest()->step, 2);
  std::printf("%lld flipped bits detected\n", static_cast<long long>(tried));
  flipBit(folder / "step-000002" / "state.json", 9);
  // A damaged one is replaced when its step comes again.
  ASSERT_TRUE(save(2).isOk());
  EXPECT_EQ(newest()->step, 2);
}

TEST_F(CheckpointTest, MissingFileIsDetected) {
  ASSERT_TRUE(save(1).isOk());
  for (const char *name : {"manifest.json", "state.json", "weights.safetensors",
                           "optimizer.safetensors"}) {
    ASSERT_TRUE(save(2).isOk());
    std::filesystem::remove(folder / "step-000002" / name);
    EXPECT_EQ(newest()->step, 1) << name;
  }
}

TEST_F(CheckpointTest, AnotherModelIsRefused) {
  ASSERT_TRUE(save(1).isOk());
  FakeProgram other;
  addFakeTraining(other, FakeObjective::kSft, {.vocabulary = 32});
  ParameterStore small;
  ASSERT_TRUE(small.declare(other.program()).isOk());
  Status status = loadCheckpoint(*newest(), small);
  EXPECT_EQ(status.code(), Code::kBadInput);
  EXPECT_THAT(status.message(), HasSubstr("another model"));
}

TEST_F(CheckpointTest, FullDiskLeavesTheOlderOneAndNothingElse) {
  ASSERT_TRUE(save(1).isOk());
  // The limits stop it in different files.
  for (int64_t limit : {100, 5000, 20000}) {
    pid_t child = fork();
    if (child == 0) {
      std::signal(SIGXFSZ, SIG_IGN);
      struct rlimit bound = {static_cast<rlim_t>(limit),
                             static_cast<rlim_t>(limit)};
      setrlimit(RLIMIT_FSIZE, &bound);
      Status status = save(2);
      bool said = status.code() == Code::kEnvironment &&
                  status.message().find("File too large") != std::string::npos;
      _exit(said ? 0 : 1);
    }
    int result = 0;
    waitpid(child, &result, 0);
    EXPECT_EQ(result, 0) << limit;
    EXPECT_EQ(*listFolder(folder.path()),
              (std::vector<std::string>{"latest", "step-000001"}));
    EXPECT_EQ(newest()->step, 1);
  }
}

TEST_F(CheckpointTest, AFolderThatCannotBeWrittenIsNamed) {
  fill(1);
  ASSERT_TRUE(writeFileAtomically(folder / "file", "x").isOk());
  Status status =
      saveCheckpoint(folder / "file" / "below", 1, Json::object(), store, 2);
  EXPECT_EQ(status.code(), Code::kEnvironment);
  EXPECT_THAT(status.message(), HasSubstr("file/below"));
}

// Kills at any moment of saving. The checkpoints load and are complete, and at
// most the current save is lost.
TEST_F(CheckpointTest, KillAtAnyMomentLosesNothing) {
  int rounds = std::getenv("NIBBLE_LONG") ? 500 : 60;
  auto began = std::chrono::steady_clock::now();
  ASSERT_TRUE(save(1).isOk());
  // Kills are spread over the time of two and a half saves on this machine.
  auto longest = (std::chrono::steady_clock::now() - began) * 5 / 2;
  int64_t step = 1;
  int64_t lost = 0;
  int64_t leftovers = 0;
  for (int round = 0; round < rounds; ++round) {
    int reports[2];
    ASSERT_EQ(pipe(reports), 0);
    pid_t child = fork();
    if (child == 0) {
      for (int64_t next = step + 1;; ++next)
        if (!save(next).isOk() ||
            write(reports[1], &next, sizeof(next)) != sizeof(next))
          _exit(1);
    }
    std::this_thread::sleep_for(
        longest *
        toBelow(randomBits(7, RandomStream::kTask, 0, 0, round), 1000) / 1000);
    ASSERT_GT(child, 0);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(reports[1]);
    int64_t reported = step;
    int64_t value;
    while (read(reports[0], &value, sizeof(value)) == sizeof(value))
      reported = value;
    close(reports[0]);
    auto names = *listFolder(folder.path());
    for (const std::string &name : names)
      leftovers += name.find(".tmp.") != name.npos;
    ASSERT_TRUE(tidyCheckpoints(folder.path(), 2).isOk());
    auto checkpoint = newest();
    ASSERT_TRUE(checkpoint || reported == 0);
    ASSERT_TRUE(warnings.empty()) << warnings[0];
    if (!checkpoint)
      continue;
    ASSERT_TRUE(checkpoint->step == reported ||
                checkpoint->step == reported + 1)
        << checkpoint->step << " after " << reported;
    lost += checkpoint->step == reported;
    ASSERT_EQ(std::filesystem::canonical(folder / "latest"),
              std::filesystem::canonical(checkpoint->path));
    ASSERT_TRUE(loadCheckpoint(*checkpoint, store).isOk());
    ASSERT_TRUE(holds(checkpoint->step));
    // Latest and two checkpoints.
    ASSERT_LE(listFolder(folder.path())->size(), 3u);
    step = checkpoint->step;
  }
  std::printf("%d kills, %lld checkpoints, %lld leftovers removed\n", rounds,
              static_cast<long long>(step), static_cast<long long>(leftovers));
  EXPECT_GT(step, 1);
  EXPECT_GT(leftovers, 0); // otherwise no kill came in the middle of a save
  EXPECT_GT(lost, 0);
}

} // namespace
