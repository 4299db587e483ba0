#include "libsync/meta/apply.h"

#include <fmt/format.h>

#include <algorithm>

#include "libio/os/acls.h"
#include "libsync/meta/fake_super.h"
#include "libsync/meta/read.h"

namespace ocsync::sync {

namespace {

// Who reports, and about what.
struct Speaker {
  const Terms& terms;
  Role role;
  Shown shown;
  void error(std::string_view what, int sys) const { terms.reporter.error_transfer(role, std::string(what), sys); }
};

// Setting attributes takes the right to write. Where the mode denies it, it is lent for as long as this lives.
class WriteLoan {
 public:
  WriteLoan(const Object& object, const Terms& terms) : object_(object) {
    if (terms.our_uid == 0) return;
    const auto info = object.info();
    if (!info || info->is_symlink() || (info->mode & S_IWUSR)) return;
    if (object.set_mode((info->mode | S_IWUSR) & 07777)) before_ = info->mode & 07777;
  }
  ~WriteLoan() {
    if (before_) (void)object_.set_mode(*before_);
  }
  WriteLoan(const WriteLoan&) = delete;
  WriteLoan& operator=(const WriteLoan&) = delete;

 private:
  const Object& object_;
  std::optional<uint32_t> before_;
};

// Sets what is missing or different and removes what the list does not have. True if anything was changed.
bool apply_xattrs(const Entry& entry, const Object& object, const io::FileInfo& now, const Speaker& say) {
  const Terms& terms = say.terms;
  const int32_t number = entry.extras() ? entry.extras()->xattrs : -1;
  if (number < 0) return false;
  const MetaBook::Wanted wanted = terms.meta->wanted(number);
  for (const std::string& name : wanted.missing)
    say.terms.reporter.error_line(fmt::format("Missing abbreviated xattr value, {}, for {}", name, say.shown()), true);

  const auto here = read_attributes(object, now.mode, terms, Side::kReceiver, say.shown());
  if (!here) {
    say.error(here.error().text, here.error().sys);
    return false;
  }
  const auto find = [](const Attributes& in, const std::string& name) -> const Attribute* {
    const auto at = std::ranges::lower_bound(in, name, {}, &Attribute::name);
    return at != in.end() && at->name == name ? &*at : nullptr;
  };
  std::vector<const Attribute*> to_set;
  std::vector<const Attribute*> to_remove;
  for (const Attribute& a : wanted.attributes) {
    const Attribute* old = find(*here, a.name);
    if (!old || old->value != a.value) to_set.push_back(&a);
  }
  for (const Attribute& a : *here)
    if (!find(wanted.attributes, a.name) && std::ranges::find(wanted.missing, a.name) == wanted.missing.end())
      to_remove.push_back(&a);
  if (to_set.empty() && to_remove.empty()) return false;

  const WriteLoan loan(object, terms);
  const io::Xattrs xattrs = object.xattrs();
  // Messages name the call that rsync would have made.
  const char call = S_ISREG(now.mode) || S_ISDIR(now.mode) || S_ISFIFO(now.mode) ? 'f' : 'l';
  bool changed = false;
  for (const Attribute* a : to_set) {
    if (const Status s = xattrs.set(a->name, as_bytes(a->value)); s)
      changed = true;
    else
      say.error(fmt::format("rsync_xal_set: {}setxattr({},\"{}\") failed", call, say.shown(), a->name), s.error().sys);
  }
  for (const Attribute* a : to_remove) {
    if (const Status s = xattrs.remove(a->name); s)
      changed = true;
    else
      say.error(fmt::format("rsync_xal_set: {}removexattr({},\"{}\") failed", call, say.shown(), a->name),
                s.error().sys);
  }
  return changed;
}

// The ACL with what only the mode says put in: it must come out as `mode` when the kernel derives the mode from it.
proto::WireAcl with_mode(proto::WireAcl acl, uint32_t old_mode, uint32_t mode) {
  // Rights of others must not come before the sticky bit that limits them, nor stay longer than set-id bits.
  const auto gone = [&](uint32_t bit) { return (old_mode & bit) != 0 && (mode & bit) == 0; };
  if (S_ISDIR(mode) ? (mode & S_ISVTX) != 0 && (old_mode & S_ISVTX) == 0 : gone(S_ISUID) || gone(S_ISGID))
    mode &= ~0077u;
  acl.user_obj = mode >> 6 & 7;
  if (acl.group_obj == proto::kNoAccess) acl.group_obj = mode >> 3 & 7;
  if (acl.mask != proto::kNoAccess) acl.mask = mode >> 3 & 7;
  acl.other = mode & 7;
  return acl;
}

Status write_acl(proto::AclKind kind, proto::WireAcl acl, const Object& object, io::FileInfo& now, uint32_t mode,
                 const Terms& terms) {
  const io::Xattrs xattrs = object.xattrs();
  const bool access = kind == proto::AclKind::kAccess;
  if (!access && acl.user_obj == proto::kNoAccess) {
    if (terms.options.fake_super) return xattrs.remove(fake_acl_name(kind));
    return io::write_acl(xattrs, io::AclKind::kDefault, {});
  }
  if (terms.options.fake_super) return xattrs.set(fake_acl_name(kind), as_bytes(format_fake_acl(acl)));
  if (access) {
    acl = with_mode(std::move(acl), now.mode, mode);
    TRY(io::write_acl(xattrs, io::AclKind::kAccess, to_system(acl)));
    now.mode = io::mode_of_acl(to_system(acl), now.mode);
    return {};
  }
  const auto present = [](uint8_t& part) {
    if (part == proto::kNoAccess) part = 0;
  };
  present(acl.group_obj);
  present(acl.other);
  return io::write_acl(xattrs, io::AclKind::kDefault, to_system(acl));
}

// True if an ACL was changed; `now.mode` follows what the kernel makes of it.
bool apply_acls(const Entry& entry, const Object& object, io::FileInfo& now, uint32_t mode, const Speaker& say) {
  const Terms& terms = say.terms;
  if (!entry.extras()) return false;
  bool changed = false;
  const auto one = [&](proto::AclKind kind, int32_t number) {
    if (number < 0) return true;
    const proto::WireAcl listed = terms.meta->acl(kind, number);
    const auto here = kind == proto::AclKind::kAccess ? read_access_acl(object, now.mode, terms, say.shown())
                                                      : read_default_acl(object, now.mode, terms, say.shown());
    if (here && (kind == proto::AclKind::kAccess ? same_beyond_mode(*here, listed, mode) : *here == listed))
      return true;
    const Status s = write_acl(kind, listed, object, now, mode, terms);
    if (!s) {
      say.error(fmt::format("set_acl: sys_acl_set_file({}, ACL_TYPE_{})", say.shown(),
                            kind == proto::AclKind::kAccess ? "ACCESS" : "DEFAULT"),
                s.error().sys);
      return false;
    }
    changed = true;
    return true;
  };
  if (!one(proto::AclKind::kAccess, entry.extras()->acl)) return changed;
  if (S_ISDIR(mode)) one(proto::AclKind::kDefault, entry.extras()->default_acl);
  return changed;
}

}  // namespace

void copy_meta(const Object& from, const Object& to, uint32_t mode, const Terms& terms, Role role, Shown shown) {
  const Options& o = terms.options;
  const Speaker say{terms, role, shown};
  if (o.xattrs > 0) {
    const auto attributes = read_attributes(from, mode, terms, Side::kReceiver, shown());
    if (!attributes) {
      say.error(attributes.error().text, attributes.error().sys);
    } else if (!attributes->empty()) {
      const WriteLoan loan(to, terms);
      for (const Attribute& a : *attributes)
        if (const Status s = to.xattrs().set(a.name, as_bytes(a.value)); !s)
          say.error(fmt::format("copy_xattrs: lsetxattr({},\"{}\") failed", shown(), a.name), s.error().sys);
    }
  }
  copy_acls(from, to, mode, terms);
}

void copy_acls(const Object& from, const Object& to, uint32_t mode, const Terms& terms) {
  const Options& o = terms.options;
  if (!o.acls || o.fake_super || S_ISLNK(mode)) return;
  if (const auto acl = io::read_acl(from.xattrs(), io::AclKind::kAccess); acl && !acl->empty())
    (void)io::write_acl(to.xattrs(), io::AclKind::kAccess, *acl);
  if (!S_ISDIR(mode)) return;
  if (const auto acl = io::read_acl(from.xattrs(), io::AclKind::kDefault); acl && !acl->empty())
    (void)io::write_acl(to.xattrs(), io::AclKind::kDefault, *acl);
}

unsigned apply_attributes(const Entry& entry, uint32_t mode, const Object& object, io::FileInfo& found,
                          const Terms& terms, Role role, Shown shown, const ApplyChoice& choice) {
  const Options& options = terms.options;
  const Speaker say{terms, role, shown};
  unsigned updated = 0;
  uint32_t new_mode = mode;
  io::FileInfo now = found;
  // What lies in a directory rsync has to open for that, and leaves it alone if it may not; others it finds by their
  // names.
  const bool opens = !entry.dir_view().empty();
  if (options.fake_super) {
    // The caller may have seen either side of it.
    const auto real = object.info();
    const auto stands_for = !real   ? real
                            : opens ? faked(object, *real, shown())
                                    : seen(object, *real, terms, role, shown());
    if (stands_for)
      now = *stands_for;
    else if (real)
      now = *real;
  }
  if (choice.without_content && !options.perms && !S_ISLNK(new_mode)) {
    // rsync's receiving process gives an object its late attributes and with them the permissions of the list as it
    // came, which without -p are not those that the generator had settled on. Not where a directory could not be filled
    // any more.
    const bool closes = now.is_dir() && !terms.may_chown && !options.fake_super && (entry.mode & S_IRWXU) != S_IRWXU;
    if (!closes) new_mode = entry.mode | (now.is_dir() ? now.mode & S_ISGID : 0);
  }
  if (terms.module_modes && !S_ISLNK(new_mode)) new_mode = terms.module_modes->apply(new_mode);
  if (choice.created && !options.perms && S_ISDIR(new_mode)) new_mode |= now.mode & S_ISGID;

  // Owner first: changing it clears set-id bits, which the mode below then puts back.
  const bool change_uid = terms.may_chown && options.owner && now.uid != entry.uid;
  const bool change_gid = options.group && !entry.has(kGroupUnsettable) && now.gid != entry.gid;
  if ((change_uid || change_gid) && terms.reporter.traces(Debug::kOwn, 1)) {
    if (change_uid)
      terms.reporter.trace(Debug::kOwn, 1, "set uid of {} from {} to {}", entry.path(), now.uid, entry.uid);
    if (change_gid)
      terms.reporter.trace(Debug::kOwn, 1, "set gid of {} from {} to {}", entry.path(), now.gid, entry.gid);
  }
  if ((change_uid || change_gid) && !options.fake_super) {
    if (const Status s = object.set_owner(change_uid ? entry.uid : UINT32_MAX, change_gid ? entry.gid : UINT32_MAX);
        !s) {
      say.error(fmt::format("{} {} failed", change_uid ? "chown" : "chgrp", shown()), s.error().sys);
      return updated;
    }
    // To the system calls this number means "leave it".
    if (change_uid && entry.uid == UINT32_MAX)
      terms.reporter.error_line(fmt::format("uid 4294967295 (-1) is impossible to set on {}", shown()), true);
    if (change_gid && entry.gid == UINT32_MAX)
      terms.reporter.error_line(fmt::format("gid 4294967295 (-1) is impossible to set on {}", shown()), true);
    if (now.mode & (S_ISUID | S_ISGID)) {
      if (const auto again = object.info()) now = found = *again;
    }
  }
  if (change_uid) updated |= kUpdatedOwner;
  if (change_gid) updated |= kUpdatedGroup;

  if (options.fake_super) {
    // An owner that was not sent is root, whoever the file really belongs to: so rsync has it.
    FakeStat wanted{.mode = new_mode & (S_IFMT | 07777),
                    .uid = options.owner ? entry.uid : 0,
                    .gid = !options.group                ? 0
                           : entry.has(kGroupUnsettable) ? now.gid
                                                         : entry.gid};
    if (entry.is_device() && entry.extras()) {
      wanted.rdev_major = entry.extras()->rdev_major;
      wanted.rdev_minor = entry.extras()->rdev_minor;
    }
    if (const Status s = store_fake(object, wanted, opens); !s)
      say.error(fmt::format("failed to write xattr user.rsync.%stat for {}", shown()), s.error().sys);
  }
  // On some systems this moves the time of modification, so that is set again.
  const bool xattrs_changed = choice.xattrs && options.xattrs > 0 && apply_xattrs(entry, object, now, say);
  if (xattrs_changed) updated |= kUpdatedXattrs;

  const bool skip_times =
      !choice.times || (options.omit_dir_times && now.is_dir()) || (options.omit_link_times && now.is_symlink());
  bool set_mtime = false, set_atime = false;
  if (!skip_times) {
    const bool other = choice.just_written ||
                       (choice.exact_times ? now.mtime != entry.time() : !terms.same_time(now.mtime, entry.time()));
    set_mtime = options.times && (other || xattrs_changed);
    if (options.atimes > 0 && !now.is_dir() && entry.extras())
      set_atime = choice.exact_times || now.atime.sec != entry.extras()->atime;
  }
  if (set_mtime || set_atime) {
    std::optional<io::FileTime> atime = now.atime;
    if (choice.just_written) atime.reset();
    if (set_atime) atime = io::FileTime{entry.extras()->atime, 0};
    if (const Status s = object.set_times(atime, set_mtime ? entry.time() : now.mtime); !s) {
      say.error(fmt::format("failed to set times on {}", shown()), s.error().sys);
      return updated;
    }
    if (set_mtime && !xattrs_changed) updated |= kUpdatedTime;
    if (set_atime) updated |= kUpdatedAtime;
  }

  // The ACL before the mode: the kernel derives permission bits from it, and what then still differs is set.
  if (options.acls && !S_ISLNK(new_mode) && apply_acls(entry, object, now, new_mode, say)) updated |= kUpdatedAcl;

  if (!S_ISLNK(new_mode) && ((now.mode ^ new_mode) & 07777) != 0) {
    if (!options.fake_super) {
      if (const Status s = object.set_mode(new_mode & 07777); !s) {
        // A symlink that -K took for a directory has none: rsync finds one link too many there.
        const auto itself = s.error().sys == EOPNOTSUPP ? object.info() : fail(s.error());
        say.error(fmt::format("failed to set permissions on {}", shown()),
                  itself && itself->is_symlink() ? ELOOP : s.error().sys);
        return updated;
      }
    }
    updated |= kUpdatedMode;
  }
  return updated;
}

void apply_values(const Entry& entry, const Object& object, const Terms& terms, Shown shown) {
  auto now = object.info();
  if (now) now = seen(object, *now, terms, Role::kReceiver, shown());
  if (!now) {
    terms.reporter.error_transfer(Role::kReceiver,
                                  now.error().text.empty() ? fmt::format("stat {} failed", shown()) : now.error().text,
                                  now.error().sys);
    return;
  }
  if ((now->mode & S_IFMT) != (entry.mode & S_IFMT)) return;  // something else took its place
  // Modes are the generator's business, as long as -p is given; it may have lent rights to a directory that is being
  // filled.
  apply_attributes(entry, now->mode, object, *now, terms, Role::kReceiver, shown,
                   {.xattrs = true, .without_content = true});
}

}  // namespace ocsync::sync
