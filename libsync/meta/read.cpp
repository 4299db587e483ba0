#include "libsync/meta/read.h"

#include <fmt/format.h>

#include <algorithm>

#include "libsync/meta/fake_super.h"
#include "libsync/meta/modes.h"

namespace ocsync::sync {

namespace {

// Kinds that are not kept are not looked at either.
bool kept(uint32_t mode, const Options& o) {
  if (S_ISREG(mode) || S_ISDIR(mode)) return true;
  if (S_ISLNK(mode)) return o.links;
  if (S_ISFIFO(mode) || S_ISSOCK(mode)) return o.specials;
  if (S_ISCHR(mode) || S_ISBLK(mode)) return o.devices;
  return false;
}

bool none_here(const Error& e) { return e.fault == Fault::kUnsupported || e.sys == EINVAL; }

Result<proto::WireAcl> read_fake_acl(const Object& object, proto::AclKind kind, uint32_t mode, std::string_view shown) {
  // One that cannot be read is as good as none.
  const auto text = object.xattrs().get(fake_acl_name(kind));
  if (!text || !*text) return proto::WireAcl();
  const auto acl = parse_fake_acl(**text, mode);
  if (!acl) return fail(Fault::kPartial, fmt::format("Corrupt {} xattr attached to {}", fake_acl_name(kind), shown));
  return *acl;
}

}  // namespace

io::Acl to_system(const proto::WireAcl& acl) {
  io::Acl out;
  out.user_obj = acl.user_obj;
  out.group_obj = acl.group_obj;
  out.mask = acl.mask;
  out.other = acl.other;
  for (const proto::AclName& name : acl.names)
    out.entries.push_back({.id = name.id, .access = name.access, .user = name.user});
  return out;
}

proto::WireAcl from_system(const io::Acl& acl) {
  proto::WireAcl out;
  out.user_obj = acl.user_obj;
  out.group_obj = acl.group_obj;
  out.mask = acl.mask;
  out.other = acl.other;
  for (const io::AclEntry& e : acl.entries)
    out.names.push_back({.id = e.id, .access = e.access, .user = e.user, .name = {}});
  return out;
}

Result<Attributes> read_attributes(const Object& object, uint32_t mode, const Terms& terms, Side side,
                                   std::string_view shown) {
  Attributes out;
  if (!kept(mode, terms.options)) return out;
  const io::Xattrs xattrs = object.xattrs();
  const auto names = xattrs.names();
  if (!names) {
    if (none_here(names.error())) return out;
    return fail(Fault::kPartial, fmt::format("get_xattr_names: llistxattr({},1024) failed", shown), names.error().sys);
  }
  for (const std::string& name : *names) {
    if (!terms.meta->policy.concerns(name, side)) continue;
    auto value = xattrs.get(name);
    if (!value)
      return fail(Fault::kPartial, fmt::format("get_xattr_data: lgetxattr({},\"{}\",0) failed", shown, name),
                  value.error().sys);
    if (*value) out.push_back({name, std::move(**value)});
  }
  std::ranges::sort(out, {}, &Attribute::name);
  return out;
}

Result<proto::WireAcl> read_access_acl(const Object& object, uint32_t mode, const Terms& terms,
                                       std::string_view shown) {
  if (!kept(mode, terms.options) || S_ISLNK(mode)) return proto::WireAcl();
  if (terms.options.fake_super) return read_fake_acl(object, proto::AclKind::kAccess, mode, shown);
  const auto acl = io::read_acl(object.xattrs(), io::AclKind::kAccess);
  if (!acl) {
    if (none_here(acl.error())) return from_system(io::acl_of_mode(mode));
    return fail(Fault::kPartial, fmt::format("get_acl: sys_acl_get_file({}, ACL_TYPE_ACCESS)", shown), acl.error().sys);
  }
  return from_system(acl->empty() ? io::acl_of_mode(mode) : *acl);
}

Result<proto::WireAcl> read_default_acl(const Object& object, uint32_t mode, const Terms& terms,
                                        std::string_view shown) {
  if (!S_ISDIR(mode)) return proto::WireAcl();
  if (terms.options.fake_super) return read_fake_acl(object, proto::AclKind::kDefault, mode, shown);
  const auto acl = io::read_acl(object.xattrs(), io::AclKind::kDefault);
  if (!acl) {
    if (none_here(acl.error())) return proto::WireAcl();
    return fail(Fault::kPartial, fmt::format("get_acl: sys_acl_get_file({}, ACL_TYPE_DEFAULT)", shown),
                acl.error().sys);
  }
  return from_system(*acl);
}

Result<io::FileInfo> seen(const Object& object, const io::FileInfo& real, const Terms& terms, Role role,
                          std::string_view shown) {
  if (!terms.options.fake_super) return real;
  auto stands_for = faked(object, real, shown);
  if (stands_for || stands_for.error().fault != Fault::kPartial) return stands_for;
  terms.reporter.error_transfer(role, stands_for.error().text, stands_for.error().sys);
  return real;
}

uint32_t default_perms_in(const io::Dir& dir, const Terms& terms, std::string_view dir_path) {
  const uint32_t by_mask = default_perms_of_mask(terms.umask);
  const auto acl = io::read_acl(io::Xattrs(dir), io::AclKind::kDefault);
  if (!acl || acl->user_obj == io::kNoAccess) return by_mask;
  terms.reporter.trace(Debug::kAcl, 1, "got ACL-based default perms {:o} for directory {}",
                       io::mode_of_acl(*acl, 0) & 0777, dir_path);
  return io::mode_of_acl(*acl, 0) & 0777;
}

void say_no_default_perms(std::string_view dir_path, int error, const Terms& terms) {
  terms.reporter.warning_line(
      fmt::format("default_perms_for_dir: sys_acl_get_file({}, ACL_TYPE_DEFAULT): {}, falling back on umask", dir_path,
                  std::generic_category().message(error)));
}

uint32_t meta_report(const Entry& entry, uint32_t mode, const Object* object, const io::FileInfo* info,
                     const Terms& terms, bool settle, bool replaces, uint32_t which) {
  const Options& o = terms.options;
  uint32_t flags = 0;
  const Extras* extras = entry.extras();
  const auto tell = [&](const Error& e) {
    if (e.sys == ENOENT) return;  // a dry run did not make it
    terms.reporter.error_transfer(Role::kGenerator, e.text, e.sys);
  };
  if (o.acls && (which & proto::kReportAcl) && object && !entry.is_symlink() && extras) {
    if (extras->acl >= 0) {
      const auto here = read_access_acl(*object, info->mode, terms, entry.leaf_view());
      if (!here) {
        tell(here.error());
        if (here.error().sys != ENOENT) flags |= proto::kReportAcl;
      } else if (!same_beyond_mode(*here, terms.meta->acl(proto::AclKind::kAccess, extras->acl), mode)) {
        flags |= proto::kReportAcl;
      }
    }
    if (entry.is_dir() && extras->default_acl >= 0) {
      const auto here = read_default_acl(*object, info->mode, terms, entry.leaf_view());
      if (!here || *here != terms.meta->acl(proto::AclKind::kDefault, extras->default_acl)) flags |= proto::kReportAcl;
    }
  }
  if (o.xattrs > 0 && (which & proto::kReportXattr)) {
    Attributes here;
    if (object) {
      auto read = read_attributes(*object, info->mode, terms, Side::kReceiver, entry.leaf_view());
      if (read)
        here = std::move(*read);
      else
        tell(read.error());
    }
    if (terms.meta->differs(extras ? extras->xattrs : -1, object ? &here : nullptr, settle, replaces))
      flags |= proto::kReportXattr;
  }
  return flags;
}

}  // namespace ocsync::sync
