// The thing whose attributes are read or set: a file held open, a name in a held directory, or a held directory itself.
#pragma once

#include <cstdint>
#include <optional>

#include "libio/os/dir.h"
#include "libio/os/xattrs.h"

namespace ocsync::sync {

// Borrows what it was made of.
struct Object {
  const io::File* file = nullptr;
  const io::Dir* dir = nullptr;
  std::optional<io::Leaf> leaf;  // with dir; unset: the directory itself

  static Object opened(const io::File& file) { return {.file = &file}; }
  static Object named(const io::Dir& dir, io::Leaf leaf) { return {.dir = &dir, .leaf = leaf}; }
  static Object itself(const io::Dir& dir) { return {.dir = &dir}; }

  Result<io::FileInfo> info() const;
  Status set_mode(uint32_t permissions) const;
  Status set_owner(uint32_t uid, uint32_t gid) const;
  Status set_times(std::optional<io::FileTime> atime, io::FileTime mtime) const;
  io::Xattrs xattrs() const;
};

}  // namespace ocsync::sync
