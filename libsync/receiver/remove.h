// Deletion: what is at the destination and not in the list, and what stands in the way of something that is.
#pragma once

#include <string>
#include <vector>

#include "libproto/closing.h"
#include "libsync/filter/rules.h"
#include "libsync/filter/scope_stack.h"
#include "libsync/list/segment.h"
#include "libsync/receiver/backup.h"
#include "libsync/receiver/destination.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// One thread's own: the generator's; whoever makes backups has one where a directory stands in a backup's way.
class Remover {
 public:
  // `role`: who speaks when something cannot be removed.
  Remover(const Terms& terms, const FilterRules& filters, Destination& destination, Backups& backups, Role role);

  // Both do nothing where the destination is the new name of the only entry: what lies around that name is none of
  // ours. Removes (or, with --delete-delay, remembers) what is in directory `path` and not in `list`; a `top_dir`
  // stands for an argument, whose file system counts for -x.
  Status delete_in(const std::string& path, const Segment& list, bool top_dir);
  // Every content directory of a complete list.
  Status delete_everywhere(const Segment& list);
  Status delete_remembered();
  // Comes by a directory that keeps what it has, as its entry says: its rules are in force from here on.
  Status pass(const Entry& entry);
  // The walk through the destination is over.
  void end_walk() { rules_.leave_all(); }
  // The sending side could not read everything: from now on nothing is deleted that it might have.
  void note_io_error(int bits) { io_error_ |= bits; }
  // The limit's closing words, once.
  void close();

  enum class Way : uint8_t { kFile, kDir, kSymlink, kDevice, kSpecial };
  // Removes what is at `leaf` so that something of another kind can take its place. False: it could not (reported).
  // Errors, here and below, end the run: rules that cannot be read, as then nobody knows what they protect.
  Result<bool> make_way(const std::string& path, const io::Dir& dir, io::Leaf leaf, const io::FileInfo& here,
                        Way what_for);
  // Removes the directory at `leaf` whose name a backup is to have; `path` is its name in messages and for the rules,
  // of which only those below `above` count. Its content is not backed up; it counts for --max-delete, the directory
  // itself does not. False: it could not.
  Result<bool> make_way_for_backup(const std::string& path, const io::Dir& dir, io::Leaf leaf, uint32_t mode,
                                   const FilterScope& above);
  // --delete-missing-args, and everything else that deletes one named item.
  Status delete_item(const std::string& path, const io::Dir& dir, io::Leaf leaf, const io::FileInfo& here);

  // The verdict of the receiver's rules on a path (missing-args entries).
  Result<bool> protects(const std::string& path, bool is_dir);
  const proto::DeletionCounts& counts() const { return counts_; }
  bool anything_can_be_deleted() const {
    return terms_.delete_mode != DeleteMode::kNone || terms_.options.force_delete;
  }

 private:
  enum class Outcome : uint8_t { kGone, kNotEmpty, kFailed, kAtLimit };
  struct Manner {
    bool recurse = false;
    bool making_room = false;
    bool dir_is_empty = false;
    bool no_uid_write = false;
    bool for_backup = false;             // making way for a backup
    const FilterScope* above = nullptr;  // the rules of the directory above; null: those in force
    // As rsync's traces number them.
    int flags() const {
      return (no_uid_write ? 1 : 0) |
             (dir_is_empty ? 4
              : recurse    ? 2
                           : 0) |
             (for_backup ? 256 | (making_room ? 16 : 0) : 0);
    }
  };
  Status check() const;
  // Whether -x keeps deletion away from a directory.
  bool mounted(const io::FileInfo& info) const {
    return info.is_dir() && file_system_ != 0 && info.dev != file_system_;
  }
  Outcome remove(const std::string& path, const io::Dir& dir, io::Leaf leaf, uint32_t mode, Manner manner);
  Outcome remove_content(const std::string& path, const io::Dir& dir, io::Leaf leaf, Manner manner);
  Result<const FilterScope*> root_rules();
  Result<FilterScope> in_force();
  Status enter(const std::string& path, bool is_dir);
  Result<FilterScope> rules_inside(const std::string& path, const io::Dir& dir, const FilterScope* above);
  // What deletion must know of a name that was listed; nothing if it is gone.
  std::optional<io::FileInfo> look_at(const std::string& path, const io::Dir& dir, io::Leaf leaf,
                                      uint8_t listed_type) const;

  struct Remembered {
    std::string path;
    uint32_t mode;
    Manner manner;
  };
  const Terms& terms_;
  const FilterRules& filters_;
  Destination& destination_;
  Backups& backups_;
  const Role role_;
  proto::DeletionCounts counts_;
  bool warned_ = false;
  std::optional<Error> bad_rules_;
  int io_error_ = 0;
  std::vector<Remembered> remembered_;
  std::optional<FilterScope> root_rules_;
  ScopeStack rules_;
  uint64_t file_system_ = 0;  // the one that -x stays in; 0: any
  std::vector<uint64_t> top_devices_;
};

}  // namespace ocsync::sync
