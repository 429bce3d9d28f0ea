// Files that survive a crash: written beside their place, synced, renamed into
// it, and the folder synced after. Every error is an environment status that
// names the path and what the system said.
#pragma once

#include "runtime/core/status.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// A file descriptor that closes itself.
class Descriptor {
public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }
  bool isOpen() const { return fd_ >= 0; }
  // Closes now; -1 with errno set as close(2) does.
  int close();

private:
  int fd_ = -1;
};

class FileReader {
public:
  static Result<FileReader> open(const std::filesystem::path &path);
  // Fills as much of `buffer` as the file still has; 0 at its end.
  Result<size_t> read(std::span<std::byte> buffer);

private:
  Descriptor file_;
  std::filesystem::path path_;
};

class FileWriter {
public:
  // An empty file: what was there is gone. Errors speak of `shownAs`, when
  // given: what a temporary file will become.
  static Result<FileWriter> create(const std::filesystem::path &path,
                                   const std::filesystem::path &shownAs = {});
  // At the end of what is there; creates the file. `keep` >= 0 first cuts the
  // file to that many bytes (bad input when it is shorter).
  static Result<FileWriter> append(const std::filesystem::path &path,
                                   int64_t keep = -1);

  // All of it, whatever the system takes at a time.
  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text) {
    return write(std::as_bytes(std::span(text)));
  }
  // To the disk, not only to the system. What has no disk behind it (a pipe, a
  // terminal) has nothing to sync.
  Status sync();
  Status close();
  // Bytes in the file so far.
  int64_t size() const { return size_; }

private:
  Descriptor file_;
  std::filesystem::path path_;
  int64_t size_ = 0;
};

// A file written in pieces under a temporary name in the same folder, synced,
// renamed, the folder synced. Without commit() nothing is left behind. A link
// is followed to what it points to. A pipe, a terminal or another device that
// is there is not replaced: what is written goes into it at once.
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
  std::filesystem::path path_, temporary_; // temporary_ is empty once committed
                                           // or moved from, and of a device
  FileWriter writer_;
};

// Replaces `path` by these bytes, as an AtomicFile: afterwards, and after a
// crash at any moment, either the old or the new file is there.
Status writeFileAtomically(const std::filesystem::path &path,
                           std::string_view content);
// Bad input when the file has more than `limit` bytes.
Result<std::string> readFile(const std::filesystem::path &path,
                             int64_t limit = int64_t{1} << 30);

// Makes names that were created, renamed or removed in the folder survive a
// power loss.
Status syncFolder(const std::filesystem::path &folder);
// Replaces `to`; does not sync.
Status renamePath(const std::filesystem::path &from,
                  const std::filesystem::path &to);
// Makes `link` point to `target` (a name in the same folder), replacing what
// `link` was, and syncs the folder.
Status replaceLink(const std::filesystem::path &link,
                   const std::string &target);
Status makeFolders(const std::filesystem::path &folder);
// With everything below it; a path that is not there is fine.
Status removeTree(const std::filesystem::path &path);
// Names (not paths) in the folder, sorted.
Result<std::vector<std::string>>
listFolder(const std::filesystem::path &folder);

// Held by one process at a time, until destroyed or the process ends however it
// ends.
class FolderLock {
public:
  static constexpr const char *kFile = "lock";
  // Takes `<folder>/lock`; the holder may remove the file. Environment error
  // naming the holder's process id when another process holds it.
  static Result<FolderLock> acquire(const std::filesystem::path &folder);

private:
  Descriptor file_;
};

} // namespace nibble
