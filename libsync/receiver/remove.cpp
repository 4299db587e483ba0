#include "libsync/receiver/remove.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>

#include "libsync/list/paths.h"
#include "libsync/meta/read.h"

namespace ocsync::sync {

Remover::Remover(const Terms& terms, const FilterRules& filters, Destination& destination, Backups& backups, Role role)
    : terms_(terms), filters_(filters), destination_(destination), backups_(backups), role_(role) {}

// What holds for the destination as a whole.
Result<const FilterScope*> Remover::root_rules() {
  if (!root_rules_) root_rules_ = TRY(FilterScope::at_root(filters_, Side::kReceiver, destination_.absolute()));
  return &*root_rules_;
}

Result<FilterScope> Remover::in_force() { return rules_.in_force(*TRY(root_rules())); }

Status Remover::enter(const std::string& path, bool is_dir) {
  if (!filters_.has_per_directory()) return {};
  const std::string below = path == "." ? std::string() : path;
  const auto dir = is_dir ? destination_.dir(below) : fail(Error(ENOTDIR));
  return rules_.enter(level_of(path), below, dir ? dir->get() : nullptr, *TRY(root_rules()));
}

// For all but directories the listing often tells enough: the type. Owners and modes matter only to who is not allowed
// everything, and to formats that show them; with --fake-super what something is stands in its attributes.
std::optional<io::FileInfo> Remover::look_at(const std::string& path, const io::Dir& dir, io::Leaf leaf,
                                             uint8_t listed_type) const {
  const Options& o = terms_.options;
  if (o.fake_super) {
    const auto real = dir.info(leaf);
    if (!real) return std::nullopt;
    return seen(Object::named(dir, leaf), *real, terms_, Role::kGenerator, destination_.shown(path)).value_or(*real);
  }
  const bool shown_as_type = o.log_file.empty() && o.module_name.empty() &&
                             o.out_format.find("B") == std::string::npos && !terms_.reporter.traces(Debug::kDel, 2);
  if (terms_.may_chown && listed_type != DT_UNKNOWN && listed_type != DT_DIR && shown_as_type)
    return io::FileInfo{.mode = static_cast<uint32_t>(DTTOIF(listed_type)) | S_IWUSR};
  const auto info = dir.info(leaf);
  if (!info) return std::nullopt;
  return *info;
}

Result<bool> Remover::protects(const std::string& path, bool is_dir) {
  if (filters_.empty()) return false;
  return TRY(in_force()).excluded(path, is_dir);
}

Status Remover::check() const {
  if (bad_rules_) return fail(*bad_rules_);
  return terms_.stop.check();
}

// What holds inside a directory that is about to be emptied: whatever its place, what is in force around it adds to its
// own rules.
Result<FilterScope> Remover::rules_inside(const std::string& path, const io::Dir& dir, const FilterScope* above) {
  if (above) return above->enter(path, dir);
  const FilterScope& root = *TRY(root_rules());
  return filters_.has_per_directory() ? rules_.inside(path, &dir, root) : root;
}

Remover::Outcome Remover::remove_content(const std::string& path, const io::Dir& dir, io::Leaf leaf, Manner manner) {
  terms_.reporter.trace(Debug::kDel, 3, "delete_dir_contents({}) flags={}", path, manner.flags());
  const auto inside = dir.child(leaf);
  if (!inside) {
    if (inside.error().sys == ENOENT) return Outcome::kGone;
    terms_.reporter.error_transfer(role_, fmt::format("opendir {} failed", destination_.shown(path)),
                                   inside.error().sys);
    return Outcome::kNotEmpty;
  }
  const auto listing = inside->list();
  if (!listing) {
    terms_.reporter.error_transfer(role_, fmt::format("opendir {} failed", destination_.shown(path)),
                                   listing.error().sys);
    return Outcome::kNotEmpty;
  }

  std::optional<FilterScope> scope;
  if (!filters_.empty()) {
    auto found = rules_inside(path, *inside, manner.above);
    if (found) {
      scope = std::move(*found);
    } else if (found.error().fault != Fault::kSystem) {
      // Nobody knows what they protect.
      bad_rules_ = found.error();
      return Outcome::kNotEmpty;
    }
  }

  struct Name {
    std::string leaf;
    io::FileInfo info;
  };
  std::vector<Name> names;
  bool kept = false;
  for (const io::DirEntry& item : listing->entries) {
    Name name{listing->name(item), {}};
    const auto checked = io::Leaf::check(name.leaf);
    if (!checked) continue;
    const std::string child = join_path(path, name.leaf);
    const auto info = look_at(child, *inside, *checked, item.type);
    if (!info) continue;
    name.info = *info;
    if (scope && scope->excluded(child, info->is_dir(), true)) {
      kept = true;
      continue;
    }
    names.push_back(std::move(name));
  }
  Outcome result = kept ? Outcome::kNotEmpty : Outcome::kGone;
  if (!names.empty() && !manner.recurse) {
    result = Outcome::kNotEmpty;
  } else {
    std::sort(names.begin(), names.end(), [&](const Name& a, const Name& b) {
      return compare_paths(a.leaf, a.info.is_dir(), b.leaf, b.info.is_dir(), terms_.order()) > 0;
    });
    for (const Name& name : names) {
      const std::string child = join_path(path, name.leaf);
      const auto checked = io::Leaf::check(name.leaf);
      if (mounted(name.info)) {
        terms_.reporter.trace(Debug::kDel, 1, "mount point, {}, pins parent directory", child);
        result = Outcome::kNotEmpty;
        continue;
      }
      // rsync's receiving process does not look at who owns what.
      const bool locked = role_ == Role::kGenerator && !(name.info.mode & S_IWUSR) && !terms_.may_chown &&
                          name.info.uid == terms_.our_uid;
      if (locked && !terms_.options.dry_run) (void)inside->set_mode(*checked, (name.info.mode | S_IWUSR) & 07777);
      const Manner below{.recurse = true,
                         .dir_is_empty = true,
                         .for_backup = manner.for_backup,
                         .above = scope ? &*scope : manner.above};
      // A directory whose content had to stay is tried all the same: what is said and counted about it shows.
      if (name.info.is_dir() && remove_content(child, *inside, *checked, below) != Outcome::kGone)
        result = Outcome::kNotEmpty;
      if (bad_rules_) return Outcome::kNotEmpty;
      if (remove(child, *inside, *checked, name.info.mode, below) != Outcome::kGone) result = Outcome::kNotEmpty;
    }
  }
  if (result == Outcome::kNotEmpty)
    terms_.reporter.info_line(fmt::format("cannot delete non-empty directory: {}", path));
  return result;
}

Remover::Outcome Remover::remove(const std::string& path, const io::Dir& dir, io::Leaf leaf, uint32_t mode,
                                 Manner manner) {
  const bool is_dir = S_ISDIR(mode);
  terms_.reporter.trace(Debug::kDel, 2, "delete_item({}) mode={:o} flags={}", path, mode, manner.flags());
  // Without write permission a directory of ours could not be emptied.
  if (manner.no_uid_write && !terms_.options.dry_run) (void)dir.set_mode(leaf, (mode | S_IWUSR) & 07777);
  if (is_dir && !manner.dir_is_empty) {
    const Outcome content = remove_content(path, dir, leaf, manner);
    if (content != Outcome::kGone) return content;
  }
  const Options& o = terms_.options;
  if (!manner.making_room && !backups_.limit().allows()) return Outcome::kAtLimit;
  Status done;
  const char* what = "unlink";
  if (is_dir) {
    what = "rmdir";
    if (!o.dry_run) done = dir.remove_dir(leaf);
  } else if (o.backup && !manner.for_backup && (!o.backup_dir.empty() || !backups_.is_backup_name(leaf.view()))) {
    what = "make_backup";
    const auto made = backups_.make(path, dir, leaf, false);
    if (!made) done = fail(made.error());
    if (!made && made.error().fault == Fault::kUsage) {
      bad_rules_ = made.error();
      return Outcome::kFailed;
    }
  } else if (!o.dry_run) {
    done = dir.unlink(leaf);
  }
  if (is_dir)
    destination_.forget(path);
  else if (S_ISLNK(mode) && o.keep_dirlinks)
    destination_.forget_all();  // any path may have led through it
  if (!done) {
    int error = done.error().sys;
    if (is_dir && (error == ENOTEMPTY || error == EEXIST)) {
      terms_.reporter.info_line(fmt::format("cannot delete non-empty directory: {}", path));
      return Outcome::kNotEmpty;
    }
    // Was it reported already? Then rsync's errno is what its messages left over: itself, where they travelled, else
    // none. Where the way to the backup was not clear it is none everywhere.
    const bool said = done.error().fault == Fault::kFileIo && done.error().text.empty();
    if (said && (error == EISDIR || !(terms_.local || terms_.am_server))) error = 0;
    if (error == ENOENT) return Outcome::kGone;
    terms_.reporter.error_transfer(
        role_, fmt::format("delete_file: {}({}) failed{}", what, path, said && error == 0 ? ": Success (0)" : ""),
        error);
    return Outcome::kFailed;
  }
  if (!manner.making_room) {
    backups_.limit().count();
    // rsync's other process is told no more than whether it was a directory.
    const bool told = terms_.local && terms_.agreed.deleted_messages;
    terms_.reporter.deleted(path, told ? (is_dir ? uint32_t{S_IFDIR} : uint32_t{S_IFREG}) : mode,
                            terms_.agreed.deleted_messages);
    if (manner.for_backup) return Outcome::kGone;  // rsync's receiving process counts these for itself
    terms_.totals.deleted.add(mode);
    if (S_ISDIR(mode))
      ++counts_.dirs;
    else if (S_ISLNK(mode))
      ++counts_.symlinks;
    else if (S_ISCHR(mode) || S_ISBLK(mode))
      ++counts_.devices;
    else if (S_ISREG(mode))
      ++counts_.files;
    else
      ++counts_.specials;
  }
  return Outcome::kGone;
}

Status Remover::delete_in(const std::string& path, const Segment& list, bool top_dir) {
  if (destination_.solo()) return {};
  if ((io_error_ & 1) && !terms_.options.ignore_errors) {
    if (!warned_) terms_.reporter.info_line("IO error encountered -- skipping file deletion");
    warned_ = true;
    return {};
  }
  const auto unreadable = [&](const Error& error) {
    if (error.sys == ENOENT) return;
    terms_.reporter.state().io_error |= 1;
    io_error_ |= 1;
    terms_.reporter.error_transfer(Role::kGenerator, fmt::format("opendir {} failed", destination_.shown(path)),
                                   error.sys);
  };
  const auto dir = destination_.dir(path == "." ? std::string() : path);
  if (!dir) {
    // Where a link stayed in a directory's place (--ignore-existing), nothing is missed if it leads nowhere.
    const auto above = destination_.dir(dir_of_path(path));
    const std::string name(leaf_of_path(path));
    const auto leaf = io::Leaf::check(name);
    const auto there = above && leaf ? (*above)->info_following(*leaf) : Result<io::FileInfo>(fail(dir.error()));
    if (there || there.error().sys != ENOENT) unreadable(dir.error());
    return {};
  }
  TRY(enter(path, true));
  const auto self = (*dir)->self();
  if (!self) return {};
  if (terms_.options.one_file_system > 0) {
    if (top_dir) {
      top_devices_.push_back(self->dev);
      file_system_ = self->dev;
    } else if (file_system_ != self->dev) {
      if (std::find(top_devices_.begin(), top_devices_.end(), self->dev) == top_devices_.end()) return {};
      file_system_ = self->dev;
    }
  }
  terms_.reporter.trace(Debug::kDel, 2, "delete_in_dir({})", path);
  if (terms_.reporter.traces(Debug::kFilter, 2))
    terms_.reporter.trace(Debug::kFilter, 2, "[generator] pushing local filters for {}/",
                          path == "." ? destination_.absolute() : join_path(destination_.absolute(), path));
  const auto listing = (*dir)->list();
  if (!listing) {
    unreadable(listing.error());
    return {};
  }
  std::optional<FilterScope> scope;
  if (!filters_.empty()) scope = TRY(in_force());

  struct Extra {
    std::string path, leaf;
    io::FileInfo info;
  };
  std::vector<Extra> extras;
  for (const io::DirEntry& item : listing->entries) {
    const char* name = listing->name(item);
    std::string child = join_path(path, name);
    terms_.reporter.trace(Debug::kFlist, 2, "[generator] make_file({},*,2)", child);
    const bool listed = list.has_any(child, terms_.order());
    // rsync looks at what is to stay, too, and what it cannot see is an error.
    if (listed && !terms_.options.fake_super) continue;
    const auto leaf = io::Leaf::check(name);
    if (!leaf) continue;
    const auto info = look_at(child, **dir, *leaf, item.type);
    if (!info || listed) continue;
    if (scope && scope->excluded(child, info->is_dir())) continue;
    extras.push_back(Extra{std::move(child), name, *info});
  }
  std::sort(extras.begin(), extras.end(), [&](const Extra& a, const Extra& b) {
    return compare_paths(a.leaf, a.info.is_dir(), b.leaf, b.info.is_dir(), terms_.order()) > 0;
  });
  for (const Extra& extra : extras) {
    if (mounted(extra.info)) {
      terms_.reporter.info_line_if(Info::kMount, 1, fmt::format("cannot delete mount point: {}", extra.path));
      continue;
    }
    const Manner manner{
        .recurse = true,
        .no_uid_write = !(extra.info.mode & S_IWUSR) && !terms_.may_chown && extra.info.uid == terms_.our_uid};
    if (terms_.delete_mode == DeleteMode::kDelay) {
      remembered_.push_back(Remembered{extra.path, extra.info.mode, manner});
      continue;
    }
    const auto leaf = io::Leaf::check(extra.leaf);
    remove(extra.path, **dir, *leaf, extra.info.mode, manner);
    TRY(check());
  }
  return {};
}

Status Remover::delete_everywhere(const Segment& list) {
  if (destination_.solo()) return {};
  if (destination_.missing() || terms_.options.list_only) return {};
  for (int32_t i = 0; i < list.count(); ++i) {
    const Entry& entry = list.sorted(i);
    if (!entry.active()) continue;
    if (!entry.is_dir() || !entry.has(kContentDir)) {
      if (filters_.has_per_directory()) TRY(pass(entry));
      continue;
    }
    const std::string path = entry.path();
    if (!entry.is_root()) {
      const auto parent = destination_.dir(entry.dir_view());
      if (!parent) continue;
      const auto leaf = io::Leaf::check(entry.leaf());
      if (!leaf) continue;
      auto info = (*parent)->info(*leaf);
      if (info && info->is_symlink() && terms_.options.keep_dirlinks) info = (*parent)->info_following(*leaf);
      if (!info || !info->is_dir()) continue;
    }
    if (entry.has(kTopDir)) terms_.reporter.trace(Debug::kDel, 1, "deleting in {}", path);
    TRY(delete_in(path, list, entry.has(kTopDir)));
  }
  rules_.leave_all();
  return {};
}

// rsync looks for rules in everything it comes by, whatever it is.
Status Remover::pass(const Entry& entry) {
  const std::string path = entry.path();
  TRY(enter(path, entry.is_dir()));
  if (entry.is_symlink()) TRY(in_force()).look_in_vain(path);
  return {};
}

Status Remover::delete_remembered() {
  rules_.leave_all();
  for (const Remembered& item : remembered_) {
    const auto dir = destination_.dir(dir_of_path(item.path));
    if (!dir) continue;
    const std::string name(leaf_of_path(item.path));
    const auto leaf = io::Leaf::check(name);
    if (leaf) remove(item.path, **dir, *leaf, item.mode, item.manner);
    TRY(check());
  }
  remembered_.clear();
  return {};
}

Result<bool> Remover::make_way(const std::string& path, const io::Dir& dir, io::Leaf leaf, const io::FileInfo& here,
                               Way what_for) {
  const Manner manner{
      .recurse = terms_.options.delete_any || terms_.options.force_delete,
      .making_room = true,
      .no_uid_write = !(here.mode & S_IWUSR) && !terms_.may_chown && here.uid == terms_.our_uid && here.is_dir()};
  if (remove(path, dir, leaf, here.mode, manner) == Outcome::kGone) return true;
  TRY(check());
  static constexpr const char* kWords[] = {"regular file", "directory", "symlink", "device file", "special file"};
  terms_.reporter.error_line(
      fmt::format("could not make way for new {}: {}", kWords[static_cast<size_t>(what_for)], path), true);
  return false;
}

Result<bool> Remover::make_way_for_backup(const std::string& path, const io::Dir& dir, io::Leaf leaf, uint32_t mode,
                                          const FilterScope& above) {
  if (terms_.options.one_file_system > 0)
    if (const auto self = dir.self()) file_system_ = self->dev;
  const Manner manner{.recurse = true, .making_room = true, .for_backup = true, .above = &above};
  const bool gone = remove(path, dir, leaf, mode, manner) == Outcome::kGone;
  TRY(check());
  return gone;
}

Status Remover::delete_item(const std::string& path, const io::Dir& dir, io::Leaf leaf, const io::FileInfo& here) {
  const Manner manner{.recurse = terms_.options.delete_any || terms_.options.force_delete};
  remove(path, dir, leaf, here.mode, manner);
  return check();
}

void Remover::close() {
  if (const int64_t skipped = backups_.limit().skipped(); skipped > 0) {
    terms_.reporter.warning_line(fmt::format("Deletions stopped due to --max-delete limit ({} skipped)", skipped));
    terms_.reporter.state().io_error |= 4;
  }
}

}  // namespace ocsync::sync
