// Draws the line of progress.
#include "runtime/report/progress.h"

#include "runtime/formats/tokenizer/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace nibble {
namespace {

using namespace std::chrono_literals;

// The shortest time between two redraws of a terminal.
constexpr auto kRedraw = 100ms;
// Weight of the newest step in the average time of a step.
constexpr double kNewest = 0.1;

// Returns the first `columns` characters.
std::string_view cut(std::string_view text, int columns) {
  size_t at = 0;
  for (; at < text.size() && columns > 0; --columns)
    at += stepUtf8(text.substr(at)).bytes;
  return text.substr(0, at);
}

} // namespace

std::string formatDuration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9)
    return "?";
  if (seconds < 9.95)
    return fmt::format("{:.{}f} s", seconds, seconds < 0.995 ? 2 : 1);
  int64_t whole = std::llround(seconds);
  if (whole < 120)
    return fmt::format("{} s", whole);
  int64_t minutes = std::llround(seconds / 60);
  if (minutes < 60)
    return fmt::format("{} min", minutes);
  if (minutes < 48 * 60)
    return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
  return fmt::format("{} d {} h", minutes / (24 * 60), minutes / 60 % 24);
}

Progress::Output Progress::standardError() {
  winsize size{};
  bool isTerminal = isatty(STDERR_FILENO) == 1;
  int columns = isTerminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 &&
                        size.ws_col > 0
                    ? size.ws_col
                    : 80;
  return {[](std::string_view text) {
            std::fwrite(text.data(), 1, text.size(), stderr);
          },
          isTerminal, columns, [] { return Clock::now(); }};
}

Progress::Progress(std::string label, int64_t first, int64_t total,
                   Output output, std::chrono::seconds interval)
    : label_(std::move(label)), done_(first), total_(total),
      output_(std::move(output)), interval_(interval), last_(output_.now()),
      shown_(last_) {}

Progress::~Progress() {
  if (isLineOpen_)
    output_.write("\n");
}

std::string Progress::line(std::string_view detail) const {
  std::string text = fmt::format("{}  {}/{}", label_, done_, total_);
  if (total_ > 0)
    text += fmt::format("  {}%", 100 * done_ / total_);
  if (!detail.empty())
    text += fmt::format("  {}", detail);
  if (secondsPerStep_ >= 0)
    text += fmt::format("  {}/step", formatDuration(secondsPerStep_));
  if (secondsPerStep_ >= 0 && done_ < total_)
    text += fmt::format(
        "  left {}",
        formatDuration(secondsPerStep_ * static_cast<double>(total_ - done_)));
  return text;
}

void Progress::draw(const std::string &text) {
  if (!output_.isTerminal) {
    output_.write(text + "\n");
    return;
  }
  // Return to the start of the line and erase it. The last column stays free,
  // because some terminals would break the line.
  output_.write(fmt::format("\r\x1b[K{}", cut(text, output_.columns - 1)));
  isLineOpen_ = true;
}

void Progress::update(int64_t done, std::string_view detail) {
  Clock::time_point now = output_.now();
  if (done > done_) {
    double seconds = std::chrono::duration<double>(now - last_).count() /
                     static_cast<double>(done - done_);
    secondsPerStep_ = secondsPerStep_ < 0
                          ? seconds
                          : (1 - kNewest) * secondsPerStep_ + kNewest * seconds;
  }
  done_ = done;
  last_ = now;
  current_ = line(detail);
  auto pause = output_.isTerminal ? Clock::duration(kRedraw)
                                  : Clock::duration(interval_);
  if (!isFirst_ && done_ < total_ && now - shown_ < pause)
    return;
  isFirst_ = false;
  shown_ = now;
  draw(current_);
}

void Progress::say(std::string_view line) {
  output_.write(fmt::format("{}{}\n", isLineOpen_ ? "\r\x1b[K" : "", line));
  if (isLineOpen_)
    draw(current_);
}

} // namespace nibble
