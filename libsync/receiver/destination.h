// Where files arrive: the destination directory held open, and directories below it by list path.
//
// One Destination per thread that acts below it (clone() makes another): the cache of open directories is not shared.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libio/os/dir.h"
#include "libproto/control.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// Which symlinks on the way to a directory are followed: those that stay below the root, or whatever they lead to, for
// who said so (-L, -k, "insecure links"). A confined root (Dir::confine_to) stays confined either way.
enum class Follow : uint8_t { kInside, kAnywhere };

// Open directories below one root, found again by path; bounded, least recently used goes first.
class DirCache {
 public:
  DirCache(std::shared_ptr<const io::Dir> root, Follow follow, size_t capacity = 32)
      : root_(std::move(root)), follow_(follow), capacity_(capacity) {}
  // The directory `path` ("" or "." is the root) below the root.
  Result<std::shared_ptr<const io::Dir>> open(std::string_view path);
  // `path` ends in a symlink that is to be followed: would the kernel go the whole way at once, or are that too many
  // links?
  bool too_many_links(std::string_view path) const;
  void forget(std::string_view path);  // after a directory was removed or replaced, with all below it
  void forget_all() { slots_.clear(); }
  const std::shared_ptr<const io::Dir>& root() const { return root_; }

 private:
  struct Slot {
    std::string path;
    std::shared_ptr<const io::Dir> dir;
    uint64_t used = 0;
    int links = 0;  // followed one by one on the way, where that was necessary
  };
  Result<io::Dir> walk(std::string_view path, int& links) const;
  std::shared_ptr<const io::Dir> root_;
  Follow follow_;
  size_t capacity_;
  std::vector<Slot> slots_;
  uint64_t clock_ = 0;
};

class Destination {
 public:
  struct Wanted {
    std::string path;  // as the operator typed it
    int entries = 0;   // how many entries are known to arrive
    bool first_is_dir = false;
    bool has_root_entry = false;  // the list has an entry for the destination itself
  };
  // Decides what the destination argument means (a directory to fill, or the new name of the one file), creates it
  // where rsync would, and opens it. Faults kSelect, kFileIo and kUsage with rsync's texts.
  static Result<Destination> open(const Wanted& wanted, const Terms& terms);

  // Another view for another thread.
  Destination clone() const { return Destination(*this, 0); }

  bool missing() const { return missing_; }  // dry run: it does not exist and was not made
  bool created() const { return created_; }  // it was made by open()
  // The one file's new name, if the destination is not a directory; then dir() is where it goes.
  const std::string& solo_name() const { return solo_name_; }
  bool solo() const { return !solo_name_.empty(); }

  Result<std::shared_ptr<const io::Dir>> dir(std::string_view path) { return cache_->open(path); }
  void forget(std::string_view path) { cache_->forget(path); }
  void forget_all() { cache_->forget_all(); }
  const std::shared_ptr<const io::Dir>& root() const { return cache_->root(); }
  // Directory and name for an entry, with --solo renaming applied.
  std::string_view dir_of(const Entry& entry) const { return solo() ? std::string_view() : entry.dir_view(); }
  const char* leaf_of(const Entry& entry) const { return solo() ? solo_name_.c_str() : entry.leaf(); }
  // The path below the root under which an entry arrives.
  std::string path_of(const Entry& entry) const { return solo() ? solo_name_ : entry.path(); }
  // What lies at `path` now, links followed; for a sender on the same machine.
  std::optional<proto::SuccessMessage::Place> arrived(std::string_view path);
  // A name as messages show it: quoted, absolute.
  std::string shown(std::string_view path) const;
  const std::string& absolute() const { return absolute_; }

 private:
  Destination() = default;
  Destination(const Destination& other, int);
  const Options* options_ = nullptr;
  std::string absolute_;
  std::string solo_name_;
  bool missing_ = false;
  bool created_ = false;
  Follow follow_ = Follow::kInside;
  std::unique_ptr<DirCache> cache_;
};

// The absolute form of an operator's path, by the process's working directory; "." and "//" removed, ".." kept.
std::string absolute_path(std::string_view path);

}  // namespace ocsync::sync
