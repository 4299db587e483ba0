// What the system says about one object, in our types.
#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstdint>

namespace ocsync::io {

// A point in time as file systems keep it; nsec is 0..999999999, also before 1970.
struct FileTime {
  int64_t sec = 0;
  uint32_t nsec = 0;
  auto operator<=>(const FileTime&) const = default;
};

struct FileInfo {
  uint32_t mode = 0;  // type and permission bits as in Unix
  uint32_t nlink = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t size = 0;
  uint64_t blocks = 0;  // of 512 bytes
  uint64_t dev = 0;
  uint64_t ino = 0;
  uint64_t rdev = 0;
  FileTime mtime, atime, ctime, btime;
  bool has_btime = false;

  bool is_regular() const { return S_ISREG(mode); }
  bool is_dir() const { return S_ISDIR(mode); }
  bool is_symlink() const { return S_ISLNK(mode); }
  bool is_device() const { return S_ISCHR(mode) || S_ISBLK(mode); }
  bool is_special() const { return S_ISFIFO(mode) || S_ISSOCK(mode); }
  uint32_t permissions() const { return mode & 07777; }
};

}  // namespace ocsync::io
