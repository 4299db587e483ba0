#include "libsync/receiver/backup.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include "libio/os/copy.h"
#include "libio/os/temp_file.h"
#include "libsync/list/named_dir.h"
#include "libsync/list/paths.h"
#include "libsync/meta/apply.h"
#include "libsync/meta/fake_super.h"
#include "libsync/meta/read.h"
#include "libsync/receiver/remove.h"

namespace ocsync::sync {

bool Backups::is_backup_name(std::string_view leaf) const {
  const std::string& suffix = terms_.options.backup_suffix;
  return !suffix.empty() && leaf.size() > suffix.size() && leaf.ends_with(suffix);
}

std::string Backups::name_of(const std::string& path) const {
  return (terms_.options.backup_dir.empty() ? path : join_path(terms_.options.backup_dir, path)) +
         terms_.options.backup_suffix;
}

// What is kept gets its attributes as far as the options carry them; permissions always, for it must not be readable to
// more people than it was.
void Backups::give_attributes(const Object& from, const io::FileInfo& info, const Object& to,
                              std::string_view shown) const {
  const Options& o = terms_.options;
  const bool owner = terms_.may_chown && o.owner;
  const auto now = to.info();
  if (!o.fake_super && now && ((owner && now->uid != info.uid) || (o.group && now->gid != info.gid)))
    (void)to.set_owner(owner ? info.uid : UINT32_MAX, o.group ? info.gid : UINT32_MAX);
  // Extended attributes of directories are not kept: rsync does not, either.
  if (info.is_dir())
    copy_acls(from, to, info.mode, terms_);
  else
    copy_meta(from, to, info.mode, terms_, Role::kReceiver, [&] { return std::string(shown); });
  if (o.fake_super) {
    const io::FileInfo like = seen(from, info, terms_, role_, shown).value_or(info);
    const FakeStat wanted{.mode = like.mode & (S_IFMT | 07777),
                          .rdev_major = like.is_device() ? gnu_dev_major(like.rdev) : 0,
                          .rdev_minor = like.is_device() ? gnu_dev_minor(like.rdev) : 0,
                          .uid = o.owner ? like.uid : 0,
                          .gid = o.group ? like.gid : 0};
    if (const Status s = store_fake(to, wanted); !s)
      terms_.reporter.error_transfer(role_, fmt::format("failed to write xattr user.rsync.%stat for {}", shown),
                                     s.error().sys);
  } else {
    uint32_t mode = info.permissions();
    if (info.is_dir() && !o.perms && now) mode |= now->mode & S_ISGID;
    (void)to.set_mode(mode);
  }
  // rsync keeps times as its lists do.
  const io::FileTime mtime{.sec = info.mtime.sec, .nsec = terms_.agreed.mtime_has_nanoseconds ? info.mtime.nsec : 0};
  if (o.times && !(info.is_dir() && o.omit_dir_times)) (void)to.set_times(info.atime, mtime);
}

// The directory `relative` below --backup-dir could not be made; what failed follows from how far rsync comes.
std::unexpected<Error> Backups::told(const std::string& relative, int error, const char* call) const {
  if (!call) call = error == ENOENT ? "mkdir" : "lstat";
  terms_.reporter.error(role_, fmt::format("backup {} {} failed", call, join_path(terms_.options.backup_dir, relative)),
                        error);
  return fail(Error(Fault::kFileIo, {}, error));
}

// The directory `relative` below --backup-dir, made component by component in held directories.
Result<std::shared_ptr<const io::Dir>> Backups::open_backup_dir(const std::string& relative) {
  if (last_ && last_path_ == relative) return last_;
  if (!root_) {
    const std::string& dir = terms_.options.backup_dir;
    const std::string path = dir[0] == '/' ? dir : join_path(destination_.absolute(), dir);
    // One that is there is not asked for its parents, which may be out of bounds for us.
    auto opened = open_named_dir(path, terms_.options);
    if (!opened && !root_made_) {
      std::string made;
      for (size_t i = 0; i < path.size();) {
        const size_t end = path.find('/', i + 1);
        made = path.substr(0, end);
        // What stands above a module is not for us to make.
        if (!(terms_.options.module_root.starts_with(made) && made.size() <= terms_.options.module_root.size())) {
          const Status done = make_named_dir(made, 0777, terms_.options);
          const int error = done ? 0 : done.error().sys;
          if (!done && error != EEXIST && error != EROFS && error != EACCES)
            return fail(Fault::kFileIo, fmt::format("backup mkdir \"{}\" failed", made), error);
        }
        i = end == std::string::npos ? path.size() : end;
      }
      root_made_ = true;
      opened = open_named_dir(path, terms_.options);
    }
    if (!opened)
      return relative.empty() ? fail(Error(opened.error().sys))
                              : told(relative.substr(0, relative.find('/')), opened.error().sys);
    root_ = std::make_shared<const io::Dir>(std::move(*opened));
  }
  std::shared_ptr<const io::Dir> here = root_;
  for (size_t i = 0; i < relative.size();) {
    const size_t end = std::min(relative.find('/', i), relative.size());
    const std::string part = relative.substr(i, end - i);
    const io::Leaf leaf = TRY(io::Leaf::check(part));
    auto next = here->child(leaf);
    if (!next && (next.error().sys == ENOENT || next.error().sys == ENOTDIR || next.error().sys == ELOOP)) {
      if (next.error().sys != ENOENT) (void)here->unlink(leaf);
      if (const Status made = here->make_dir(leaf, 0777); !made)
        return told(relative.substr(0, end), made.error().sys, "mkdir");
      next = here->child(leaf);
      // A backup directory looks like the one it keeps things of.
      if (next)
        if (const auto like = destination_.dir(relative.substr(0, end)))
          if (const auto info = (*like)->self())
            give_attributes(Object::itself(**like), *info, Object::itself(*next),
                            destination_.shown(relative.substr(0, end)));
    }
    if (!next && end < relative.size()) return told(relative.substr(0, relative.find('/', end + 1)), next.error().sys);
    if (!next) return fail(Error(next.error().sys));
    here = std::make_shared<const io::Dir>(std::move(*next));
    i = end + 1;
  }
  last_path_ = relative;
  last_ = here;
  return here;
}

Result<Backups::Place> Backups::place_for(const std::string& path) {
  const Options& o = terms_.options;
  Place place;
  place.leaf = std::string(leaf_of_path(path)) + o.backup_suffix;
  const std::string dir(dir_of_path(path));
  if (o.backup_dir.empty()) {
    place.dir = TRY(destination_.dir(dir));
    place.path = path + o.backup_suffix;
  } else {
    place.dir = TRY(open_backup_dir(dir));
    place.path = join_path(o.backup_dir, path) + o.backup_suffix;
  }
  return place;
}

// What cannot be moved or linked to its place (`place`, null: there is no getting there) is made there anew, and that
// fails as well, each kind in its own words.
Result<bool> Backups::go_without(const std::string& path, const io::Dir& dir, io::Leaf leaf, const io::FileInfo& info,
                                 int error, const Place* place, bool keep_target) const {
  const Options& o = terms_.options;
  const std::string shown_place = destination_.shown(name_of(path));
  if (info.is_symlink() && o.links) {
    const auto target = dir.read_link(leaf);
    terms_.reporter.error(role_, fmt::format("link {} -> \"{}\"", shown_place, target ? *target : ""), error);
  } else if ((info.is_device() && o.devices && terms_.may_chown) || (info.is_special() && o.specials)) {
    terms_.reporter.error(role_, fmt::format("mknod {} failed", shown_place), error);
  } else if (!info.is_regular()) {
    terms_.reporter.info_line_if(Info::kNonreg, 1, fmt::format("make_bak: skipping non-regular file {}", path));
    return true;
  } else {
    if (const auto old = dir.open_read(leaf); old)
      not_made(path, place, error);
    else
      not_read(path, error = old.error().sys);
    return lost(path, error);
  }
  terms_.reporter.error_transfer(role_, fmt::format("stat {} failed", shown_place), error);
  if (!keep_target) TRY(dir.unlink(leaf));
  return true;
}

void Backups::not_read(const std::string& path, int error) const {
  terms_.reporter.error_transfer(role_, fmt::format("open {}", destination_.shown(path)), error);
}

void Backups::not_made(const std::string& path, const Place* place, int error) const {
  const auto leaf = place ? io::Leaf::check(place->leaf) : Result<io::Leaf>(fail(Error(ENOENT)));
  const bool stays = leaf && place->dir->info(*leaf).has_value();  // an older backup that could not be taken away
  terms_.reporter.error_transfer(
      role_, fmt::format("{} {}", stays ? "unlink" : "open", destination_.shown(name_of(path))), error);
}

std::unexpected<Error> Backups::lost(const std::string& path, int error) const {
  terms_.reporter.error(role_, fmt::format("keep_backup failed: {} -> \"{}\"", destination_.shown(path), name_of(path)),
                        error);
  return fail(Error(Fault::kFileIo, {}, error));
}

// A copy of the regular file at `path`, under a hidden name until it is whole.
Status Backups::copy(const std::string& path, const io::Dir& dir, io::Leaf leaf, const io::FileInfo& info,
                     const Place& place, io::Leaf to) const {
  const auto from = dir.open_read(leaf);
  if (!from) {
    not_read(path, from.error().sys);
    return fail(from.error());
  }
  const uint32_t mode = (info.permissions() | (terms_.options.fake_super ? S_IRUSR | S_IWUSR : 0)) & S_IRWXU;
  auto temp = io::TempFile::create(*place.dir, place.leaf, mode);
  if (!temp) {
    not_made(path, &place, temp.error().sys);
    return fail(temp.error());
  }
  Status done;
  if (const auto copied = io::copy_content(*from, temp->file(), info.size, {}, terms_.stop); !copied) {
    TRY(terms_.stop.check());
    done = fail(copied.error());
  } else {
    give_attributes(Object::opened(*from), info, Object::opened(temp->file()), destination_.shown(path));
    done = temp->commit(*place.dir, to);
  }
  if (!done)
    terms_.reporter.error_transfer(role_, fmt::format("write {}", destination_.shown(name_of(path))), done.error().sys);
  return done;
}

Result<Backups::Place> Backups::copy_aside(const std::string& path, const io::Dir& dir, io::Leaf leaf,
                                           const io::FileInfo& info) {
  auto place = place_for(path);
  if (!place) {
    if (place.error().fault != Fault::kFileIo) not_made(path, nullptr, place.error().sys);
    return place;
  }
  if (!copy(path, dir, leaf, info, *place, TRY(io::Leaf::check(place->leaf)))) {
    TRY(terms_.stop.check());
    return fail(Error(Fault::kFileIo, {}));
  }
  terms_.reporter.info_line_if(Info::kBackup, 1, fmt::format("backed up {} to {}", path, place->path));
  return place;
}

Result<bool> Backups::make(const std::string& path, const io::Dir& dir, io::Leaf leaf, bool keep_target) {
  const auto info = dir.info(leaf);
  if (!info) {
    if (info.error().sys == ENOENT) return false;
    return fail(info.error());
  }
  const Options& o = terms_.options;
  if (info->is_dir()) {
    terms_.reporter.info_line_if(Info::kNonreg, 1, fmt::format("make_bak: skipping non-regular file {}", path));
    return true;
  }
  // Only told: no directory for backups is made.
  const Result<Place> found = o.dry_run ? Place{.dir = nullptr, .leaf = {}, .path = name_of(path)} : place_for(path);
  if (!found && found.error().fault != Fault::kFileIo)
    return go_without(path, dir, leaf, *info, found.error().sys, nullptr, keep_target);
  const Place place = TRY(found);
  const auto told = [&] {
    terms_.reporter.info_line_if(Info::kBackup, 1, fmt::format("backed up {} to {}", path, place.path));
    return true;
  };
  const auto stands_for =
      o.fake_super ? seen(Object::named(dir, leaf), *info, terms_, role_, destination_.shown(path)) : *info;
  if (stands_for && stands_for->is_symlink() && o.links && o.safe_links) {
    // With --fake-super a real symlink is none of ours: it does not say where it leads.
    const auto target = o.fake_super ? read_fake_link(dir, leaf) : dir.read_link(leaf);
    if (!target || target->empty() || symlink_is_unsafe(*target, path)) {
      terms_.reporter.info_line_if(Info::kSymsafe, 1,
                                   target && !target->empty()
                                       ? fmt::format("not backing up unsafe symlink \"{}\" -> \"{}\"", path, *target)
                                       : fmt::format("not backing up symlink with unreadable target \"{}\"", path));
      if (!keep_target && !o.dry_run) TRY(dir.unlink(leaf));
      return told();
    }
  }
  if (o.dry_run) return told();
  const io::Leaf to = TRY(io::Leaf::check(place.leaf));
  if (!o.backup_dir.empty() && place.leaf == leaf.view()) {
    // Where the backup directory is the destination, this would be its own backup. rsync takes it for gone then, which
    // costs an exit code and nothing else.
    const auto here = dir.self(), there = place.dir->self();
    if (here && there && here->dev == there->dev && here->ino == there->ino) {
      terms_.reporter.state().io_error |= 2;
      terms_.reporter.warning_line(fmt::format("file has vanished: {}", destination_.shown(path)));
      return true;
    }
  }
  if (const auto old = place.dir->info(to); old && old->is_dir()) {
    const FilterScope rules = TRY(FilterScope::at_root(filters_, Side::kReceiver, destination_.absolute()));
    Remover remover(terms_, filters_, destination_, *this, role_);
    if (!TRY(remover.make_way_for_backup(place.path, *place.dir, to, old->mode, rules))) {
      terms_.reporter.error_line(fmt::format("could not make way for backup directory: {}", place.path), true);
      return fail(Error(Fault::kFileIo, {}, EISDIR));
    }
  }
  // A link keeps the name in place until the new content takes it; where links are refused, moving or copying must do.
  Status moved = fail(Error(EMLINK));
  if (keep_target) {
    moved = dir.hard_link(leaf, *place.dir, to);
    if (!moved && moved.error().sys == EEXIST) {
      if (const auto kept = place.dir->info(to); kept && kept->dev == info->dev && kept->ino == info->ino)
        return told();  // kept before
      TRY(place.dir->unlink(to));
      moved = dir.hard_link(leaf, *place.dir, to);
    }
  }
  const auto made = [&](const char* how) {
    terms_.reporter.trace(Debug::kBackup, 1, "make_backup: {} {} successful.", how, path);
  };
  if (moved) made("HLINK");
  if (!moved) {
    moved = dir.rename(leaf, *place.dir, to);
    if (moved) made("RENAME");
  }
  if (!moved && moved.error().sys == EXDEV && info->is_regular()) {
    if (const Status copied = copy(path, dir, leaf, *info, place, to); !copied) {
      TRY(terms_.stop.check());
      return lost(path, copied.error().sys);
    }
    made("COPY");
    if (!keep_target) TRY(dir.unlink(leaf));
    moved = {};
  } else if (!moved && moved.error().sys == EXDEV && info->is_symlink()) {
    (void)place.dir->unlink(to);
    moved = place.dir->make_symlink(TRY(dir.read_link(leaf)), to);
    if (moved) made("SYMLINK");
    if (moved && !keep_target) TRY(dir.unlink(leaf));
  } else if (!moved && moved.error().sys == EXDEV && (info->is_device() || info->is_special())) {
    (void)place.dir->unlink(to);
    moved = place.dir->make_node(to, info->mode, info->rdev);
    if (moved) {
      made("DEVICE");
      give_attributes(Object::named(dir, leaf), *info, Object::named(*place.dir, to), destination_.shown(path));
      if (!keep_target) TRY(dir.unlink(leaf));
    }
  }
  if (!moved) return go_without(path, dir, leaf, *info, moved.error().sys, &place, keep_target);
  return told();
}

}  // namespace ocsync::sync
