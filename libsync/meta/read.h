// What a scanner, or a role that compares, reads of an object beyond its stat: ACLs and extended attributes.
#pragma once

#include <string_view>

#include "libio/os/acls.h"
#include "libproto/item.h"
#include "libsync/list/entry.h"
#include "libsync/meta/book.h"
#include "libsync/meta/object.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// Problems are errors with rsync's texts, naming `shown`. Kinds of objects that the options do not keep, and file
// systems without attributes, have none.
Result<Attributes> read_attributes(const Object& object, uint32_t mode, const Terms& terms, Side side,
                                   std::string_view shown);
// Complete: what permission bits say is in it (of `mode`, where the object has no ACL of its own).
Result<proto::WireAcl> read_access_acl(const Object& object, uint32_t mode, const Terms& terms, std::string_view shown);
Result<proto::WireAcl> read_default_acl(const Object& object, uint32_t mode, const Terms& terms,
                                        std::string_view shown);

// What lies at `object` under the rules of the run: with --fake-super, what it stands for. Where that cannot be read it
// is said, and the object stands for itself.
Result<io::FileInfo> seen(const Object& object, const io::FileInfo& real, const Terms& terms, Role role,
                          std::string_view shown);

// The permissions that new files in `dir` may have without -p: what its default ACL grants, else what the umask leaves.
uint32_t default_perms_in(const io::Dir& dir, const Terms& terms, std::string_view dir_path);
// Where there is no such directory.
void say_no_default_perms(std::string_view dir_path, int error, const Terms& terms);

// The bits that report ACLs and attributes which differ between `entry` and the object (null: nothing is there yet);
// `mode` is what it shall have, `which` what is asked for (kReportAcl, kReportXattr). `settle` as in
// MetaBook::differs().
uint32_t meta_report(const Entry& entry, uint32_t mode, const Object* object, const io::FileInfo* info,
                     const Terms& terms, bool settle, bool replaces, uint32_t which = proto::kReportMeta);

io::Acl to_system(const proto::WireAcl& acl);
proto::WireAcl from_system(const io::Acl& acl);

}  // namespace ocsync::sync
