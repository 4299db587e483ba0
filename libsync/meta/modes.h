// Permission bits: --chmod, and which mode an entry gets at the destination. Pure functions, no disk.
//
// Modes are POSIX modes with type bits, as they travel.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "libio/base/result.h"

namespace ocsync::sync {

// The changes of one or more --chmod options, in order. Immutable after parse(); any thread may apply it.
class ModeChanges {
 public:
  ModeChanges() = default;
  // Items separated by commas. kUsage "Invalid argument passed to --chmod (TEXT)". `mask` is the process's umask, which
  // limits items that name no class.
  static Result<ModeChanges> parse(std::string_view text, uint32_t mask);

  bool empty() const { return changes_.empty(); }
  // The changed mode. Symlinks and mode 0 (a missing argument) stay as they are.
  uint32_t apply(uint32_t mode) const;

 private:
  enum class What : uint8_t { kAdd, kRemove, kAssign, kSet };
  struct Change {
    What what = What::kAdd;
    bool dirs = true, others = true;  // which types it concerns
    bool only_if_executable = false;  // X
    uint32_t bits = 0;                // what is added, removed or set
    uint32_t cleared = 0;             // by kAssign, before
    uint32_t from_class = 0;          // copy form: the class's lowest bit (0100, 010, 01), 0 if none
    uint32_t to_classes = 0;          // copy form: the lowest bits of the classes written
    uint32_t copy_limit = 07777;
  };
  static bool parse_item(std::string_view item, uint32_t mask, Change& change);
  std::vector<Change> changes_;
};

struct ModePolicy {
  bool perms = false;          // -p: the listed mode as it is
  bool executability = false;  // -E, without -p
};

// The mode that an entry gets. `existing` is the mode of what lies there if that is of the same kind and stays or is
// replaced as an update; `default_perms` are the permissions a new file may have at most: the complement of the umask,
// or what the directory's default ACL grants.
uint32_t dest_mode(uint32_t listed, std::optional<uint32_t> existing, ModePolicy policy, uint32_t default_perms);

// 0777 without the umask.
inline uint32_t default_perms_of_mask(uint32_t mask) { return 0777 & ~mask; }

}  // namespace ocsync::sync
