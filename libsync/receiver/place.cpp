#include "libsync/receiver/place.h"

#include <fmt/format.h>

#include "libio/os/copy.h"
#include "libsync/list/named_dir.h"
#include "libsync/list/paths.h"
#include "libsync/meta/apply.h"
#include "libsync/meta/read.h"

namespace ocsync::sync {

// The directory of partial files, made anew where something else (a symlink, too) stands in its place. False: it was
// there.
Result<bool> Placer::make_partial_dir(const io::Dir& parent, const std::string& name) {
  const io::Leaf leaf = TRY(io::Leaf::check(name));
  if (const auto there = parent.info(leaf); there && there->is_dir())
    return false;
  else if (there)
    TRY(parent.unlink(leaf));
  if (const Status made = parent.make_dir(leaf, 0700); !made) {
    if (made.error().sys != EEXIST) return fail(made.error());
    return false;
  }
  return true;
}

// Part of a relative partial directory's path comes from the far side, which may have planted a link there: what lies
// outside the destination is nothing to build on, and nothing to remove afterwards.
Result<Placer::Partial> Placer::partial_basis(const std::string& path) {
  Partial out = TRY(partial_place(path, false));
  if (terms_.options.partial_dir[0] != '/' && !out.dir->is_within(destination_.root()->fd()))
    return fail(Error(ENOENT));
  return out;
}

Result<Placer::Partial> Placer::partial_place(const std::string& path, bool make) {
  std::string setting = terms_.options.partial_dir;
  if (setting.empty()) return fail(Error(ENOENT));
  while (setting.size() > 1 && setting.back() == '/') setting.pop_back();
  Partial out;
  out.leaf = leaf_of_path(path);
  if (setting[0] == '/') {
    if (make) {
      const io::Dir::Place place = TRY(named_parent(setting, terms_.options));
      if (place.leaf != ".") TRY(make_partial_dir(place.dir, place.leaf));
    }
    out.dir = std::make_shared<const io::Dir>(TRY(open_named_dir(setting, terms_.options)));
    out.path = join_path(setting, out.leaf);
    return out;
  }
  const std::string relative = join_path(dir_of_path(path), setting);
  const auto base = TRY(destination_.dir(dir_of_path(path)));
  if (make) {
    const auto parent = TRY(destination_.dir(dir_of_path(relative)));
    if (TRY(make_partial_dir(*parent, std::string(leaf_of_path(relative))))) partial_dirs_.insert(relative);
  }
  out.dir = std::make_shared<const io::Dir>(TRY(open_named_below(*base, setting, terms_.options)));
  out.path = join_path(relative, out.leaf);
  return out;
}

void Placer::drop_partial_dir(const std::string& path) {
  const std::string& setting = terms_.options.partial_dir;
  if (setting.empty() || setting[0] == '/') return;
  std::string relative = join_path(dir_of_path(path), setting);
  while (relative.size() > 1 && relative.back() == '/') relative.pop_back();
  const auto parent = destination_.dir(dir_of_path(relative));
  const std::string name(leaf_of_path(relative));
  const auto leaf = io::Leaf::check(name);
  if (parent && leaf && (*parent)->remove_dir(*leaf)) destination_.forget(relative);
}

// The partial file that content continues. In directories that everybody may write to, the kernel can refuse to open a
// file of somebody else as one to be made (fs.protected_regular); then it is opened as one that exists, but by the
// directory's name again: what was looked at before may have been replaced.
Result<io::File> Placer::open_partial(Output& out, const Request& request) {
  const io::Leaf leaf = TRY(io::Leaf::check(out.leaf));
  auto file = out.dir->open_or_create(leaf, 0600);
  if (file || file.error().sys != EACCES) return file;
  const auto place = partial_place(request.path, false);
  if (!place) return fail(Error(ELOOP));
  out.dir = place->dir;
  return out.dir->open_write(leaf);
}

// Nobody else may read a hidden file before its owner is right; where that is so from the start, it gets its final
// permissions when it is made.
uint32_t Placer::mode_to_create(const std::shared_ptr<const io::Dir>& dir, const Request& request) const {
  // A stand-in (--fake-super) must be ours to work with, whatever it stands for.
  const uint32_t cautious = (request.mode | (terms_.options.fake_super ? S_IRUSR | S_IWUSR : S_IWUSR)) & 0700;
  const Options& o = terms_.options;
  if (fresh_.dir != dir || !fresh_.steady || o.fake_super || o.acls || o.xattrs > 0 || terms_.module_modes)
    return cautious;
  if ((request.mode & 07777) != (request.mode & 0777) || !(request.mode & S_IWUSR)) return cautious;
  if (o.owner && terms_.may_chown && fresh_.info.uid != request.entry->uid) return cautious;
  if (o.group && !request.entry->has(kGroupUnsettable) && fresh_.info.gid != request.entry->gid) return cautious;
  return request.mode & 0777;
}

void Placer::learn_fresh(const std::shared_ptr<const io::Dir>& dir, uint32_t asked_mode, Output& out) {
  const Options& o = terms_.options;
  if (o.fake_super || o.acls || o.xattrs > 0 || o.atimes > 0) return;
  const bool known_dir = fresh_.dir == dir;
  if (!known_dir) {
    const auto self = dir->self();
    fresh_ = Fresh{.dir = dir, .steady = self && (self->uid == 0 || self->uid == terms_.our_uid)};
  }
  if (!fresh_.steady) return;
  if (!known_dir || fresh_.asked_mode != asked_mode) {
    const auto info = out.file().info();
    if (!info) {
      fresh_ = Fresh{};
      return;
    }
    fresh_.info = *info;
    fresh_.asked_mode = asked_mode;
  }
  out.made = fresh_.info;
}

// Where the hidden file `name` lies: below the destination, or absolute.
std::string Placer::temp_path(const Request& request, std::string_view name) const {
  const std::string& temp_dir = terms_.options.temp_dir;
  return join_path(temp_dir.empty() ? dir_of_path(request.path) : temp_dir, name);
}

std::string Placer::shown_temp(const Request& request, std::string_view name) const {
  const std::string path = temp_path(request, name);
  return path.starts_with('/') ? fmt::format("\"{}\"", path) : destination_.shown(path);
}

std::string Placer::shown_output(const Request& request, const Output& output) const {
  return output.temp ? shown_temp(request, output.temp->name()) : destination_.shown(request.path);
}

void Placer::say_no_temp(const Request& request, int error) {
  const std::string name = terms_.options.temp_dir.empty() ? "." + request.leaf : request.leaf;
  terms_.reporter.error_transfer(role_, fmt::format("mkstemp {} failed", shown_temp(request, name + ".XXXXXX")), error);
}

std::optional<Output> Placer::open(const Request& request) {
  const Options& o = terms_.options;
  if (!request.dir) {  // it was there when the list said so, and has gone
    if (const std::string_view dir = dir_of_path(request.path); !o.perms && std::exchange(missing_dir_, dir) != dir)
      say_no_default_perms(dir, ENOENT, terms_);
    if (o.inplace || terms_.append || terms_.append_verify)
      terms_.reporter.error_transfer(role_, fmt::format("open {} failed", destination_.shown(request.path)), ENOENT);
    else
      say_no_temp(request, ENOENT);
    return std::nullopt;
  }
  if (!o.partial_dir.empty() && (!request.basis || request.basis.type == proto::kBasisTarget)) {
    // A directory for partial files may have taken the name since the file was asked for.
    const auto name = io::Leaf::check(request.leaf);
    if (const auto there = name ? request.dir->info(*name) : Result<io::FileInfo>(fail(name.error()));
        there && there->is_dir()) {
      terms_.reporter.error_line(fmt::format("recv_files: {} is a directory", destination_.shown(request.path)), true);
      return std::nullopt;
    }
  }
  Output out;
  const bool append = terms_.append || terms_.append_verify;
  out.partial_in_place =
      request.basis.type == proto::kBasisPartialDir && request.basis && terms_.agreed.inplace_partial;
  out.in_place = o.inplace || append || out.partial_in_place;
  if (out.in_place) {
    out.dir = out.partial_in_place ? request.basis.dir : request.dir;
    out.leaf = out.partial_in_place ? request.basis.leaf : request.leaf;
    const auto leaf = io::Leaf::check(out.leaf);
    if (!leaf) return std::nullopt;
    auto file = out.partial_in_place ? open_partial(out, request) : out.dir->open_update(*leaf);
    if (!file && file.error().sys == ENOENT) file = out.dir->create(*leaf, 0600);
    if (!file && file.error().sys == EACCES) {
      // Permission is lent just long enough to open the file.
      constexpr uint32_t kBoth = S_IRUSR | S_IWUSR;
      if (const auto info = out.dir->info(*leaf);
          info && info->is_regular() && (info->permissions() & kBoth) != kBoth) {
        (void)out.dir->set_mode(*leaf, info->permissions() | kBoth);
        file = out.dir->open_update(*leaf);
        (void)out.dir->set_mode(*leaf, info->permissions());
      }
    }
    if (!file) {
      terms_.reporter.error_transfer(role_, fmt::format("open {} failed", destination_.shown(request.path)),
                                     file.error().sys);
      return std::nullopt;
    }
    out.direct = std::move(*file);
    if (o.write_devices)
      if (const auto info = out.direct.info()) out.device = info->is_device();
    return out;
  }
  std::shared_ptr<const io::Dir> dir = request.dir;
  if (!o.temp_dir.empty()) {
    if (!temp_dir_) {
      const std::string path = o.temp_dir[0] == '/' ? o.temp_dir : join_path(destination_.absolute(), o.temp_dir);
      auto opened = o.operators_temp_dir ? io::Dir::open_trusted(path, o.insecure_links) : open_named_dir(path, o);
      if (!opened) {
        terms_.reporter.error_transfer(role_, fmt::format("cannot open temp-dir \"{}\"", o.temp_dir),
                                       opened.error().sys);
        return std::nullopt;
      }
      temp_dir_ = std::make_shared<const io::Dir>(std::move(*opened));
    }
    dir = temp_dir_;
  }
  const uint32_t asked_mode = mode_to_create(dir, request);
  auto temp = io::TempFile::create(*dir, request.leaf, asked_mode, !o.temp_dir.empty());
  if (!temp) {
    say_no_temp(request, temp.error().sys);
    return std::nullopt;
  }
  out.leaf = request.leaf;
  out.temp.emplace(std::move(*temp));
  learn_fresh(dir, asked_mode, out);
  out.dir = std::move(dir);
  return out;
}

// Renames the hidden file onto the target; across file systems (--temp-dir) through a hidden file beside the target.
bool Placer::move_into_place(io::TempFile& temp, const Request& request) {
  const auto leaf = io::Leaf::check(request.leaf);
  if (terms_.reporter.traces(Debug::kRecv, 1))
    terms_.reporter.trace(Debug::kRecv, 1, "renaming {} to {}", temp_path(request, temp.name()), request.path);
  if (!leaf) return false;
  Status moved = temp.commit(*request.dir, *leaf);
  if (!moved && moved.error().sys == ETXTBSY) {
    // A running program cannot be replaced on some systems: it steps aside.
    const std::string aside_name = io::temp_name(request.leaf);
    if (const auto aside = io::Leaf::check(aside_name); aside && request.dir->rename(*leaf, *request.dir, *aside)) {
      terms_.reporter.info_line_if(Info::kMisc, 1,
                                   fmt::format("renaming {} to {} because of text busy", request.path, aside_name));
      moved = temp.commit(*request.dir, *leaf);
    }
  }
  if (!moved && moved.error().sys == EXDEV) {
    const auto info = temp.file().info();
    auto second = io::TempFile::create(*request.dir, request.leaf, 0600);
    if (info && second) {
      const auto copied = io::copy_content(temp.file(), second->file(), info->size, {}, terms_.stop);
      if (copied) {
        if (auto now = second->file().info())
          apply_attributes(*request.entry, request.mode, Object::opened(second->file()), *now, terms_, role_,
                           destination_.shown(request.path), {.exact_times = true, .xattrs = values_known()});
        moved = second->commit(*request.dir, *leaf);
        if (moved) temp.discard();
      } else {
        moved = fail(copied.error());
      }
    } else {
      moved = fail(second ? info.error() : second.error());
    }
  }
  if (!moved) {
    terms_.reporter.error_transfer(
        role_, fmt::format("rename {} -> \"{}\"", shown_temp(request, temp.name()), request.path), moved.error().sys);
    return false;
  }
  return true;
}

// Content that is not (yet) to be under its name goes to the partial directory, or with plain --partial under its name.
bool Placer::keep_partial(Output& output, const Request& request, bool verified) {
  auto now = output.file().info();
  if (!now) return false;
  const auto shown = [&] { return shown_output(request, output); };
  if (verified) {
    apply_attributes(*request.entry, request.mode, Object::opened(output.file()), *now, terms_, role_, shown,
                     {.exact_times = true, .xattrs = values_known()});
  } else {
    // What is incomplete must never look up to date.
    apply_attributes(*request.entry, request.mode, Object::opened(output.file()), *now, terms_, role_, shown,
                     {.times = false, .xattrs = values_known()});
    if (terms_.options.partial_dir.empty()) (void)output.file().set_times(std::nullopt, {0, 0});
  }
  if (output.in_place) return true;
  if (terms_.options.partial_dir.empty()) return move_into_place(*output.temp, request);
  const auto place = partial_place(request.path, true);
  if (!place) return false;
  const auto leaf = io::Leaf::check(place->leaf);
  return leaf && output.temp->commit(*place->dir, *leaf).has_value();
}

Placed Placer::finish(Output output, const Request& request, bool verified) {
  const Options& o = terms_.options;
  const auto shown = [&] { return shown_output(request, output); };
  if (!verified && !(output.in_place && !output.partial_in_place)) {
    if (output.partial_in_place) return Placed::kFailed;  // stays where it was
    if (o.partial && !o.partial_dir.empty()) {
      keep_partial(output, request, false);
    } else if (o.partial) {
      keep_partial(output, request, false);
    }
    return Placed::kFailed;
  }
  if (o.fsync) (void)output.file().sync();
  if (output.in_place && !output.partial_in_place) {
    terms_.reporter.trace(Debug::kRecv, 1, "finishing {}", request.path);
    if (auto now = output.file().info())
      apply_attributes(*request.entry, request.mode, Object::opened(output.file()), *now, terms_, role_, shown,
                       {.times = verified, .exact_times = true, .xattrs = values_known()});
    return verified ? Placed::kInPlace : Placed::kFailed;
  }
  if (o.delay_updates && !request.redo && !request.from_alternate) {
    const auto place = partial_place(request.path, true);
    if (!place) {
      // It counts, although rsync ends with 0: the file is not there.
      terms_.reporter.error_line(
          fmt::format("Unable to create partial-dir for {} -- discarding completed file.", request.path), true);
      return Placed::kFailed;
    }
    if (!keep_partial(output, request, true)) return Placed::kFailed;
    delayed_.push_back(Delayed{request});
    return Placed::kDelayed;
  }
  const auto leaf = io::Leaf::check(request.leaf);
  if (!leaf) return Placed::kFailed;
  // Whatever has the name by now: it may be the backup of another file.
  if (o.backup && !request.from_alternate && !request.redo) {
    const auto made = backups_.make(request.path, *request.dir, *leaf, true);
    if (!made) {
      // Without its backup the old version must not go: rsync's users count on the run ending here.
      fatal_ = made.error().fault == Fault::kUsage
                   ? made.error()
                   : Error(Fault::kFileIo, made.error().text, made.error().text.empty() ? 0 : made.error().sys);
      if (!o.partial_dir.empty()) abandon(std::move(output), request);  // with --partial the old version has the name
      return Placed::kFailed;
    }
  }
  auto now = output.made ? Result<io::FileInfo>(*output.made) : output.file().info();
  if (!now) {
    terms_.reporter.error_transfer(role_, fmt::format("fstat {} failed", shown()), now.error().sys);
    return Placed::kFailed;
  }
  apply_attributes(*request.entry, request.mode, Object::opened(output.file()), *now, terms_, role_, shown,
                   {.exact_times = true, .xattrs = values_known(), .just_written = output.made.has_value()});
  if (output.partial_in_place) {
    const auto from = io::Leaf::check(output.leaf);
    if (!from) return Placed::kFailed;
    if (const Status moved = output.dir->rename(*from, *request.dir, *leaf); !moved) {
      terms_.reporter.error_transfer(
          role_, fmt::format("rename {} -> \"{}\"", destination_.shown(request.basis.path), request.path),
          moved.error().sys);
      return Placed::kFailed;
    }
    drop_partial_dir(request.path);
    return Placed::kInPlace;
  }
  if (!move_into_place(*output.temp, request)) return Placed::kFailed;
  if (request.basis.type == proto::kBasisPartialDir && request.basis) {
    if (const auto old = io::Leaf::check(request.basis.leaf)) (void)request.basis.dir->unlink(*old);
    drop_partial_dir(request.path);
  }
  return Placed::kInPlace;
}

void Placer::abandon(Output output, const Request& request) {
  if (!terms_.options.partial || !output.has_literal_data || output.in_place) return;
  keep_partial(output, request, false);
}

void Placer::place_delayed(const std::function<void(const Request& request)>& placed) {
  for (Delayed& item : delayed_) {
    const Request& request = item.request;
    const auto place = partial_place(request.path, false);
    const auto leaf = io::Leaf::check(request.leaf);
    if (!place || !leaf) continue;
    const auto from = io::Leaf::check(place->leaf);
    if (!from) continue;
    if (terms_.options.backup) {  // whatever took the name in the meantime
      const auto made = backups_.make(request.path, *request.dir, *leaf, true);
      if (!made && !made.error().text.empty())
        terms_.reporter.error_transfer(role_, made.error().text, 0);  // what is not told yet
      if (!made) continue;
    }
    terms_.reporter.trace(Debug::kRecv, 1, "renaming {} to {}", place->path, request.path);
    if (const Status moved = place->dir->rename(*from, *request.dir, *leaf); !moved) {
      terms_.reporter.error_transfer(
          role_, fmt::format("rename failed for {} (from {})", destination_.shown(request.path), place->path),
          moved.error().sys);
      continue;
    }
    drop_partial_dir(request.path);
    placed(request);
  }
  delayed_.clear();
}

}  // namespace ocsync::sync
