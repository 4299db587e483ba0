// A directory held open; the only door to the file system.
//
// Each operation names one child by Leaf (never empty, no '/', not "." or ".."), so a symlink planted in a parent
// cannot lead it elsewhere. Longer paths go through beneath(), which refuses to leave this directory.
//
// Owns its descriptor; movable; all const members may be called from several threads at once. Failures carry errno.
// A directory that may only be searched opens all the same; then list() fails with EACCES. Opening content never blocks
// (a fifo without a partner is opened or refused at once) and the open_* calls do not check the type: ask info().
#pragma once

#include <dirent.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libio/os/fd.h"
#include "libio/os/file.h"
#include "libio/os/file_info.h"
#include "libio/os/leaf.h"
#include "libio/os/trusted_walk.h"

namespace ocsync::io {

// One name in a directory as listed; `type` is a DT_* constant, DT_UNKNOWN where the file system does not say.
struct DirEntry {
  uint32_t name_offset;  // into DirListing::names, NUL-terminated
  uint8_t type;
  uint64_t ino;
};
struct DirListing {
  std::string names;
  std::vector<DirEntry> entries;  // in the order the file system returned them, without "." and ".."
  const char* name(const DirEntry& entry) const { return names.data() + entry.name_offset; }
};

class Dir {
 public:
  Dir() = default;
  // For paths the operator typed. Never for bytes that came from the far side. A symlink on the way is followed only
  // if root or the effective user owns it, or whoever if `trust` says so; a refusal names the component and its owner.
  static Result<Dir> open_trusted(const std::string& path, const Trust& trust = {});
  static Result<Dir> current();
  // The same for a path that starts in this directory (--partial-dir is taken anew in each).
  Result<Dir> trusted_below(const std::string& relative, const Trust& trust = {}) const;
  // The directory of the last component of an operator's path, by the same rule, and that component (which may not
  // exist, and is "." when the path ends in a slash, "." or "..").
  struct Place;
  static Result<Place> trusted_parent(const std::string& path, const Trust& trust = {});
  // A file the operator named (password file, filter file, log, batch), by the same rule. All but kRead create it with
  // `mode`; kReplace empties it, kAppend writes at its end, kUpdate also reads.
  enum class Use : uint8_t { kRead, kReplace, kAppend, kUpdate };
  static Result<File> open_trusted_file(const std::string& path, Use use, uint32_t mode = 0600,
                                        const Trust& trust = {});

  Result<Dir> child(Leaf name) const;            // fails on a symlink (ENOTDIR or ELOOP)
  Result<Dir> child_following(Leaf name) const;  // follows a symlink; only for -k/-L sources, which say so
  // A directory below this one by relative path ("" and "." are this directory). Symlinks inside the tree are followed
  // only while they stay beneath this directory; absolute targets and climbing out fail with ELOOP or EXDEV.
  Result<Dir> beneath(const std::string& relative) const;
  // The same, following no symlink at all.
  Result<Dir> beneath_nofollow(const std::string& relative) const;
  Result<Dir> duplicate() const;

  Result<DirListing> list() const;
  Result<FileInfo> self() const;
  Status searchable() const;                          // EACCES: names in it may not be looked up
  Result<FileInfo> info(Leaf name) const;             // describes a symlink, never its target
  Result<FileInfo> info_following(Leaf name) const;   // describes the target
  bool leads_to_dir(Leaf name) const;                 // ... wherever that is: a ceiling does not hide this bit
  Result<FileInfo> info_with_btime(Leaf name) const;  // costs a little more than info()
  // Information on many children of one directory; result i belongs to names[i].
  std::vector<Result<FileInfo>> info_batch(std::span<const Leaf> names) const;

  Result<File> open_read(Leaf name, bool no_atime = false) const;  // fails on a symlink (ELOOP)
  Result<File> open_read_following(Leaf name) const;
  Result<File> open_write(Leaf name) const;                     // existing, not a symlink, not truncated
  Result<File> open_update(Leaf name) const;                    // the same, also readable
  Result<File> create(Leaf name, uint32_t mode) const;          // must not exist; readable and writable
  Result<File> open_or_create(Leaf name, uint32_t mode) const;  // for writing; not truncated, not a symlink
  Result<File> open_path(Leaf name) const;                      // O_PATH|O_NOFOLLOW: attributes only
  Status make_dir(Leaf name, uint32_t mode) const;
  Status make_symlink(const std::string& target, Leaf name) const;
  Status make_node(Leaf name, uint32_t mode, uint64_t rdev) const;  // devices, fifos, sockets
  Status hard_link(Leaf from, const Dir& to_dir, Leaf to) const;    // never follows `from`
  Result<std::string> read_link(Leaf name) const;
  Status rename(Leaf from, const Dir& to_dir, Leaf to) const;
  Status unlink(Leaf name) const;
  Status remove_dir(Leaf name) const;

  Status set_mode(Leaf name, uint32_t permissions) const;                            // not on symlinks
  Status set_owner(Leaf name, uint32_t uid, uint32_t gid) const;                     // acts on a symlink itself
  Status set_times(Leaf name, std::optional<FileTime> atime, FileTime mtime) const;  // acts on a symlink itself
  Status set_self_mode(uint32_t permissions) const;
  Status set_self_owner(uint32_t uid, uint32_t gid) const;
  Status set_self_times(std::optional<FileTime> atime, FileTime mtime) const;

  // From now on what follows symlinks (child_following, info_following, open_read_following), here and in directories
  // reached from here, refuses to end anywhere but in or below the directory `ceiling` (EXDEV; borrowed, and to stay
  // open). Absolute targets are refused, too.
  void confine_to(int ceiling) { ceiling_ = ceiling; }
  // Is this directory `ceiling` or below it?
  bool is_within(int ceiling) const;

  int fd() const { return fd_.get(); }
  bool valid() const { return fd_.valid(); }

 private:
  explicit Dir(Fd fd, int ceiling = -1) : fd_(std::move(fd)), ceiling_(ceiling) {}
  // Where a chain of symlinks ends, without ever leaving the ceiling.
  Result<Place> confined_place(Leaf name) const;
  Fd fd_;
  int ceiling_ = -1;
  mutable bool listed_ = false;  // our own reading position was used; accessed atomically
};

struct Dir::Place {
  Dir dir;
  std::string leaf;  // "." if the place is `dir` itself
};

}  // namespace ocsync::io
