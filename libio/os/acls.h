// POSIX ACLs of an object, as values; read and written through the extended attributes that hold them.
#pragma once

#include <cstdint>
#include <vector>

#include "libio/base/result.h"
#include "libio/os/xattrs.h"

namespace ocsync::io {

inline constexpr uint8_t kNoAccess = 0x80;  // this part of the ACL is not there

struct AclEntry {
  uint32_t id = 0;
  uint8_t access = 0;  // r=4 w=2 x=1
  bool user = true;    // else a group
  bool operator==(const AclEntry&) const = default;
};

// Absent parts are kNoAccess. `entries` are ordered users first, then groups, each by ascending id.
struct Acl {
  uint8_t user_obj = kNoAccess, group_obj = kNoAccess, mask = kNoAccess, other = kNoAccess;
  std::vector<AclEntry> entries;
  bool empty() const {
    return user_obj == kNoAccess && group_obj == kNoAccess && mask == kNoAccess && other == kNoAccess &&
           entries.empty();
  }
  // Nothing beyond what permission bits can say.
  bool is_plain() const { return entries.empty() && mask == kNoAccess; }
  bool operator==(const Acl&) const = default;
};

enum class AclKind : uint8_t { kAccess, kDefault };

// An object without an access ACL of its own, or a directory without a default ACL, yields an empty Acl.
// kUnsupported where the file system has none.
Result<Acl> read_acl(const Xattrs& of, AclKind kind);
// Replaces the ACL; an empty one removes it. Writing an access ACL also changes the permission bits to match.
Status write_acl(const Xattrs& of, AclKind kind, const Acl& acl);

// The ACL that permission bits stand for, and the permission bits (rwx of user, group and other; the group's are the
// mask's if there is one) that an access ACL shows; `mode` provides all other bits and parts that are absent.
Acl acl_of_mode(uint32_t mode);
uint32_t mode_of_acl(const Acl& acl, uint32_t mode);

// The kernel's form: a version and entries. Refuses (kUnsupported) what is not that.
Result<Acl> decode_acl(Bytes kernel_form);
std::vector<std::byte> encode_acl(const Acl& acl);

}  // namespace ocsync::io
