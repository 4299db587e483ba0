// Directories: made at their turn, and given their attributes once their content is settled.
#include "libsync/receiver/generate_spot.h"

namespace ocsync::sync {

// With -n a directory that takes after one of an alternate tree was not made, but rsync tries to give it attributes.
void Generator::say_unmade(const Spot& spot) {
  int error = ENOENT;
  if (const auto still_here =
          spot.dir && spot.leaf ? spot.dir->info(*spot.leaf) : Result<io::FileInfo>(fail(Error(ENOENT)))) {
    if (!still_here->is_symlink()) return;
    error = ELOOP;
  }
  // What is no directory on the way counts as a link there.
  if (!spot.dir && !spot.dir_path.empty())
    if (const auto above = destination_.dir(spot.dir_path); !above && above.error().sys != ENOENT) error = ELOOP;
  const std::string shown = destination_.shown(spot.path);
  terms_.reporter.error_transfer(Role::kGenerator,
                                 spot.dir || spot.dir_path.empty()
                                     ? fmt::format("gen_entry_copy_xattrs: openat({}) failed", shown)
                                     : fmt::format("gen_entry_copy_xattrs: secure open of {} failed", shown),
                                 error);
}

Status Generator::handle_dir(Spot& spot, bool own_turn) {
  const Options& o = terms_.options;
  Entry& entry = *spot.entry;
  if (!o.implied_dirs && entry.has(kImpliedDir)) return {};
  const bool is_dir_here = spot.here && spot.here->is_dir();
  if (!own_turn) {
    // Its own turn comes with its list. Making it now, while its parent is being worked on, keeps the parent's time
    // right.
    if (is_dir_here) return {};
    // Where the parent has more rights only while it is being worked on, later would be too late.
    const bool keeps_times = o.times && !o.omit_dir_times;
    if (!keeps_times && !lent_.contains(std::string(spot.dir_path))) return {};
    DirNode* node = spot.segment->dir_of_ndx(spot.ndx);
    if (spot.here && !TRY(remover_.make_way(spot.path, *spot.dir, *spot.leaf, *spot.here, Remover::Way::kDir)))
      return {};
    if (o.dry_run) {
      node->entry.set(kDirCreated);
      return {};
    }
    if (spot.dir && spot.leaf && spot.dir->make_dir(*spot.leaf, o.fake_super ? S_IRWXU : entry.mode & S_IRWXU)) {
      node->entry.set(kDirCreated);
      touched(spot.dir_path);
    }
    return {};
  }
  const auto skip_contents = [&] {
    terms_.reporter.error_line("*** Skipping any contents from this failed directory ***", false);
    skip_below_ = spot.path;
    entry.set(kMissingDir);
  };
  if (spot.here && !is_dir_here) {
    if (!TRY(remover_.make_way(spot.path, *spot.dir, *spot.leaf, *spot.here, Remover::Way::kDir))) {
      skip_contents();
      return {};
    }
    spot.here.reset();
  }
  if (o.dry_run && !spot.here) {
    if (dry_missing_.empty()) dry_missing_ = spot.path;
    entry.set(kMissingDir);
  }
  const bool created_before =
      entry.has(kDirCreated) || (entry.is_root() && destination_.created() &&
                                 (terms_.agreed.component_order || spot.segment->sorted(0).is_root()));
  // Only while one of a kind comes: with backups, names that a file system takes for one must be noticed.
  has_fresh_dir_ = !o.dry_run && !o.backup && !entry.is_root() && (created_before || !spot.here);
  if (has_fresh_dir_) fresh_dir_ = spot.path;
  const std::optional<io::FileInfo> compared = created_before ? std::nullopt : spot.here;
  if (!o.perms)
    spot.mode = dest_mode(entry.mode, compared ? std::optional<uint32_t>(compared->mode) : std::nullopt,
                          {.executability = o.executability}, default_perms_);
  std::optional<io::FileInfo> shown_against = compared;
  BasisDirs::Match match;
  std::string like_name;
  std::optional<Object> like;  // a directory of an alternate tree that this one takes after
  if (!compared && !basis_.empty()) {
    match = basis_.find(entry, spot.mode, spot.path, terms_);
    if (match.level > 0) {
      shown_against = match.info;
      like_name = leaf_of_path(spot.path);
      like = Object::itself(*match.dir);
      if (like_name != ".") like->leaf = TRY(io::Leaf::check(like_name));
    }
    if (match.level == 3) {
      if (terms_.itemizes() && terms_.reporter.shows_unchanged())
        TRY(report(spot, match.info, proto::kLocalChange | proto::kMatched, {},
                   meta_flags(spot, match.info, &*like, false)));
      say_uptodate(spot, false, "/");
      spot.quiet = true;
    }
  }
  // The answer to an item with attributes is applied as soon as it is back: the directory must be there by then.
  const bool report_late = o.xattrs > 0 && !o.dry_run;
  const auto tell = [&]() -> Status {
    const uint32_t meta = meta_flags(spot, shown_against, like ? &*like : nullptr, false);
    TRY(report(spot, shown_against, compared ? 0u : uint32_t{proto::kLocalChange}, {}, meta));
    spot.quiet = false;
    return {};
  };
  if (!report_late) TRY(tell());
  if (!spot.here && !o.dry_run) {
    // With --fake-super we must be able to work in it, whatever it stands for.
    const uint32_t made_mode = o.fake_super ? (spot.mode | S_IRWXU) & 0777 : spot.mode & 07777;
    Status made = spot.dir && spot.leaf ? spot.dir->make_dir(*spot.leaf, made_mode)
                                        : fail(Error(spot.dir ? ENOENT : spot.dir_error));
    if (!made && made.error().sys != EEXIST) {
      // rsync has tried to make the parent once more.
      const bool unmade_parent = made.error().sys == ENOENT && unmade_error_ != 0 && unmade_parent_ == spot.dir_path;
      if (report_late) TRY(tell());
      terms_.reporter.error_transfer(Role::kGenerator,
                                     fmt::format("recv_generator: mkdir {} failed", destination_.shown(spot.path)),
                                     unmade_parent ? unmade_error_ : made.error().sys);
      skip_contents();
      return {};
    }
    if (!made) has_fresh_dir_ = false;  // somebody else was faster
    touched(spot.dir_path);
    destination_.forget(spot.path);
  }
  if (like && spot.dir && spot.leaf && !o.dry_run)
    copy_meta(*like, Object::named(*spot.dir, *spot.leaf), spot.mode, terms_, Role::kGenerator,
              destination_.shown(spot.path));
  if (like && !entry.is_root() && o.dry_run && o.xattrs > 0) say_unmade(spot);
  if (report_late) TRY(tell());
  if (o.dry_run) {
    if (names_itself() && (!compared || !attributes_match(entry, spot.mode, *compared, terms_))) name_itself(spot, "/");
    if (!spot.here) return {};
  } else {
    std::optional<io::FileInfo> now = spot.here;
    const unsigned updated = apply(spot, now, !spot.here || created_before);
    if (updated) name_itself(spot, "/");
    // An owner or a group that was refused has kept it from its time.
    if (o.times && !(updated & kUpdatedTime) && now && !terms_.same_time(now->mtime, entry.time()))
      touched(spot.path == "." ? std::string_view() : std::string_view(spot.path));
    apply_reported_xattrs(spot);
    // Files must be able to arrive; the mode is restored when its content is settled.
    if (!terms_.may_chown && (spot.mode & S_IRWXU) != S_IRWXU) {
      const uint32_t open_mode = (spot.mode | S_IRWXU) & 07777;
      const Status lent = spot.leaf ? spot.dir->set_mode(*spot.leaf, open_mode) : spot.dir->set_self_mode(open_mode);
      if (!lent)
        terms_.reporter.error_transfer(Role::kGenerator,
                                       fmt::format("failed to modify permissions on {}", destination_.shown(spot.path)),
                                       lent.error().sys);
      if (!(spot.mode & S_IWUSR)) lent_[spot.path] = spot.mode;
      destination_.forget(spot.path);
    }
  }
  if (terms_.agreed.incremental || working_phase_ > 0) return {};
  if ((terms_.delete_mode == DeleteMode::kDuring || terms_.delete_mode == DeleteMode::kDelay) &&
      !entry.has(kMissingDir)) {
    if (!entry.has(kContentDir)) return remover_.pass(entry);
    TRY(remover_.delete_in(spot.path, *spot.segment, entry.has(kTopDir)));
    touched(spot.path == "." ? std::string_view() : std::string_view(spot.path));
  }
  return {};
}

// Directory attributes once their content is settled.
Status Generator::touch_up(const Entry& entry, const std::string& path) {
  const Options& o = terms_.options;
  if (o.list_only || o.dry_run || destination_.solo() || !entry.is_dir() || !entry.active() || entry.has(kMissingDir))
    return {};
  if (!o.implied_dirs && entry.has(kImpliedDir)) return {};
  terms_.reporter.trace(Debug::kTime, 2, "touch_up_dirs: {}", path);
  // As with rsync, read and search permission stay lent where the owner may write.
  const auto lent = lent_.find(path);
  const bool fix_mode = lent != lent_.end() || (!terms_.may_chown && o.perms && !(entry.mode & S_IWUSR));
  const uint32_t mode = (lent != lent_.end() ? lent->second : entry.mode) & 07777;
  const bool keeps_time = o.times && !o.omit_dir_times, may_be_link = o.keep_dirlinks && path != ".";
  // What went through a symlink (-K) may have touched any directory.
  const bool fix_time =
      keeps_time && (o.keep_dirlinks || touched_.contains(path == "." ? std::string_view() : std::string_view(path)));
  if (!fix_mode && !fix_time) return {};
  const std::string name(leaf_of_path(path));
  const auto leaf = io::Leaf::check(name);
  std::shared_ptr<const io::Dir> parent;
  const auto look_at_name = [&]() -> Result<io::FileInfo> {
    parent = TRY(destination_.dir(dir_of_path(path)));
    return parent->info(TRY(leaf));
  };
  if (may_be_link) {
    // What -K went through is somebody else's directory: its attributes are left alone, and the link gets the time.
    const auto info = look_at_name();
    if (!info) return {};
    if (info->is_symlink()) {
      if (fix_time && !terms_.same_time(info->mtime, entry.time()))
        (void)parent->set_times(*leaf, info->atime, entry.time());
      return {};
    }
  }
  const auto dir = destination_.dir(path == "." ? std::string_view() : std::string_view(path));
  if (!dir) {
    // Something else kept the place (--ignore-existing).
    const auto info = look_at_name();
    if (!info || info->is_dir()) return {};
    if (fix_mode && !info->is_symlink()) (void)parent->set_mode(*leaf, mode);
    if (fix_time && !terms_.same_time(info->mtime, entry.time()))
      (void)parent->set_times(*leaf, info->atime, entry.time());
    return {};
  }
  if (fix_time) {
    const auto info = (*dir)->self();
    if (info && !terms_.same_time(info->mtime, entry.time())) (void)(*dir)->set_self_times(info->atime, entry.time());
  }
  if (fix_mode) (void)(*dir)->set_self_mode(mode);
  if (lent != lent_.end()) lent_.erase(lent);
  return {};
}

}  // namespace ocsync::sync
