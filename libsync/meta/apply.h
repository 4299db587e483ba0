// Attributes from the list onto an open object or a name in a held directory; never by path.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "libio/os/dir.h"
#include "libsync/list/entry.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// The object whose attributes are set: a file held open, a name in a held directory, or a held directory itself.
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
};

enum Updated : unsigned {
  kUpdatedOwner = 1, kUpdatedGroup = 2, kUpdatedTime = 4, kUpdatedMode = 8, kUpdatedAtime = 16, kUpdatedAcl = 32
};

struct ApplyChoice {
  bool times = true;           // false: content did not verify, leave times alone
  bool exact_times = false;    // no modify window
  bool created = false;        // the object was just made: the local set-gid rule of directories holds
};

// Makes the object at `now` look like `entry` with `mode` (which may differ from entry.mode without -p), as far as the
// options ask. Failures are reported under `shown` (a quoted full name) with rsync's texts and count as 23.
// Returns what was changed.
unsigned apply_attributes(const Entry& entry, uint32_t mode, const Object& object, io::FileInfo now,
                          const Terms& terms, Role role, std::string_view shown, const ApplyChoice& choice);

}  // namespace ocsync::sync
