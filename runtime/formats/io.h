// Reading files that we did not write, and writing files that appear whole or
// not at all.
#pragma once

#include "runtime/core/file.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// A regular file, opened for reading, and its size in bytes when it was opened.
struct OpenedFile {
  Descriptor file;
  std::string path;
  uint64_t size = 0;

  // Bad input when there is no such file or it is not a regular one (a folder,
  // pipe, device); environment error when the machine refuses.
  static Result<OpenedFile> open(const std::string &path);
  // Fills `out` from byte `offset` on. Bad input when the file ends before: it
  // was cut since it was opened.
  Status readAt(uint64_t offset, std::span<std::byte> out) const;
};

// The whole file. Bad input when it is longer than `mostBytes`.
Result<std::string> readWholeFile(const std::string &path, uint64_t mostBytes);

// The bytes of `from` as file `to`.
Status copyFileAtomically(const std::string &from, const std::string &to);

// A folder that appears whole or not at all: filled under a temporary name
// beside its place, then renamed. Folders above it are made as needed. Without
// commit() nothing is left behind.
class AtomicFolder {
public:
  // Usage error when there is something of that name already.
  static Result<AtomicFolder> create(const std::string &target);
  AtomicFolder(AtomicFolder &&other) noexcept;
  AtomicFolder &operator=(AtomicFolder &&) = delete;
  ~AtomicFolder();

  // Where the folder is while it is filled.
  const std::string &path() const { return temporary_; }
  std::string operator/(const std::string &name) const {
    return temporary_ + "/" + name;
  }
  // Files in it are synced by whoever wrote them.
  Status commit();

private:
  AtomicFolder(std::string target, std::string temporary);
  std::string target_,
      temporary_; // temporary_ is empty once committed or moved from
  std::vector<std::string> madeParents_; // deepest first; not there before
};

// True when `path`, all links followed, lies in `folder`; or, when `folder` is
// a revision of the HuggingFace cache
// (.../snapshots/<revision>), in the blobs folder that such a revision links
// to. False also when it does not exist.
bool staysInside(const std::string &folder, const std::string &path);

// A text without the byte order mark that editors may put before it.
std::string_view withoutByteOrderMark(std::string_view text);
// A line without what editors and systems put around it: a byte order mark
// before the first line of a text, and the carriage return of a CRLF line end.
std::string_view withoutLineMarks(std::string_view line, bool isFirst);
// Whether there is nothing but spaces, tabs and carriage returns.
bool isBlank(std::string_view line);

// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool isUtf8(std::string_view text);
// Text of others for a message of one line: control characters and what is not
// UTF-8 become '?', the rest is cut at `most`.
std::string printable(std::string_view text, size_t most = 120);

} // namespace nibble
