#include "libsync/daemon/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ocsync::sync {

namespace {
constexpr size_t kMaxPidBytes = 32;
}

Status PidFile::make(const std::string& path) {
  if (path.empty()) return {};
  const auto trouble = [&](const char* step, int error) -> Status {
    return fail(Fault::kFileIo, fmt::format("failed to {} pid file {}: {}", step, path, ::strerror(error)));
  };
  const size_t slash = path.rfind('/');
  const std::string dir_path = slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  name_ = slash == path.npos ? path : path.substr(slash + 1);
  auto dir = io::Dir::open_trusted(dir_path, true);
  if (!dir)
    return fail(Fault::kFileIo, fmt::format("failed to open pid-file directory \"{}\"", dir_path), dir.error().sys);
  dir_ = std::move(*dir);
  struct stat st{};
  if (::fstatat(dir_.fd(), name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode) &&
      ::unlinkat(dir_.fd(), name_.c_str(), 0) != 0)
    return trouble("unlink", errno);
  fd_ = io::Fd(::openat(dir_.fd(), name_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0664));
  if (!fd_.valid()) return trouble("open", errno);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = 4;
  if (::fcntl(fd_.get(), F_SETLK, &lock) != 0) return trouble("lock", errno);
  struct stat again{};
  if (::fstat(fd_.get(), &st) != 0) return trouble("fstat opened", errno);
  if (st.st_size > static_cast<off_t>(kMaxPidBytes)) return trouble("find small", EFBIG);
  if (::fstatat(dir_.fd(), name_.c_str(), &again, AT_SYMLINK_NOFOLLOW) != 0) return trouble("lstat", errno);
  if (!S_ISREG(st.st_mode)) return trouble("avoid file overwrite race for", EINVAL);
  if (st.st_dev != again.st_dev || st.st_ino != again.st_ino) return trouble("verify stat info for", ESTALE);
  if (::ftruncate(fd_.get(), 0) != 0) return trouble("truncate", errno);
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::write(fd_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return trouble("write", errno);
  owner_ = ::getpid();
  return {};
}

PidFile::~PidFile() {
  if (owner_ == ::getpid() && fd_.valid()) ::unlinkat(dir_.fd(), name_.c_str(), 0);
}

}  // namespace ocsync::sync
