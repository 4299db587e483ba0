#include "libsync/receiver/destination.h"

#include "libio/os/components.h"
#include "libio/os/identity.h"
#include "libsync/list/named_dir.h"
#include "libsync/list/paths.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <climits>
#include <cstring>

namespace ocsync::sync {

Result<std::shared_ptr<const io::Dir>> DirCache::open(std::string_view path) {
  if (!root_) return fail(Error(ENOENT));  // a dry run did not make the destination
  if (path.empty() || path == ".") return root_;
  // The one asked for last stands in front: nearly always it is wanted again.
  for (Slot& slot : slots_)
    if (slot.path == path) {
      slot.used = ++clock_;
      std::swap(slot, slots_.front());
      return slots_.front().dir;
    }
  const std::string text(path);
  auto found = root_->beneath(text);
  int links = 0;
  // Links that lead on and on end where the kernel ends them.
  if (!found && follow_ == Follow::kAnywhere && found.error().sys != ELOOP) found = walk(path, links);
  auto dir = std::make_shared<const io::Dir>(TRY(std::move(found)));
  if (slots_.size() >= capacity_) {
    size_t oldest = 0;
    for (size_t i = 1; i < slots_.size(); ++i)
      if (slots_[i].used < slots_[oldest].used) oldest = i;
    slots_[oldest] = Slot{text, dir, ++clock_, links};
    std::swap(slots_[oldest], slots_.front());
  } else {
    slots_.push_back(Slot{text, dir, ++clock_, links});
    std::swap(slots_.back(), slots_.front());
  }
  return dir;
}

Result<io::Dir> DirCache::walk(std::string_view path, int& links) const {
  io::Dir here = TRY(root_->duplicate());
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string part(path.substr(at, end - at));
    at = end + 1;
    const io::Leaf leaf = TRY(io::Leaf::check(part));
    auto next = here.child(leaf);
    if (!next && (next.error().sys == ELOOP || next.error().sys == ENOTDIR)) {
      // One by one they would lead on for ever.
      if (++links > io::kMaxLinkHops) return fail(Error(ELOOP));
      next = here.child_following(leaf);
    }
    here = TRY(std::move(next));
  }
  return here;
}

bool DirCache::too_many_links(std::string_view path) const {
  const std::string_view above = dir_of_path(path);
  for (const Slot& slot : slots_)
    if (slot.path == above && slot.links > 0) return slot.links >= io::kMaxLinkHops;
  const auto whole = root_->beneath(std::string(path));
  return !whole && whole.error().sys == ELOOP;
}

void DirCache::forget(std::string_view path) {
  std::erase_if(slots_, [&](const Slot& slot) { return slot.path == path || is_below(slot.path, path); });
}

std::string absolute_path(std::string_view path) {
  std::string whole;
  if (path.empty() || path[0] != '/') {
    whole = io::working_directory();
    whole += '/';
  }
  whole += path;
  std::string out;
  size_t i = 0;
  while (i < whole.size()) {
    while (i < whole.size() && whole[i] == '/') ++i;
    const size_t end = std::min(whole.find('/', i), whole.size());
    const std::string_view part(whole.data() + i, end - i);
    if (!part.empty() && part != ".") (out += '/') += part;
    i = end;
  }
  return out.empty() ? "/" : out;
}

Destination::Destination(const Destination& other, int)
    : options_(other.options_),
      absolute_(other.absolute_),
      solo_name_(other.solo_name_),
      missing_(other.missing_),
      created_(other.created_),
      follow_(other.follow_),
      cache_(std::make_unique<DirCache>(other.root(), other.follow_)) {}

std::optional<proto::SuccessMessage::Place> Destination::arrived(std::string_view path) {
  const auto where = dir(dir_of_path(path));
  const std::string name(leaf_of_path(path));
  const auto leaf = io::Leaf::check(name);
  if (!where || !leaf) return std::nullopt;
  const auto info = (*where)->info_following(*leaf);
  if (!info) return std::nullopt;
  return proto::SuccessMessage::Place{info->dev, info->ino};
}

std::string Destination::shown(std::string_view path) const {
  return full_name(absolute_, path.empty() ? "." : path, *options_);
}

namespace {

// mkdir -p for an operator's path; returns how many directories were made, or would be.
Result<int> make_path(const std::string& path, bool drop_last, bool only_count, const Options& options) {
  std::string whole = path;
  while (whole.size() > 1 && whole.back() == '/') whole.pop_back();
  if (drop_last) {
    const size_t slash = whole.rfind('/');
    if (slash == std::string::npos) return 0;
    if (path.back() != '/') whole.resize(slash == 0 ? 1 : slash);
  }
  int made = 0;
  for (size_t at = whole[0] == '/' ? 1 : 0; at != std::string::npos && at < whole.size();) {
    const size_t slash = whole.find('/', at);
    const std::string part = whole.substr(0, slash);
    const Status done = only_count ? Status() : make_named_dir(part, 0777, options);
    if (only_count)
      made += !named_info(part, options);
    else if (done)
      ++made;
    else if (done.error().sys != EEXIST && done.error().sys != EISDIR)
      return fail(done.error());
    at = slash == std::string::npos ? slash : slash + 1;
  }
  return made;
}

}  // namespace

Result<Destination> Destination::open(const Wanted& wanted, const Terms& terms) {
  Options options = terms.options;
  options.confine_root.clear();  // that is about what options name
  Destination out;
  out.options_ = &terms.options;
  out.follow_ = options.insecure_links ? Follow::kAnywhere : Follow::kInside;
  std::string path = wanted.path.empty() ? "." : wanted.path;
  const auto named = [&](const std::string& one) {
    return options.module_name.empty() || one.starts_with('/')
               ? full_name("/", absolute_path(one), options)
               : full_name(absolute_path("."), clean_path(one), options);
  };
  const bool trailing_slash = path.back() == '/';
  const bool announces = options.verbosity.shows(Info::kName) || terms.itemizes();
  auto there = named_info(path, options);

  if (options.mkpath && !there && (path.find('/') != std::string::npos || wanted.entries > 1)) {
    const Result<int> made = make_path(path, !(wanted.entries > 1 && !trailing_slash), options.dry_run, options);
    if (!made) return fail(Fault::kFileIo, fmt::format("mkdir {} failed", named(path)), made.error().sys);
    if (*made > 0 && announces) {
      std::string shown = path;
      if (const size_t slash = shown.rfind('/'); slash != std::string::npos && (wanted.entries == 1 || trailing_slash))
        shown.resize(slash);
      terms.reporter.info_line(fmt::format("created {} director{} for {}", *made, *made == 1 ? "y" : "ies", shown));
    }
    if (*made > 0 && !options.dry_run) {
      there = named_info(path, options);
    }
  }

  const auto enter = [&](const std::string& where, const char* step) -> Status {
    auto dir = open_named_dir(where, options);
    if (!dir) return fail(Fault::kSelect, fmt::format("change_dir#{} {} failed", step, named(where)), dir.error().sys);
    out.absolute_ = absolute_path(where);
    out.cache_ = std::make_unique<DirCache>(std::make_shared<const io::Dir>(std::move(*dir)), out.follow_);
    return {};
  };

  if (there) {
    if (there->is_dir()) {
      TRY(enter(path, "1"));
      return out;
    }
    if (wanted.entries > 1)
      return fail(Fault::kSelect, "ERROR: destination must be a directory when copying more than 1 file");
    if (wanted.entries == 1 && wanted.first_is_dir)
      return fail(Fault::kSelect, "ERROR: cannot overwrite non-directory with a directory");
  } else if (there.error().sys != ENOENT) {
    return fail(Fault::kSelect, fmt::format("ERROR: cannot stat destination {}", named(path)), there.error().sys);
  }

  if (wanted.entries > 1 || trailing_slash) {
    if (there) return fail(Fault::kUsage, "ERROR: destination path is not a directory");
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    const Status made = options.dry_run ? Status() : make_named_dir(path, 0777, options);
    // Nothing is made behind a symlink that could not be followed afterwards.
    if (!made && made.error().sys == ELOOP)
      return fail(Fault::kSelect, fmt::format("change_dir#2 {} failed", named(path)), made.error().sys);
    if (!made) return fail(Fault::kFileIo, fmt::format("mkdir {} failed", named(path)), made.error().sys);
    // In a chroot a client's paths begin at its root.
    if (announces)
      terms.reporter.info_line(
          fmt::format("created directory {}{}", options.module_root == "/" && path[0] != '/' ? "/" : "", path));
    out.created_ = true;
    if (options.dry_run) {
      out.missing_ = true;
      out.absolute_ = absolute_path(path);
      out.cache_ = std::make_unique<DirCache>(nullptr, out.follow_);
      return out;
    }
    TRY(enter(path, "2"));
    return out;
  }

  // One file under a new name.
  const size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  out.solo_name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  if (options.dry_run && options.mkpath && !named_info(parent, options)) {
    out.missing_ = true;
    out.absolute_ = absolute_path(parent);
    out.cache_ = std::make_unique<DirCache>(nullptr, out.follow_);
    return out;
  }
  TRY(enter(parent, "3"));
  return out;
}

}  // namespace ocsync::sync
