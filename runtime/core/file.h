// Files that survive a crash. A file is written beside its place, synced and
// renamed into it, and then the folder is synced. Every error is an environment
// status that names the path and repeats the system's message.
#pragma once

#include "runtime/core/status.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// A file descriptor that closes itself when it is destroyed.
class Descriptor {
public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }
  bool isOpen() const { return fd_ >= 0; }
  // Closes now. Returns -1 and sets errno as close(2) does.
  int close();

private:
  int fd_ = -1;
};

class FileReader {
public:
  static Result<FileReader> open(const std::filesystem::path &path);
  // Fills as much of `buffer` as the file still has. Returns the bytes read, 0
  // at the end of the file.
  Result<size_t> read(std::span<std::byte> buffer);

private:
  Descriptor file_;
  std::filesystem::path path_;
};

class FileWriter {
public:
  // Creates an empty file; previous content is lost. Errors name `shownAs` when
  // it is given: the final path of a temporary file.
  static Result<FileWriter> create(const std::filesystem::path &path,
                                   const std::filesystem::path &shownAs = {});
  // Opens the file to write at its end, and creates it when it is missing. When
  // `keep` >= 0 the file is first cut to that many bytes; a shorter file is bad
  // input.
  static Result<FileWriter> append(const std::filesystem::path &path,
                                   int64_t keep = -1);

  // Writes all bytes, however few the system accepts at a time.
  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text) {
    return write(std::as_bytes(std::span(text)));
  }
  // Syncs the file to the disk. A pipe or a terminal has no disk and nothing to
  // sync.
  Status sync();
  Status close();
  // Bytes in the file so far.
  int64_t size() const { return size_; }

private:
  Descriptor file_;
  std::filesystem::path path_;
  int64_t size_ = 0;
};

// A file that appears in one step. It is written in pieces under a temporary
// name in the same folder, synced and renamed, and the folder is synced.
// Without commit() nothing is left behind. A link is followed to its target. An
// existing pipe, terminal or other device is not replaced: bytes go into it at
// once.
class AtomicFile {
public:
  static Result<AtomicFile> create(const std::filesystem::path &path);
  AtomicFile(AtomicFile &&other) noexcept;
  AtomicFile &operator=(AtomicFile &&) = delete;
  ~AtomicFile();

  Status write(std::span<const std::byte> bytes) {
    return writer_.write(bytes);
  }
  Status write(std::string_view text) { return writer_.write(text); }
  Status commit();

private:
  AtomicFile(std::filesystem::path path, std::filesystem::path temporary,
             FileWriter writer);
  // temporary_ is empty after a commit or a move, and for a device.
  std::filesystem::path path_, temporary_;
  FileWriter writer_;
};

// Replaces `path` by these bytes through an AtomicFile. Even after a crash,
// either the old file or the new one is there.
Status writeFileAtomically(const std::filesystem::path &path,
                           std::string_view content);
// Reads the whole file. A file of more than `limit` bytes is bad input.
Result<std::string> readFile(const std::filesystem::path &path,
                             int64_t limit = int64_t{1} << 30);

// Makes created, renamed and removed names in the folder survive a power loss.
Status syncFolder(const std::filesystem::path &folder);
// Renames and replaces `to`. Does not sync.
Status renamePath(const std::filesystem::path &from,
                  const std::filesystem::path &to);
// Makes `link` point to `target`, a name in the same folder, and syncs the
// folder. A previous `link` is replaced.
Status replaceLink(const std::filesystem::path &link,
                   const std::string &target);
Status makeFolders(const std::filesystem::path &folder);
// Removes the path and everything below it. A missing path is no error.
Status removeTree(const std::filesystem::path &path);
// Names (not paths) in the folder, sorted.
Result<std::vector<std::string>>
listFolder(const std::filesystem::path &folder);

// A lock that one process at a time holds. It ends when the object is destroyed
// or when the process ends for any reason.
class FolderLock {
public:
  static constexpr const char *kFile = "lock";
  // Takes `<folder>/lock`. The holder may remove the file. Environment error
  // with the holder's process id when another process holds the lock.
  static Result<FolderLock> acquire(const std::filesystem::path &folder);

private:
  Descriptor file_;
};

} // namespace nibble
