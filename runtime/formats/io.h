// Reads files that we did not write, and writes files that appear whole or not
// at all.
#pragma once

#include "runtime/core/file.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// A regular file, opened for reading, and its size in bytes at that time.
struct OpenedFile {
  Descriptor file;
  std::string path;
  uint64_t size = 0;

  // Bad input when the file is missing or is no regular file (a folder, pipe,
  // device). Environment error when the machine refuses.
  static Result<OpenedFile> open(const std::string &path);
  // Fills `out` from byte `offset` on. Bad input when the file ends before,
  // because it was cut after it was opened.
  Status readAt(uint64_t offset, std::span<std::byte> out) const;
};

// Reads the whole file. Bad input when it is longer than `mostBytes`.
Result<std::string> readWholeFile(const std::string &path, uint64_t mostBytes);

// Copies file `from` to file `to`.
Status copyFileAtomically(const std::string &from, const std::string &to);

// A folder that appears whole or not at all. It is filled under a temporary
// name beside its place and then renamed. Parent folders are created as needed.
// Without commit() nothing is left behind.
class AtomicFolder {
public:
  // Usage error when the name exists already.
  static Result<AtomicFolder> create(const std::string &target);
  AtomicFolder(AtomicFolder &&other) noexcept;
  AtomicFolder &operator=(AtomicFolder &&) = delete;
  ~AtomicFolder();

  // The temporary path of the folder while it is filled.
  const std::string &path() const { return temporary_; }
  std::string operator/(const std::string &name) const {
    return temporary_ + "/" + name;
  }
  // Renames the folder into place. Whoever wrote its files has synced them.
  Status commit();

private:
  AtomicFolder(std::string target, std::string temporary);
  // temporary_ is empty after a commit or a move.
  std::string target_, temporary_;
  // Folders that did not exist before, deepest first.
  std::vector<std::string> madeParents_;
};

// Whether `path`, with all links followed, lies in `folder`. A revision of the
// HuggingFace cache (.../snapshots/<revision>) may also link to its blobs
// folder. False when the path does not exist.
bool staysInside(const std::string &folder, const std::string &path);

// The text without a byte order mark, which editors may add.
std::string_view withoutByteOrderMark(std::string_view text);
// A line without additions of editors and systems. These are a byte order mark
// before the first line of a text, and the carriage return of a CRLF line end.
std::string_view withoutLineMarks(std::string_view line, bool isFirst);
// Whether the line has only spaces, tabs and carriage returns.
bool isBlank(std::string_view line);

// Whether the text is well-formed UTF-8: no overlong forms, no surrogates,
// nothing above U+10FFFF.
bool isUtf8(std::string_view text);
// Foreign text for a one-line message. Control characters and invalid UTF-8
// become '?', and text beyond `most` is cut.
std::string printable(std::string_view text, size_t most = 120);

} // namespace nibble
