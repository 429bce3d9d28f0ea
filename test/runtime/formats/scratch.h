// A test's own folder, which is removed with it, and some ways to damage files.
#pragma once

#include "runtime/formats/io.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace nibble::testing {

class Scratch {
public:
  Scratch() {
    // Use a folder in memory if there is one. Syncing thousands of small files
    // to a disk takes longer than the tests.
    std::string root = access("/dev/shm", W_OK) == 0
                           ? "/dev/shm"
                           : std::filesystem::temp_directory_path().string();
    std::string pattern = root + "/nibble-formats-XXXXXX";
    if (!mkdtemp(pattern.data()))
      ADD_FAILURE() << "no scratch folder";
    path_ = pattern;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }

  std::string operator/(const std::string &name) const {
    return path_ + "/" + name;
  }
  const std::string &path() const { return path_; }

  std::string put(const std::string &name, std::string_view content) const {
    std::ofstream(*this / name, std::ios::binary)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
    return *this / name;
  }
  std::string get(const std::string &name) const {
    auto content = readWholeFile(*this / name, uint64_t{1} << 30);
    EXPECT_TRUE(content.isOk()) << content.status().message();
    return content.isOk() ? *content : std::string();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

private:
  std::string path_;
};

// One of the checkpoints of test/fixtures, or a copy of it that a test may
// damage.
inline std::string fixture(const std::string &name) {
  return NIBBLE_TEST_DATA "/fixtures/" + name;
}
// The names of all of them, sorted.
inline std::vector<std::string> checkpointFixtures() {
  std::vector<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator(fixture("")))
    if (std::filesystem::exists(entry.path() / "config.json"))
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}
inline std::string copyOf(const Scratch &scratch, const std::string &name) {
  std::filesystem::copy(fixture(name), scratch / name,
                        std::filesystem::copy_options::recursive);
  return scratch / name;
}
inline std::string contentOf(const std::string &path) {
  auto content = readWholeFile(path, uint64_t{1} << 30);
  EXPECT_TRUE(content.isOk()) << content.status().message();
  return content.isOk() ? *content : std::string();
}
inline void putContent(const std::string &path, std::string_view content) {
  std::ofstream(path, std::ios::binary)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

// Expects a status with this code and a one-line message with all these words.
inline ::testing::AssertionResult
fails(const Status &status, Code code,
      std::initializer_list<std::string> words) {
  if (status.isOk())
    return ::testing::AssertionFailure() << "no error";
  const std::string &message = status.message();
  if (status.code() != code)
    return ::testing::AssertionFailure()
           << "exit code " << status.exitCode() << ": " << message;
  if (message.find('\n') != std::string::npos)
    return ::testing::AssertionFailure() << "more than one line: " << message;
  for (const std::string &word : words)
    if (message.find(word) == std::string::npos)
      return ::testing::AssertionFailure()
             << "no \"" << word << "\" in: " << message;
  return ::testing::AssertionSuccess();
}

} // namespace nibble::testing
