// Checks every error text that a test program provokes: it is one line, names
// the subject, and ends with what to do.
//
// This file is linked into each test program (nibble_add_gtest). An error that
// gains a context later is checked with that context. Its earlier text is part
// of another text, so users never see it alone.
#include "runtime/core/status.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace nibble {

namespace {

struct Endings {
  std::vector<std::string> words;
  std::vector<std::string> phrases;
};

Endings readEndings() {
  Endings endings;
  // The variable is set where the tests were moved to another machine.
  const char *moved = std::getenv("NIBBLE_TEST_DATA");
  std::ifstream file(std::string(moved ? moved : NIBBLE_TEST_DATA) +
                     "/error_texts.txt");
  std::vector<std::string> *list = &endings.words;
  for (std::string line; std::getline(file, line);) {
    if (line.empty())
      list = &endings.phrases;
    else if (!line.starts_with("#"))
      list->push_back(line);
  }
  return endings;
}

// Replaces digits by one character. Fuzz tests would otherwise produce a text
// for each number.
std::string shapeOf(const std::string &text) {
  std::string shape;
  for (char c : text)
    if (bool digit = c >= '0' && c <= '9';
        !digit || shape.empty() || shape.back() != '0')
      shape += digit ? '0' : c;
  return shape;
}

// The last three clauses, because a note on what was saved, or where to learn
// more, may follow what to do. For a single clause, the part behind its last
// colon.
std::string endOf(const std::string &text) {
  size_t last = text.rfind("; ");
  if (last == std::string::npos)
    last = text.rfind(": ");
  else
    for (int more = 0; more < 2 && last > 0; ++more)
      if (size_t other = text.rfind("; ", last - 1); other != std::string::npos)
        last = other;
  return last == std::string::npos ? "" : text.substr(last);
}

bool endsWithWhatToDo(const std::string &text, const Endings &endings) {
  for (const std::string &phrase : endings.phrases)
    if (text.find(phrase) != std::string::npos)
      return true;
  std::string end = endOf(text);
  for (const std::string before : {"; ", ": ", ", ", ", or ", ", and "})
    for (size_t at = end.find(before); at != std::string::npos;
         at = end.find(before, at + 1)) {
      size_t begin = at + before.size();
      std::string word =
          end.substr(begin, end.find_first_of(" ,;:", begin) - begin);
      if (std::find(endings.words.begin(), endings.words.end(), word) !=
          endings.words.end())
        return true;
    }
  return false;
}

// Whether the text has a path, a name in quotes or with a dot, a number, or a
// subject before a colon.
bool namesTheThing(const std::string &text) {
  return text.find_first_of("'\"`/0123456789") != std::string::npos ||
         text.find(": ") != std::string::npos;
}

std::string problemOf(const std::string &text, const Endings &endings) {
  if (text.empty())
    return "is empty";
  if (text.find_first_of("\n\r") != std::string::npos)
    return "is more than one line";
  if (!namesTheThing(text))
    return "names nothing";
  return endsWithWhatToDo(text, endings) ? "" : "does not say what to do";
}

// The number of texts that are kept. A fuzz test produces any number.
constexpr size_t kMost = 20000;

std::mutex mutex;
std::set<std::string> &shapes() {
  static std::set<std::string> all;
  return all;
}
std::set<std::string> &texts() {
  static std::set<std::string> all;
  return all;
}

void listen(const Status &error) {
  std::lock_guard lock(mutex);
  if (texts().size() < kMost &&
      shapes().insert(shapeOf(error.message())).second)
    texts().insert(error.message());
}

class ErrorTexts final : public testing::Environment {
public:
  void SetUp() override { errorListener = listen; }
  void TearDown() override {
    errorListener = nullptr;
    Endings endings = readEndings();
    ASSERT_FALSE(endings.words.empty() || endings.phrases.empty());
    std::string all;
    for (const std::string &text : texts())
      all += '\0' + text + '\0';
    size_t looked = 0;
    for (const std::string &text : texts()) {
      std::string problem = problemOf(text, endings);
      ++looked;
      if (problem.empty())
        continue;
      // Skip a text that is part of another one, which is checked itself.
      size_t own = all.find('\0' + text + '\0') + 1;
      size_t other = all.find(text);
      if (other == own)
        other = all.find(text, own + 1);
      if (other == std::string::npos)
        ADD_FAILURE() << "the error text '" << text << "' " << problem;
    }
    std::printf("%zu error texts looked at\n", looked);
  }
};

[[maybe_unused]] testing::Environment *const environment =
    testing::AddGlobalTestEnvironment(new ErrorTexts);

} // namespace

} // namespace nibble
