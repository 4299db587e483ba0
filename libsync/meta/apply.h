// Attributes from the list onto an open object or a name in a held directory; never by path.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "libsync/list/entry.h"
#include "libsync/meta/object.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

enum Updated : unsigned {
  kUpdatedOwner = 1,
  kUpdatedGroup = 2,
  kUpdatedTime = 4,
  kUpdatedMode = 8,
  kUpdatedAtime = 16,
  kUpdatedAcl = 32,
  kUpdatedXattrs = 64
};

struct ApplyChoice {
  bool times = true;         // false: content did not verify, leave times alone
  bool exact_times = false;  // no modify window
  bool created = false;      // the object was just made: the local set-gid rule of directories holds
  bool xattrs = false;       // extended attributes, too: their long values have come
};

// Makes the object at `now` look like `entry` with `mode` (which may differ from entry.mode without -p), as far as the
// options ask. Failures are reported under `shown` (a quoted full name) with rsync's texts and count as 23.
// Returns what was changed. Where a change of owner may have taken set-id bits away, `now` is looked up again: from then on
// it is what differences are told against.
unsigned apply_attributes(const Entry& entry, uint32_t mode, const Object& object, io::FileInfo& now, const Terms& terms,
                          Role role, std::string_view shown, const ApplyChoice& choice);

// Gives `to` the ACLs and extended attributes of `from`, as far as the options keep such things. `mode` is that of
// `from`.
void copy_meta(const Object& from, const Object& to, uint32_t mode, const Terms& terms, Role role,
               std::string_view shown);

}  // namespace ocsync::sync
