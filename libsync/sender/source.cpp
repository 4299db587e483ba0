#include "libsync/sender/source.h"

#include <fmt/format.h>

#include "libio/os/xattrs.h"
#include "libsync/list/paths.h"

namespace ocsync::sync {

SourceView::SourceView(const Terms& terms, const Scanner& scanner) : terms_(terms), scanner_(scanner) {
  const Follow follow = source_follow(terms.options);
  follows_ = follow == Follow::kAnywhere;
  for (uint32_t i = 0; i < scanner.root_count(); ++i)
    caches_.push_back(std::make_unique<DirCache>(scanner.root(i).dir, follow));
}

Result<std::shared_ptr<const io::Dir>> SourceView::dir(const Entry& entry) {
  DirCache& cache = *caches_[Scanner::root_of(entry)];
  std::string_view path = entry.dir_view();
  while (path.starts_with("/")) path.remove_prefix(1);
  return cache.open(path);
}

Result<io::File> SourceView::open(const Entry& entry) {
  const auto where = TRY(dir(entry));
  const io::Leaf leaf = TRY(io::Leaf::check(entry.leaf()));
  const bool no_atime = terms_.options.open_noatime || terms_.options.atimes > 1;
  if (follows_) {
    auto file = where->open_read(leaf, no_atime);
    if (file || file.error().sys != ELOOP) return file;
    // The kernel counts the links of a whole path; ours may have been gone through in part when the directory was
    // opened.
    if (!entry.dir_view().empty() && caches_[Scanner::root_of(entry)]->too_many_links(entry.path()))
      return fail(Error(ELOOP));
    return where->open_read_following(leaf);
  }
  return where->open_read(leaf, no_atime);
}

Result<std::string> SourceView::read_xattr(const Entry& entry, const std::string& name) {
  const auto value_of = [&](const io::Xattrs& xattrs) -> Result<std::string> {
    auto value = TRY(xattrs.get(name));
    if (!value) return fail(Error(ENODATA));
    return std::move(*value);
  };
  const auto where = TRY(dir(entry));
  if (entry.is_root()) return value_of(io::Xattrs(*where));
  const io::Leaf leaf = TRY(io::Leaf::check(entry.leaf()));
  if (follows_ && !entry.is_symlink()) {
    if (const auto info = where->info(leaf); info && info->is_symlink()) {
      const io::File file = TRY(where->open_read_following(leaf));
      return value_of(io::Xattrs(file));
    }
  }
  return value_of(io::Xattrs(*where, leaf));
}

std::string SourceView::full_path(const Entry& entry) const {
  const std::string& typed = scanner_.root(Scanner::root_of(entry)).typed;
  const std::string path = entry.path();
  if (typed.empty() || path.starts_with("/")) return path;
  return typed + (typed.ends_with("/") ? "" : "/") + path;
}

std::string SourceView::shown(const Entry& entry) const {
  return scanner_.shown(Scanner::root_of(entry), entry.path());
}

// Whatever is followed for reading: a source is not removed through a symlink that leads out of the directory it stands
// in, for what it leads to may be anybody's. A module's links are confined already, and --insecure-links asks for the
// old ways.
Result<std::shared_ptr<const io::Dir>> SourceView::dir_to_remove_from(const Entry& entry) {
  const Options& o = terms_.options;
  if (entry.dir_view().empty() || !o.module_name.empty() || o.insecure_links) return dir(entry);
  const uint32_t root = Scanner::root_of(entry);
  std::string path(entry.dir_view());
  if (emptied_ && emptied_root_ == root && emptied_path_ == path) return emptied_;
  std::shared_ptr<const io::Dir> here = scanner_.root(root).dir;
  if (path.starts_with("/")) {
    here = std::make_shared<const io::Dir>(TRY(here->beneath(path.substr(path.find_first_not_of('/')))));
  } else {
    for (size_t at = 0; at < path.size();) {
      const size_t end = std::min(path.find('/', at), path.size());
      here = std::make_shared<const io::Dir>(TRY(here->beneath(path.substr(at, end - at))));
      at = end + 1;
    }
  }
  emptied_ = std::move(here);
  emptied_path_ = std::move(path);
  emptied_root_ = root;
  return emptied_;
}

void SourceView::remove(const Entry& entry, const std::optional<proto::SuccessMessage::Place>& arrived) {
  const std::string name = entry.path();
  const auto where = dir_to_remove_from(entry);
  const auto leaf = io::Leaf::check(entry.leaf());
  if (!where) {
    const int error = where.error().sys == EXDEV ? ELOOP : where.error().sys;
    if (error == ENOENT)
      terms_.reporter.info_line(fmt::format("sender file already removed: {}", name));
    else
      terms_.reporter.error_transfer(Role::kSender, fmt::format("sender failed to secure-open-parent {}", name), error);
    return;
  }
  if (!leaf) return;
  const auto info = terms_.options.copy_links ? (*where)->info_following(*leaf) : (*where)->info(*leaf);
  if (!info) {
    if (info.error().sys == ENOENT)
      terms_.reporter.info_line(fmt::format("sender file already removed: {}", name));
    else
      terms_.reporter.error_transfer(Role::kSender, fmt::format("sender failed to re-lstat {}", name),
                                     info.error().sys);
    return;
  }
  if (arrived && arrived->dev == info->dev && arrived->ino == info->ino) {
    terms_.reporter.sender_error_line(fmt::format("ERROR: Skipping sender remove of destination file: {}", name));
    return;
  }
  // Of what a followed link led to, the link itself says another size.
  const bool same = (info->is_device() || static_cast<int64_t>(info->size) == entry.size) &&
                    info->mtime.sec == entry.mtime && (entry.nsec == 0 || info->mtime.nsec == entry.nsec);
  if (!same) {
    terms_.reporter.sender_error_line(fmt::format("ERROR: Skipping sender remove for changed file: {}", name));
    return;
  }
  if (const Status gone = (*where)->unlink(*leaf); !gone) {
    if (gone.error().sys == ENOENT)
      terms_.reporter.info_line(fmt::format("sender file already removed: {}", name));
    else
      terms_.reporter.error_transfer(Role::kSender, fmt::format("sender failed to remove {}", name), gone.error().sys);
    return;
  }
  terms_.reporter.info_line_if(Info::kRemove, 1, fmt::format("sender removed {}", name));
}

}  // namespace ocsync::sync
