#include "libsync/receiver/decide.h"

#include <sys/sysmacros.h>

#include "libproto/item.h"
#include "libsync/list/paths.h"

namespace ocsync::sync {

Kind kind_of(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return Kind::kRegular;
    case S_IFDIR: return Kind::kDir;
    case S_IFLNK: return Kind::kSymlink;
    case S_IFCHR:
    case S_IFBLK: return Kind::kDevice;
    case S_IFIFO:
    case S_IFSOCK: return Kind::kSpecial;
    case 0: return Kind::kMissing;
    default: return Kind::kUnknown;
  }
}

bool quick_check(const Entry& entry, const io::FileInfo& here, Probe& probe, const Terms& terms, Attempt attempt) {
  const Options& o = terms.options;
  switch (kind_of(entry.mode)) {
    case Kind::kRegular:
      if (here.size != static_cast<uint64_t>(entry.size)) return false;
      if (attempt == Attempt::kRedo) return false;
      if (o.checksum) return entry.extras() && probe.content_digest() == entry.extras()->digest();
      if (o.size_only) return true;
      if (o.ignore_times) return false;
      return terms.same_time(here.mtime, entry.time());
    case Kind::kSymlink: {
      const auto target = probe.link_target();
      return target && *target == entry.target();
    }
    case Kind::kSpecial: return (here.mode & S_IFMT) == (entry.mode & S_IFMT);
    case Kind::kDevice:
      return entry.extras() && here.rdev == gnu_dev_makedev(entry.extras()->rdev_major, entry.extras()->rdev_minor);
    case Kind::kDir: return true;
    default: return false;
  }
}

Decision decide(const Entry& entry, std::string_view path, const std::optional<io::FileInfo>& here, Probe& probe,
                const Terms& terms, Attempt attempt, int missing_errno) {
  const Options& o = terms.options;
  const Kind wanted = kind_of(entry.mode);
  const bool first = attempt == Attempt::kFirst;
  const auto skip = [](Why why) { return Decision{.act = Act::kSkip, .why = why}; };
  if (wanted == Kind::kMissing) return here ? Decision{.act = Act::kRemove, .exists = true} : skip(Why::kNone);
  const Kind found = here ? kind_of(here->mode) : Kind::kUnknown;

  if (o.existing_only && first && !here && missing_errno == ENOENT) return skip(Why::kNotExisting);
  if (o.ignore_existing && first && here && !(wanted == Kind::kDir && found == Kind::kDir)) return skip(Why::kExists);

  switch (wanted) {
    case Kind::kDir: {
      const bool same = here && found == Kind::kDir;
      return {.act = same ? Act::kKeep : Act::kMakeDir, .clear_the_way = here && !same, .exists = same};
    }
    case Kind::kSymlink:
      if (!o.links) return skip(Why::kNonRegular);
      if (o.safe_links && symlink_is_unsafe(entry.target(), path)) return skip(Why::kUnsafeLink);
      if (found == Kind::kSymlink && quick_check(entry, *here, probe, terms, attempt))
        return {.act = Act::kKeep, .exists = true};
      return {
          .act = Act::kMakeLink, .clear_the_way = here && found != Kind::kSymlink, .exists = found == Kind::kSymlink};
    case Kind::kDevice:
    case Kind::kSpecial: {
      const bool asked = !o.drop_devices && (wanted == Kind::kDevice ? o.devices && terms.may_chown : o.specials);
      if (!asked) return skip(Why::kNonRegular);
      if (found == wanted && quick_check(entry, *here, probe, terms, attempt))
        return {.act = Act::kKeep, .exists = true};
      return {.act = Act::kMakeNode, .clear_the_way = here && found != wanted, .exists = found == wanted};
    }
    case Kind::kRegular: break;
    default: return skip(Why::kNonRegular);
  }

  if (first && o.max_size && entry.size > *o.max_size) return skip(Why::kTooLarge);
  if (first && o.min_size && entry.size < *o.min_size) return skip(Why::kTooSmall);
  if (first && o.update && found == Kind::kRegular && entry.mtime - here->mtime.sec < o.modify_window)
    return skip(Why::kNewerHere);
  const bool usable = found == Kind::kRegular || (o.write_devices && found == Kind::kDevice);
  if (!usable) return {.act = Act::kTransfer, .clear_the_way = here.has_value()};
  if (quick_check(entry, *here, probe, terms, attempt)) return {.act = Act::kKeep, .exists = true};
  if (first && (terms.append || terms.append_verify) && here->size >= static_cast<uint64_t>(entry.size))
    return {.act = Act::kSkip, .why = Why::kAppendDone, .exists = true};
  return {.act = Act::kTransfer, .exists = true};
}

bool attributes_match(const Entry& entry, uint32_t mode, const io::FileInfo& here, const Terms& terms) {
  const Options& o = terms.options;
  const bool link = entry.is_symlink();
  if (o.times && !(link && o.omit_link_times) && !terms.same_time(here.mtime, entry.time())) return false;
  if (o.atimes > 0 && !entry.is_dir() && !link && entry.extras() && here.atime.sec != entry.extras()->atime)
    return false;
  if (!link) {
    if (o.perms && ((here.mode ^ mode) & 07777) != 0) return false;
    if (!o.perms && o.executability && ((here.mode & 0111) != 0) != ((mode & 0111) != 0)) return false;
  }
  if (o.owner && terms.may_chown && here.uid != entry.uid) return false;
  if (o.group && !entry.has(kGroupUnsettable) && here.gid != entry.gid) return false;
  return true;
}

uint32_t report_flags(const Entry& entry, uint32_t mode, const std::optional<io::FileInfo>& here, uint32_t flags,
                      bool has_empty_xname, const Terms& terms) {
  using namespace proto;
  const Options& o = terms.options;
  if (!here) return (flags | kIsNew) & 0xffff;
  const bool dir = entry.is_dir(), link = entry.is_symlink();
  const bool keep_time = o.times && !(dir && o.omit_dir_times) && !(link && o.omit_link_times);
  if (entry.is_regular() && static_cast<uint64_t>(entry.size) != here->size) flags |= kReportSize;
  if (keep_time) {
    if (!terms.same_time(here->mtime, entry.time())) flags |= kReportTime;
  } else if ((flags & (kTransfer | kLocalChange)) && !(flags & kMatched) &&
             !((flags & kXnameFollows) && has_empty_xname)) {
    flags |= kReportTime;
  }
  if (o.atimes > 0 && !dir && !link && entry.extras() && here->atime.sec != entry.extras()->atime)
    flags |= kReportAtime;
  if (!link) {
    if (o.perms) {
      if (((here->mode ^ mode) & 07777) != 0) flags |= kReportPerms;
    } else if (o.executability && ((here->mode & 0111) != 0) != ((mode & 0111) != 0)) {
      flags |= kReportPerms;
    }
  }
  if (o.owner && terms.may_chown && here->uid != entry.uid) flags |= kReportOwner;
  if (o.group && !entry.has(kGroupUnsettable) && here->gid != entry.gid) flags |= kReportGroup;
  return flags & 0xffff;
}

}  // namespace ocsync::sync
