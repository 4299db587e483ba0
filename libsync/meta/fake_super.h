// --fake-super: what only root may set is kept in an extended attribute of an ordinary object instead.
//
// "user.rsync.%stat" holds "MODE MAJOR,MINOR UID:GID" (octal, then decimal); it is absent where the object itself says
// the same. "%aacl" and "%dacl" hold ACLs. Devices, special files and symlinks lie here as regular files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libproto/meta_wire.h"
#include "libsync/meta/object.h"

namespace ocsync::sync {

// One of the names that this program keeps such things under?
bool is_fake_super_name(std::string_view name);

struct FakeStat {
  uint32_t mode = 0;
  uint32_t rdev_major = 0, rdev_minor = 0;
  uint32_t uid = 0, gid = 0;
};
// Text of the attribute; nothing comes back if it is not of that form.
std::string format_fake_stat(const FakeStat& stat);
std::optional<FakeStat> parse_fake_stat(std::string_view text);

// What the object stands for: `real` with the stored mode, device number and owners in place of its own. A stored text
// of another form is kFileIo ("Corrupt ..."), one that cannot be read kPartial.
Result<io::FileInfo> faked(const Object& object, io::FileInfo real, std::string_view shown);
// Makes the object stand for `wanted`; its own permissions become those that its owner needs. `readable_only`: what we
// may not read is left as it is.
Status store_fake(const Object& object, const FakeStat& wanted, bool readable_only = false);

std::string format_fake_acl(const proto::WireAcl& acl);
// Parts of an access ACL that are not there follow from `mode`.
std::optional<proto::WireAcl> parse_fake_acl(std::string_view bytes, uint32_t mode);
const char* fake_acl_name(proto::AclKind kind);

// The target of a symlink that lies here as a file.
Result<std::string> read_fake_link(const io::Dir& dir, io::Leaf leaf);
Status make_fake_link(const io::Dir& dir, io::Leaf leaf, const std::string& target);
Status make_fake_node(const io::Dir& dir, io::Leaf leaf);

}  // namespace ocsync::sync
