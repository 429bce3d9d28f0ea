// Reads, writes, syncs, renames and locks files. Errors repeat the system's own
// message.
#include "runtime/core/file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace fs = std::filesystem;

namespace nibble {

namespace {

Status systemError(const char *what, const fs::path &path, int error = errno) {
  const char *remedy = "";
  if (error == ENOSPC || error == EDQUOT)
    remedy = "; free some space";
  else if (error == EFBIG)
    remedy = "; raise the file size limit (ulimit -f)";
  else if (error == EACCES || error == EPERM || error == EROFS)
    remedy = "; choose a folder that can be written";
  else if (error == ENOENT || error == ENOTDIR || error == EISDIR ||
           error == ELOOP)
    remedy = "; check the path";
  return Status::environment(fmt::format("{} {}: {}{}", what, path.string(),
                                         std::strerror(error), remedy));
}

int openRetrying(const fs::path &path, int flags, mode_t mode = 0644) {
  int fd;
  do
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

fs::path folderOf(const fs::path &path) {
  fs::path folder = path.parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

} // namespace

Descriptor &Descriptor::operator=(Descriptor &&other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}
Descriptor::~Descriptor() { close(); }
int Descriptor::close() {
  return fd_ < 0 ? 0 : ::close(std::exchange(fd_, -1));
}

Result<FileReader> FileReader::open(const fs::path &path) {
  FileReader reader;
  reader.file_ = Descriptor(openRetrying(path, O_RDONLY));
  if (!reader.file_.isOpen()) {
    // A missing file is wrong input. Any other refusal is the machine's.
    bool absent = errno == ENOENT || errno == ENOTDIR;
    Status error = systemError("cannot open", path);
    return absent ? Status::badInput(error.message()) : error;
  }
  reader.path_ = path;
  return reader;
}

Result<size_t> FileReader::read(std::span<std::byte> buffer) {
  size_t done = 0;
  while (done < buffer.size()) {
    ssize_t count =
        ::read(file_.get(), buffer.data() + done, buffer.size() - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return systemError("cannot read", path_);
    if (count == 0)
      break;
    done += static_cast<size_t>(count);
  }
  return done;
}

Result<FileWriter> FileWriter::create(const fs::path &path,
                                      const fs::path &shownAs) {
  FileWriter writer;
  writer.file_ = Descriptor(openRetrying(path, O_WRONLY | O_CREAT | O_TRUNC));
  if (!writer.file_.isOpen())
    return systemError("cannot write", shownAs.empty() ? path : shownAs);
  writer.path_ = shownAs.empty() ? path : shownAs;
  return writer;
}

Result<FileWriter> FileWriter::append(const fs::path &path, int64_t keep) {
  FileWriter writer;
  writer.file_ = Descriptor(openRetrying(path, O_WRONLY | O_CREAT));
  if (!writer.file_.isOpen())
    return systemError("cannot write", path);
  writer.path_ = path;
  struct stat info;
  if (fstat(writer.file_.get(), &info) != 0)
    return systemError("cannot inspect", path);
  writer.size_ = info.st_size;
  if (keep >= 0) {
    if (info.st_size < keep)
      return Status::badInput(
          fmt::format("{}: has {} bytes where the checkpoint knows {}; it was "
                      "cut by someone else; resume from an older checkpoint",
                      path.string(), info.st_size, keep));
    if (ftruncate(writer.file_.get(), keep) != 0)
      return systemError("cannot cut", path);
    writer.size_ = keep;
  }
  if (lseek(writer.file_.get(), writer.size_, SEEK_SET) < 0)
    return systemError("cannot seek in", path);
  return writer;
}

Status FileWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(file_.get(), bytes.data(),
                            std::min<size_t>(bytes.size(), 1 << 30));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return systemError("cannot write", path_, count == 0 ? EIO : errno);
    bytes = bytes.subspan(static_cast<size_t>(count));
    size_ += count;
  }
  return Status::ok();
}

Status FileWriter::sync() {
  int failed;
  do
    failed = fsync(file_.get());
  while (failed && errno == EINTR);
  // fsync(2) sets these two errors when there is nothing to sync.
  bool hasDisk = errno != EINVAL && errno != EROFS;
  return failed && hasDisk ? systemError("cannot sync", path_) : Status::ok();
}

Status FileWriter::close() {
  return file_.close() ? systemError("cannot close", path_) : Status::ok();
}

// The path where a new file for `path` is created, with links followed. Empty
// when `path` names something that is no file to replace: a device, a pipe or a
// dangling link.
static fs::path placeOfFile(const fs::path &path) {
  std::error_code error;
  fs::path place = path;
  if (fs::is_symlink(path, error))
    place = fs::canonical(path, error);
  switch (fs::symlink_status(place, error).type()) {
  case fs::file_type::block:
  case fs::file_type::character:
  case fs::file_type::fifo:
  case fs::file_type::socket:
    return {};
  default:
    return place;
  }
}

AtomicFile::AtomicFile(fs::path path, fs::path temporary, FileWriter writer)
    : path_(std::move(path)), temporary_(std::move(temporary)),
      writer_(std::move(writer)) {}

AtomicFile::AtomicFile(AtomicFile &&other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      writer_(std::move(other.writer_)) {}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty())
    ::unlink(temporary_.c_str());
}

Result<AtomicFile> AtomicFile::create(const fs::path &path) {
  static std::atomic<unsigned> counter{0};
  fs::path place = placeOfFile(path);
  fs::path temporary = place;
  if (!place.empty())
    temporary += fmt::format(".tmp.{}.{}", getpid(), counter.fetch_add(1));
  NIBBLE_ASSIGN(FileWriter writer,
                FileWriter::create(place.empty() ? path : temporary,
                                   /*shownAs=*/path));
  return AtomicFile(std::move(place), std::move(temporary), std::move(writer));
}

Status AtomicFile::commit() {
  NIBBLE_TRY(writer_.sync());
  NIBBLE_TRY(writer_.close());
  if (temporary_.empty())
    return Status::ok();
  NIBBLE_TRY(renamePath(temporary_, path_));
  temporary_.clear();
  return syncFolder(folderOf(path_));
}

Status writeFileAtomically(const fs::path &path, std::string_view content) {
  NIBBLE_ASSIGN(AtomicFile file, AtomicFile::create(path));
  NIBBLE_TRY(file.write(content));
  return file.commit();
}

Result<std::string> readFile(const fs::path &path, int64_t limit) {
  NIBBLE_ASSIGN(FileReader reader, FileReader::open(path));
  std::string content;
  while (true) {
    size_t before = content.size();
    content.resize(before + (1 << 16));
    NIBBLE_ASSIGN(
        size_t count,
        reader.read(
            std::as_writable_bytes(std::span(content)).subspan(before)));
    content.resize(before + count);
    if (static_cast<int64_t>(content.size()) > limit)
      return Status::badInput(fmt::format(
          "{}: larger than the {} bytes allowed here; give a smaller file",
          path.string(), limit));
    if (count < (1 << 16))
      return content;
  }
}

Status syncFolder(const fs::path &folder) {
  Descriptor descriptor(openRetrying(folder, O_RDONLY | O_DIRECTORY));
  if (!descriptor.isOpen())
    return systemError("cannot open folder", folder);
  // Some file systems cannot sync a folder and set EINVAL. They make names
  // durable by themselves.
  if (fsync(descriptor.get()) != 0 && errno != EINVAL)
    return systemError("cannot sync folder", folder);
  return Status::ok();
}

Status renamePath(const fs::path &from, const fs::path &to) {
  return std::rename(from.c_str(), to.c_str())
             ? systemError("cannot rename to", to)
             : Status::ok();
}

Status replaceLink(const fs::path &link, const std::string &target) {
  fs::path temporary = link;
  temporary += fmt::format(".tmp.{}", getpid());
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0)
    return systemError("cannot create link", temporary);
  NIBBLE_TRY(renamePath(temporary, link));
  return syncFolder(folderOf(link));
}

Status makeFolders(const fs::path &folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  return error ? systemError("cannot create folder", folder, error.value())
               : Status::ok();
}

Status removeTree(const fs::path &path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? systemError("cannot remove", path, error.value())
               : Status::ok();
}

Result<std::vector<std::string>> listFolder(const fs::path &folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error))
    names.push_back(entry->path().filename().string());
  if (error)
    return systemError("cannot list folder", folder, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

// Whether `path` still names the open file.
static bool isStillAt(const Descriptor &file, const fs::path &path) {
  struct stat held, named;
  return fstat(file.get(), &held) == 0 && stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

Result<FolderLock> FolderLock::acquire(const fs::path &folder) {
  fs::path path = folder / kFile;
  FolderLock lock;
  // Tries again when the previous holder removed the file after we opened it
  // and before we locked it.
  do {
    lock.file_ = Descriptor(openRetrying(path, O_RDWR | O_CREAT));
    if (!lock.file_.isOpen())
      return systemError("cannot write", path);
    if (flock(lock.file_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK)
        return systemError("cannot lock", path);
      char holder[32] = {};
      ssize_t count = pread(lock.file_.get(), holder, sizeof(holder) - 1, 0);
      std::string_view process(holder,
                               count > 0 ? static_cast<size_t>(count) : 0);
      return Status::environment(
          fmt::format("{}: process {} is working in this folder; wait for it "
                      "or choose another folder",
                      folder.string(), process.empty() ? "unknown" : process));
    }
  } while (!isStillAt(lock.file_, path));
  std::string self = std::to_string(getpid());
  if (ftruncate(lock.file_.get(), 0) != 0 ||
      pwrite(lock.file_.get(), self.data(), self.size(), 0) !=
          static_cast<ssize_t>(self.size()))
    return systemError("cannot write", path);
  return lock;
}

} // namespace nibble
