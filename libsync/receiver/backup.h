// Old versions kept under another name: --backup, --backup-dir, --suffix.
#pragma once

#include <memory>
#include <string>

#include "libsync/filter/rules.h"
#include "libsync/meta/object.h"
#include "libsync/receiver/deletion_limit.h"
#include "libsync/receiver/destination.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// One thread's own (it caches directories).
class Backups {
 public:
  // `filters`: what they protect is not removed to make way for a backup.
  Backups(const Terms& terms, const FilterRules& filters, Destination& destination, Role role)
      : terms_(terms), filters_(filters), destination_(destination), role_(role), limit_(terms.options) {}

  struct Place {
    std::shared_ptr<const io::Dir> dir;
    std::string leaf;
    std::string path;  // as messages show it, unquoted
  };
  // Where the backup of the item at `path` goes; directories below --backup-dir are made as needed. If one could not
  // be, that is reported here (kFileIo without text). That --backup-dir itself cannot be gone into is not (kSystem).
  Result<Place> place_for(const std::string& path);
  // Moves the item away (or links it when `keep_target`, so that the name is never missing). False: nothing was there.
  // Where the backup directory cannot be gone into, only regular files are worth a failure. What failed is reported
  // here; the error is kFileIo then and has no text (its errno is EISDIR where a directory would not make way).
  Result<bool> make(const std::string& path, const io::Dir& dir, io::Leaf leaf, bool keep_target);
  // Copies the regular file away that is about to be written over. What failed is reported.
  Result<Place> copy_aside(const std::string& path, const io::Dir& dir, io::Leaf leaf, const io::FileInfo& info);
  // The backup's path as messages show it.
  std::string name_of(const std::string& path) const;
  // Gives a copy what the options carry of the attributes of `from`, whose info is `info`.
  void give_attributes(const Object& from, const io::FileInfo& info, const Object& to, std::string_view shown) const;
  // Is this name itself a backup (suffix in place)?
  bool is_backup_name(std::string_view leaf) const;
  DeletionLimit& limit() { return limit_; }

 private:
  Result<std::shared_ptr<const io::Dir>> open_backup_dir(const std::string& relative);
  Result<bool> go_without(const std::string& path, const io::Dir& dir, io::Leaf leaf, const io::FileInfo& info,
                          int error, const Place* place, bool keep_target) const;
  Status copy(const std::string& path, const io::Dir& dir, io::Leaf leaf, const io::FileInfo& info, const Place& place,
              io::Leaf to) const;
  std::unexpected<Error> told(const std::string& relative, int error, const char* call = nullptr) const;
  std::unexpected<Error> lost(const std::string& path, int error) const;
  void not_read(const std::string& path, int error) const;
  void not_made(const std::string& path, const Place* place, int error) const;
  const Terms& terms_;
  const FilterRules& filters_;
  Destination& destination_;
  const Role role_;
  std::shared_ptr<const io::Dir> root_;
  bool root_made_ = false;  // tried once, as rsync does: what was a dangling link then is not made a directory later
  DeletionLimit limit_;     // of this role, as each of rsync's processes counts for itself
  std::string last_path_;
  std::shared_ptr<const io::Dir> last_;
};

}  // namespace ocsync::sync
