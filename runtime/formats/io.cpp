// Opens and reads foreign files, and writes files and folders that appear
// whole.
#include "runtime/formats/io.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>
#include <vector>

namespace nibble {

namespace fs = std::filesystem;

namespace {

// A missing file, or a path that is no file, is wrong input. Any other refusal
// is the machine's.
Status readError(const std::string &path, int errorNumber) {
  std::string message =
      fmt::format("cannot read {}: {}", path, std::strerror(errorNumber));
  switch (errorNumber) {
  case ENOENT:
  case ENOTDIR:
  case EISDIR:
  case ELOOP:
  case ENAMETOOLONG:
    return Status::badInput(message + "; check the path");
  case EACCES:
  case EPERM:
    return Status::environment(message + "; allow this user to read it");
  default:
    return Status::environment(message + "; check the device");
  }
}

} // namespace

Result<OpenedFile> OpenedFile::open(const std::string &path) {
  // Open without blocking, because opening a pipe that nobody writes to would
  // wait forever.
  int descriptor;
  do
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0)
    return readError(path, errno);
  OpenedFile opened{Descriptor(descriptor), path, 0};
  struct stat info;
  if (::fstat(descriptor, &info) != 0)
    return readError(path, errno);
  if (!S_ISREG(info.st_mode))
    return Status::badInput(fmt::format(
        "cannot read {}: it is not a regular file; check the path", path));
  opened.size = static_cast<uint64_t>(info.st_size);
  return opened;
}

Status OpenedFile::readAt(uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    ssize_t count = ::pread(file.get(), out.data(),
                            std::min<size_t>(out.size(), size_t{1} << 30),
                            static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return readError(path, errno);
    if (count == 0)
      return Status::badInput(fmt::format(
          "cannot read {}: it ends at byte {}, {} bytes early; copy it again",
          path, offset, out.size()));
    out = out.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return Status::ok();
}

Result<std::string> readWholeFile(const std::string &path, uint64_t mostBytes) {
  NIBBLE_ASSIGN(OpenedFile file, OpenedFile::open(path));
  if (file.size > mostBytes)
    return Status::badInput(fmt::format(
        "cannot read {}: {} bytes, more than the {} allowed; check the path",
        path, file.size, mostBytes));
  std::string content(static_cast<size_t>(file.size), '\0');
  NIBBLE_TRY(file.readAt(0, std::as_writable_bytes(std::span(content))));
  return content;
}

Status copyFileAtomically(const std::string &from, const std::string &to) {
  NIBBLE_ASSIGN(OpenedFile source, OpenedFile::open(from));
  NIBBLE_ASSIGN(AtomicFile target, AtomicFile::create(to));
  std::vector<std::byte> buffer(
      static_cast<size_t>(std::min<uint64_t>(source.size, uint64_t{4} << 20)));
  for (uint64_t offset = 0; offset < source.size;) {
    auto chunk = std::span(buffer).first(static_cast<size_t>(
        std::min<uint64_t>(buffer.size(), source.size - offset)));
    NIBBLE_TRY(source.readAt(offset, chunk));
    NIBBLE_TRY(target.write(chunk));
    offset += chunk.size();
  }
  return target.commit();
}

AtomicFolder::AtomicFolder(std::string target, std::string temporary)
    : target_(std::move(target)), temporary_(std::move(temporary)) {}

AtomicFolder::AtomicFolder(AtomicFolder &&other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      madeParents_(std::exchange(other.madeParents_, {})) {}

AtomicFolder::~AtomicFolder() {
  std::error_code error;
  if (!temporary_.empty())
    fs::remove_all(temporary_, error);
  // Stays when somebody has put something into it.
  for (const std::string &parent : madeParents_)
    fs::remove(parent, error);
}

Result<AtomicFolder> AtomicFolder::create(const std::string &name) {
  std::string target = fs::path(name).lexically_normal().string();
  while (target.size() > 1 && target.ends_with('/'))
    target.pop_back();
  std::error_code error;
  if (fs::symlink_status(target, error).type() != fs::file_type::not_found)
    return Status::usage(fmt::format("cannot write {}: it is there already; "
                                     "remove it or choose another name",
                                     target));
  std::string temporary = fmt::format("{}.tmp.{}", target, ::getpid());
  AtomicFolder folder(target, "");
  for (fs::path parent = fs::path(target).parent_path();
       !parent.empty() && !fs::exists(parent, error);
       parent = parent.parent_path())
    folder.madeParents_.push_back(parent.string());
  if (!folder.madeParents_.empty())
    NIBBLE_TRY(makeFolders(folder.madeParents_.front()));
  // Left by a killed process with our process id.
  fs::remove_all(temporary, error);
  if (!fs::create_directory(temporary, error))
    return Status::environment(fmt::format(
        "cannot write {}: {}; choose a place that can be written", target,
        error ? error.message() : "its temporary folder is there already"));
  folder.temporary_ = std::move(temporary);
  return folder;
}

Status AtomicFolder::commit() {
  NIBBLE_TRY(syncFolder(temporary_));
  NIBBLE_TRY(renamePath(temporary_, target_));
  temporary_.clear();
  madeParents_.clear();
  fs::path parent = fs::path(target_).parent_path();
  return syncFolder(parent.empty() ? "." : parent);
}

bool staysInside(const std::string &folder, const std::string &path) {
  std::error_code error;
  fs::path root = fs::canonical(folder, error);
  if (error)
    return false;
  fs::path file = fs::canonical(path, error);
  if (error)
    return false;
  auto within = [&](const fs::path &parent) {
    auto [end, ignored] =
        std::mismatch(parent.begin(), parent.end(), file.begin(), file.end());
    return end == parent.end();
  };
  if (within(root))
    return true;
  fs::path snapshots = root.parent_path();
  return snapshots.filename() == "snapshots" &&
         within(snapshots.parent_path() / "blobs");
}

bool isUtf8(std::string_view text) {
  const auto *bytes = reinterpret_cast<const utf8proc_uint8_t *>(text.data());
  for (size_t i = 0; i < text.size();) {
    if (bytes[i] < 0x80) {
      ++i;
      continue;
    }
    utf8proc_int32_t codepoint;
    utf8proc_ssize_t length = utf8proc_iterate(
        bytes + i, static_cast<utf8proc_ssize_t>(text.size() - i), &codepoint);
    if (length <= 0)
      return false;
    i += static_cast<size_t>(length);
  }
  return true;
}

std::string_view withoutByteOrderMark(std::string_view text) {
  return text.substr(text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
}

std::string_view withoutLineMarks(std::string_view line, bool isFirst) {
  if (isFirst)
    line = withoutByteOrderMark(line);
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  return line;
}

bool isBlank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

std::string printable(std::string_view text, size_t most) {
  bool isText = isUtf8(text);
  std::string out;
  for (char c : text.substr(0, most)) {
    auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !isText) ? '?' : c;
  }
  while (isText && !isUtf8(out)) // the text was cut inside a character
    out.pop_back();
  return text.size() > most ? out + "..." : out;
}

} // namespace nibble
