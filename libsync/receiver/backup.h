// Old versions kept under another name: --backup, --backup-dir, --suffix.
#pragma once

#include <memory>
#include <string>

#include "libsync/meta/object.h"
#include "libsync/receiver/destination.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// One thread's own (it caches directories).
class Backups {
 public:
  Backups(const Terms& terms, Destination& destination) : terms_(terms), destination_(destination) {}

  struct Place {
    std::shared_ptr<const io::Dir> dir;
    std::string leaf;
    std::string path;   // as messages show it, unquoted
  };
  // Where the backup of the item at `path` goes; directories below --backup-dir are made as needed.
  Result<Place> place_for(const std::string& path);
  // Moves the item away (or links it when `keep_target`, so that the name is never missing). False: nothing was there.
  Result<bool> make(const std::string& path, const io::Dir& dir, io::Leaf leaf, bool keep_target);
  // The backup's path as messages show it.
  std::string name_of(const std::string& path) const;
  // Gives a copy what the options carry of the attributes of `from`, whose info is `info`.
  void give_attributes(const Object& from, const io::FileInfo& info, const Object& to, std::string_view shown) const;
  // Is this name itself a backup (suffix in place)?
  bool is_backup_name(std::string_view leaf) const;

 private:
  Result<std::shared_ptr<const io::Dir>> open_backup_dir(const std::string& relative);
  const Terms& terms_;
  Destination& destination_;
  std::shared_ptr<const io::Dir> root_;
  std::string last_path_;
  std::shared_ptr<const io::Dir> last_;
};

}  // namespace ocsync::sync
