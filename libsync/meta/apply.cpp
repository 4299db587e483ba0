#include "libsync/meta/apply.h"

#include <fmt/format.h>

namespace ocsync::sync {

Result<io::FileInfo> Object::info() const {
  if (file) return file->info();
  return leaf ? dir->info(*leaf) : dir->self();
}
Status Object::set_mode(uint32_t permissions) const {
  if (file) return file->set_mode(permissions);
  return leaf ? dir->set_mode(*leaf, permissions) : dir->set_self_mode(permissions);
}
Status Object::set_owner(uint32_t uid, uint32_t gid) const {
  if (file) return file->set_owner(uid, gid);
  return leaf ? dir->set_owner(*leaf, uid, gid) : dir->set_self_owner(uid, gid);
}
Status Object::set_times(std::optional<io::FileTime> atime, io::FileTime mtime) const {
  if (file) return file->set_times(atime, mtime);
  return leaf ? dir->set_times(*leaf, atime, mtime) : dir->set_self_times(atime, mtime);
}

unsigned apply_attributes(const Entry& entry, uint32_t mode, const Object& object, io::FileInfo now,
                          const Terms& terms, Role role, std::string_view shown, const ApplyChoice& choice) {
  const Options& options = terms.options;
  unsigned updated = 0;
  uint32_t new_mode = mode;
  if (choice.created && !options.perms && S_ISDIR(new_mode)) new_mode |= now.mode & S_ISGID;

  // Owner first: changing it clears set-id bits, which the mode below then puts back.
  const bool change_uid = terms.may_chown && options.owner && now.uid != entry.uid;
  const bool change_gid = options.group && !entry.has(kGroupUnsettable) && now.gid != entry.gid;
  if (change_uid || change_gid) {
    if (const Status s = object.set_owner(change_uid ? entry.uid : UINT32_MAX, change_gid ? entry.gid : UINT32_MAX); !s) {
      terms.reporter.error_transfer(role, fmt::format("{} {} failed", change_uid ? "chown" : "chgrp", shown), s.error().sys);
      return updated;
    }
    if (now.mode & (S_ISUID | S_ISGID)) {
      if (const auto again = object.info()) now.mode = again->mode;
    }
    if (change_uid) updated |= kUpdatedOwner;
    if (change_gid) updated |= kUpdatedGroup;
  }

  const bool skip_times = !choice.times || (options.omit_dir_times && now.is_dir()) ||
                          (options.omit_link_times && now.is_symlink());
  bool set_mtime = false, set_atime = false;
  if (!skip_times) {
    set_mtime = options.times &&
                (choice.exact_times ? now.mtime != entry.time() : !terms.same_time(now.mtime, entry.time()));
    if (options.atimes > 0 && !now.is_dir() && entry.extras)
      set_atime = choice.exact_times || now.atime.sec != entry.extras->atime;
  }
  if (set_mtime || set_atime) {
    std::optional<io::FileTime> atime = now.atime;
    if (set_atime) atime = io::FileTime{entry.extras->atime, 0};
    if (const Status s = object.set_times(atime, set_mtime ? entry.time() : now.mtime); !s) {
      terms.reporter.error_transfer(role, fmt::format("failed to set times on {}", shown), s.error().sys);
      return updated;
    }
    if (set_mtime) updated |= kUpdatedTime;
    if (set_atime) updated |= kUpdatedAtime;
  }

  if (!S_ISLNK(new_mode) && ((now.mode ^ new_mode) & 07777) != 0) {
    if (const Status s = object.set_mode(new_mode & 07777); !s) {
      terms.reporter.error_transfer(role, fmt::format("failed to set permissions on {}", shown), s.error().sys);
      return updated;
    }
    updated |= kUpdatedMode;
  }
  return updated;
}

}  // namespace ocsync::sync
