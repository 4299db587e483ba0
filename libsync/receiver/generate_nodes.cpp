// Symlinks, devices, fifos and sockets.
#include "libsync/receiver/generate_spot.h"

#include <sys/sysmacros.h>

#include "libsync/meta/fake_super.h"

namespace ocsync::sync {

// For what was just created: extended attributes count as they were before, ACLs as they are afterwards.
Status Generator::apply_and_report(Spot& spot, const std::optional<io::FileInfo>& compared) {
  const uint32_t before = meta_flags(spot, compared, nullptr, false);
  std::optional<io::FileInfo> made;
  apply(spot, made, true);
  uint32_t meta = before & proto::kReportXattr;
  if (before & proto::kReportAcl) meta |= meta_flags(spot, compared, nullptr, false) & proto::kReportAcl;
  TRY(report(spot, compared, proto::kLocalChange | proto::kReportChange, {}, meta));
  apply_reported_xattrs(spot);
  return {};
}

// `to`: what follows the name where a failure is told.
bool Generator::create_atomically(Spot& spot, bool replaces, const std::function<Status(io::Leaf)>& make,
                                  const char* what, const std::string& to) {
  const bool dry = terms_.options.dry_run;
  if (dry && !(replaces && terms_.options.backup && spot.dir && spot.leaf)) return true;
  if (!spot.dir || !spot.leaf) {
    terms_.reporter.error_transfer(Role::kGenerator,
                                   fmt::format("{} {}{} failed", what, destination_.shown(spot.path), to),
                                   spot.dir ? ENOENT : spot.dir_error);
    return false;
  }
  if (!dry) touched(spot.dir_path);
  if (replaces && terms_.options.backup) {
    const auto made = backups_.make(spot.path, *spot.dir, *spot.leaf, false);
    if (!made && !made.error().text.empty()) terms_.reporter.error_transfer(Role::kGenerator, made.error().text, 0);
    if (!made) return false;
    replaces = false;
  }
  if (dry) return true;
  if (!replaces) {
    if (const Status made = make(*spot.leaf); made)
      return true;
    else if (made.error().sys != EEXIST) {
      terms_.reporter.error_transfer(
          Role::kGenerator, fmt::format("{} {}{} failed", what, destination_.shown(spot.path), to), made.error().sys);
      return false;
    }
  }
  for (int tries = 0; tries < 100; ++tries) {
    const std::string hidden = io::temp_name(spot.leaf_text);
    const auto leaf = io::Leaf::check(hidden);
    if (!leaf) return false;
    if (const Status made = make(*leaf); !made) {
      if (made.error().sys == EEXIST) continue;
      terms_.reporter.error_transfer(
          Role::kGenerator, fmt::format("{} {}{} failed", what, destination_.shown(spot.path), to), made.error().sys);
      return false;
    }
    if (const Status moved = spot.dir->rename(*leaf, *spot.dir, *spot.leaf); !moved) {
      terms_.reporter.error_transfer(
          Role::kGenerator,
          fmt::format("rename {} -> \"{}\" failed", destination_.shown(join_path(spot.dir_path, hidden)), spot.path),
          moved.error().sys);
      (void)spot.dir->unlink(*leaf);
      return false;
    }
    // Renaming one name of an inode onto another does nothing and leaves both.
    (void)spot.dir->unlink(*leaf);
    return true;
  }
  return false;
}

// Alternate basis for links and devices: an exact match is linked or left out. True through `done` if nothing is left.
bool Generator::try_basis_for_other(Spot& spot, uint32_t, bool& done) {
  done = false;
  if (spot.here || basis_.empty()) return false;
  const BasisDirs::Match match = basis_.find(*spot.entry, spot.mode, spot.path, terms_);
  if (match.level < 1) return false;
  const std::string name(leaf_of_path(spot.path));
  const auto from = io::Leaf::check(name);
  if (!from) return false;
  const BasisDirKind kind = terms_.options.basis_kind;
  if (match.level == 3) {
    bool linked = kind == BasisDirKind::kLink;
    if (linked && !terms_.options.dry_run) {
      linked = spot.dir && match.dir->hard_link(*from, *spot.dir, *spot.leaf);
      if (linked) touched(spot.dir_path);
    }
    // Whatever happens now (a file system may refuse such links), this is all that is said about it.
    if (terms_.itemizes() && terms_.reporter.shows_unchanged()) {
      const uint32_t change = kind == BasisDirKind::kCompare ? 0u
                              : linked                       ? uint32_t{proto::kLocalChange | proto::kXnameFollows}
                                                             : uint32_t{proto::kLocalChange};
      const Object origin = Object::named(*match.dir, *from);
      (void)report(spot, match.info, change | proto::kMatched, "", meta_flags(spot, match.info, &origin, false));
    }
    say_uptodate(spot);
    done = linked || kind == BasisDirKind::kCompare;
    if (done) return true;
    spot.quiet = true;
  }
  spot.here = match.info;  // compared with, not replaced
  return true;
}

Status Generator::handle_link(Spot& spot, const Decision& decision) {
  const std::optional<io::FileInfo> really_here = spot.here;
  bool done = false;
  try_basis_for_other(spot, 0, done);
  if (done) return spot.entry->has(kLinked) ? matched_member(spot) : Status();
  if (decision.clear_the_way && really_here->is_dir() &&
      !TRY(remover_.make_way(spot.path, *spot.dir, *spot.leaf, *really_here, Remover::Way::kSymlink)))
    return unmade_member(spot);
  const std::string target(spot.entry->target());
  const bool replaces = really_here && !really_here->is_dir();
  const auto make = [&](io::Leaf leaf) {
    return terms_.options.fake_super ? make_fake_link(*spot.dir, leaf, target) : spot.dir->make_symlink(target, leaf);
  };
  if (!create_atomically(spot, replaces, make, "symlink", fmt::format(" -> \"{}\"", target)))
    return unmade_member(spot);
  const std::optional<io::FileInfo> compared = decision.clear_the_way ? std::nullopt : spot.here;
  TRY(apply_and_report(spot, compared));
  name_itself(spot, " -> ", spot.entry->target());
  if (spot.entry->has(kLinked)) TRY(finish_group(spot));
  const Options& o = terms_.options;
  if ((o.remove_source_files || o.remove_sent_files) && !o.dry_run)
    return transfers_.success(spot.ndx, spot.segment, *spot.entry, spot.path);
  return {};
}

Status Generator::handle_node(Spot& spot, const Decision& decision) {
  const std::optional<io::FileInfo> really_here = spot.here;
  bool done = false;
  try_basis_for_other(spot, 0, done);
  if (done) return spot.entry->has(kLinked) ? matched_member(spot) : Status();
  const bool device = spot.entry->is_device();
  if (decision.clear_the_way && really_here->is_dir() &&
      !TRY(remover_.make_way(spot.path, *spot.dir, *spot.leaf, *really_here,
                             device ? Remover::Way::kDevice : Remover::Way::kSpecial)))
    return unmade_member(spot);
  const uint64_t rdev = device && spot.entry->extras()
                            ? gnu_dev_makedev(spot.entry->extras()->rdev_major, spot.entry->extras()->rdev_minor)
                            : 0;
  terms_.reporter.trace(Debug::kGenr, 1, "mknod({}, 0{:o}, [{},{}])", spot.path, spot.mode, gnu_dev_major(rdev),
                        gnu_dev_minor(rdev));
  const bool replaces = really_here && !really_here->is_dir();
  const auto make = [&](io::Leaf leaf) {
    return terms_.options.fake_super ? make_fake_node(*spot.dir, leaf) : spot.dir->make_node(leaf, spot.mode, rdev);
  };
  if (!create_atomically(spot, replaces, make, "mknod")) return unmade_member(spot);
  const std::optional<io::FileInfo> compared = decision.clear_the_way ? std::nullopt : spot.here;
  TRY(apply_and_report(spot, compared));
  name_itself(spot, "");
  if (spot.entry->has(kLinked)) TRY(finish_group(spot));
  return success(spot);
}

}  // namespace ocsync::sync
