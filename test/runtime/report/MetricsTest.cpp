// Metrics files: exact numbers, exact bytes after a continuation, and checked
// input.
#include "runtime/report/metrics.h"

#include "test/runtime/core/temporary_folder.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace nibble {
namespace {

namespace fs = std::filesystem;

std::string contentOf(const fs::path &path) {
  Result<std::string> content = readFile(path);
  EXPECT_TRUE(content.isOk()) << content.status().message();
  return content.isOk() ? *content : "";
}

// Only its clock values differ from call to call.
StepMetrics measured(int64_t step, double clock) {
  double x = static_cast<double>(step);
  return {step,
          {{"reward_mean", std::sin(x)},
           {"loss", -x / 3},
           {"tokens", 1000 + x},
           {"zebra", 1},
           {"apple", 0.1},
           {"time_train", clock},
           {"tokens_per_second", 5 / clock},
           {"memory_peak_bytes", 1e9 + clock}}};
}

void write(const fs::path &folder, int64_t first, int64_t last, double clock) {
  Result<MetricsWriter> writer = MetricsWriter::open(folder, first);
  ASSERT_TRUE(writer.isOk()) << writer.status().message();
  for (int64_t step = first; step <= last; ++step) {
    Status status = writer->write(measured(step, clock));
    ASSERT_TRUE(status.isOk()) << status.message();
  }
}

TEST(Metrics, HaveOneSpelling) {
  EXPECT_EQ(
      formatMetrics({7,
                     {{"zebra", 1.5},
                      {"loss", -0.0},
                      {"apple", 3},
                      {"reward_mean", 0.1},
                      {"entropy", std::nan("")},
                      {"kl", std::numeric_limits<double>::infinity()},
                      {"tokens", 123456789}}}),
      R"({"step":7,"reward_mean":0.1,"entropy":null,"loss":-0.0,"kl":null,"tokens":123456789,"apple":3,"zebra":1.5})");
}

TEST(Metrics, KeepEveryBitOfADouble) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 100000; ++i) {
    double value = i == 0 ? -0.0
                   : i < 50000
                       ? std::bit_cast<double>(random())
                       : std::ldexp(static_cast<double>(random() >> 11), -60);
    if (!std::isfinite(value))
      continue;
    Result<StepMetrics> read =
        parseMetrics(formatMetrics({1, {{"x", value}}}), "here");
    ASSERT_TRUE(read.isOk()) << read.status().message();
    ASSERT_EQ(std::bit_cast<uint64_t>(read->values["x"]),
              std::bit_cast<uint64_t>(value))
        << value;
  }
}

TEST(Metrics, KeepWhatTheClockSaysApart) {
  test::TemporaryFolder folder;
  write(folder.path() / "run", 0, 2, 0.5);
  EXPECT_EQ(contentOf(folder.path() / "run/metrics.jsonl").find("time_"),
            std::string::npos);
  EXPECT_EQ(contentOf(folder.path() / "run/timings.jsonl"),
            "{\"step\":0,\"tokens_per_second\":10,\"time_train\":0.5,\"memory_"
            "peak_bytes\":1000000000.5}\n"
            "{\"step\":1,\"tokens_per_second\":10,\"time_train\":0.5,\"memory_"
            "peak_bytes\":1000000000.5}\n"
            "{\"step\":2,\"tokens_per_second\":10,\"time_train\":0.5,\"memory_"
            "peak_bytes\":1000000000.5}\n");
  Result<RunSeries> run = readRun(folder.path() / "run", "name");
  ASSERT_TRUE(run.isOk()) << run.status().message();
  ASSERT_EQ(run->steps.size(), 3u);
  EXPECT_EQ(run->steps[2].values, measured(2, 0.5).values);
}

TEST(Metrics, AreTheSameBytesAfterAContinuation) {
  test::TemporaryFolder folder;
  fs::path straight = folder.path() / "straight",
           continued = folder.path() / "continued";
  write(straight, 0, 9, 0.5);
  for (int64_t at : {0, 1, 5, 9, 10}) {
    fs::remove_all(continued);
    write(continued, 0, 9, 0.25);
    // A crash in the middle of a line.
    for (const char *name : {"metrics.jsonl", "timings.jsonl"})
      fs::resize_file(continued / name,
                      fs::file_size(continued / name) - (at == 10 ? 0 : 5));
    write(continued, at, 9, 0.5);
    EXPECT_EQ(contentOf(continued / "metrics.jsonl"),
              contentOf(straight / "metrics.jsonl"))
        << at;
  }
  Result<RunSeries> run = readRun(continued, "");
  ASSERT_TRUE(run.isOk());
  EXPECT_EQ(run->steps.size(), 10u);
}

TEST(Metrics, CanBeReadWhileTheRunGoesOn) {
  test::TemporaryFolder folder;
  write(folder.path(), 0, 5, 0.5);
  fs::resize_file(folder.path() / "metrics.jsonl",
                  fs::file_size(folder.path() / "metrics.jsonl") - 3);
  Result<RunSeries> run = readRun(folder.path(), "");
  ASSERT_TRUE(run.isOk()) << run.status().message();
  EXPECT_EQ(run->steps.size(), 5u);
  fs::remove(folder.path() / "timings.jsonl");
  run = readRun(folder.path(), "");
  ASSERT_TRUE(run.isOk()) << run.status().message();
  EXPECT_FALSE(run->steps[0].values.contains("time_train"));
}

TEST(Metrics, StepsAscend) {
  test::TemporaryFolder folder;
  Result<MetricsWriter> writer = MetricsWriter::open(folder.path(), 3);
  ASSERT_TRUE(writer.isOk());
  EXPECT_EQ(writer->write({2, {}}).code(), Code::kUsage);
  EXPECT_TRUE(writer->write({3, {}}).isOk());
  EXPECT_EQ(writer->write({3, {}}).code(), Code::kUsage);
}

TEST(Metrics, BadLinesAreNamed) {
  test::TemporaryFolder folder;
  for (const char *bad :
       {"{\"step\":1}\nnonsense\n", "{\"step\":1}\n[]\n",
        "{\"step\":1}\n{\"step\":1}\n", "{\"step\":1}\n{\"step\":\"x\"}\n",
        "{\"step\":1}\n{\"step\":2,\"a\":\"b\"}\n", "{\"step\":1}\n{}\n",
        "{\"step\":1}\n\n", "{\"step\":1}\n{\"step\":-4}\n"}) {
    ASSERT_TRUE(
        writeFileAtomically(folder.path() / "metrics.jsonl", bad).isOk());
    Result<RunSeries> run = readRun(folder.path(), "");
    ASSERT_FALSE(run.isOk()) << bad;
    EXPECT_EQ(run.status().code(), Code::kBadInput);
    EXPECT_NE(run.status().message().find("metrics.jsonl:2"), std::string::npos)
        << run.status().message();
    EXPECT_FALSE(MetricsWriter::open(folder.path(), 5).isOk()) << bad;
  }
  EXPECT_FALSE(readRun(folder.path() / "nothing", "").isOk());
}

} // namespace
} // namespace nibble
