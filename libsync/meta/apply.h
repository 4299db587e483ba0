// Attributes from the list onto an open object or a name in a held directory; never by path.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "libsync/list/entry.h"
#include "libsync/meta/object.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// A name as messages show it, made only if there is something to say. Borrows what it was made of.
class Shown {
 public:
  Shown(const std::string& ready) : ready_(&ready) {}
  template <class Make>
    requires std::is_invocable_r_v<std::string, const Make&>
  Shown(const Make& make)
      : maker_(&make), call_([](const void* m) -> std::string { return (*static_cast<const Make*>(m))(); }) {}
  std::string operator()() const { return ready_ ? *ready_ : call_(maker_); }

 private:
  const std::string* ready_ = nullptr;
  const void* maker_ = nullptr;
  std::string (*call_)(const void*) = nullptr;
};

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
  bool times = true;          // false: content did not verify, leave times alone
  bool exact_times = false;   // no modify window
  bool created = false;       // the object was just made: the local set-gid rule of directories holds
  bool xattrs = false;        // extended attributes, too: their long values have come
  bool just_written = false;  // its times are those of now, whatever `now` says
  bool without_content =
      false;  // an item that is no transfer: with its changed extended attributes it gets the listed mode, -p or not
};

// Makes the object at `now` look like `entry` with `mode` (which may differ from entry.mode without -p), as far as the
// options ask. Failures are reported under `shown` (a quoted full name) with rsync's texts and count as 23.
// Returns what was changed. Where a change of owner may have taken set-id bits away, `now` is looked up again: from
// then on it is what differences are told against.
unsigned apply_attributes(const Entry& entry, uint32_t mode, const Object& object, io::FileInfo& now,
                          const Terms& terms, Role role, Shown shown, const ApplyChoice& choice);

// The late part of an item that is no transfer, as the receiving role does it: the values of its extended attributes
// are here.
void apply_values(const Entry& entry, const Object& object, const Terms& terms, Shown shown);

// Gives `to` the ACLs and extended attributes of `from`, as far as the options keep such things. `mode` is that of
// `from`.
void copy_meta(const Object& from, const Object& to, uint32_t mode, const Terms& terms, Role role, Shown shown);
void copy_acls(const Object& from, const Object& to, uint32_t mode, const Terms& terms);

}  // namespace ocsync::sync
