#include "libio/os/trusted_walk.h"

#include <fcntl.h>
#include <unistd.h>

#include "libio/os/file_info.h"
#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

constexpr int kPassThrough = O_PATH | O_DIRECTORY;

// A directory that may be searched but not read is still good for everything except listing.
Result<Fd> reopen(int dir) {
  Result<Fd> fd = sys::open_at(dir, ".", O_RDONLY | O_DIRECTORY);
  return fd || fd.error().sys != EACCES ? std::move(fd) : sys::open_at(dir, ".", kPassThrough);
}

bool all_digits(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == text.npos; }

// /proc, /proc/PID and /proc/PID/fd lead to our own descriptors, which others hand to us in place of paths; nothing is
// opened there.
bool leads_to_descriptors(std::string_view path) {
  constexpr std::string_view kProc = "/proc";
  if (path == kProc) return true;
  if (!path.starts_with("/proc/")) return false;
  path.remove_prefix(kProc.size() + 1);
  const size_t slash = path.find('/');
  return all_digits(path.substr(0, slash)) && (slash == path.npos || path.substr(slash) == "/fd");
}

bool on_proc(int fd) { return sys::file_system_kind(fd) == sys::kProcFileSystem; }

bool is_or_is_below(std::string_view path, std::string_view above) {
  return path.starts_with(above) && (path.size() == above.size() || path[above.size()] == '/');
}

Error outside() { return Error(ELOOP); }

}  // namespace

bool lies_within(int fd, int ceiling) {
  const Result<FileInfo> top = sys::stat_fd(ceiling);
  if (!top) return false;
  // Upwards by "..", which no symlink can divert: the ceiling comes, or the root of everything.
  constexpr int kMostLevels = 4096;
  Fd here;
  int at = fd;
  Result<FileInfo> info = sys::stat_fd(at);
  for (int i = 0; i < kMostLevels && info; ++i) {
    if (info->dev == top->dev && info->ino == top->ino) return true;
    Result<Fd> up = sys::open_at(at, "..", O_PATH | O_DIRECTORY);
    if (!up) return false;
    const Result<FileInfo> above = sys::stat_fd(up->get());
    if (!above || (above->dev == info->dev && above->ino == info->ino)) return false;
    info = above;
    here = *std::move(up);
    at = here.get();
  }
  return false;
}

Result<Fd> TrustedWalk::directory() {
  TRY(begin());
  while (path_.next(name_)) TRY(descend());
  Fd end = TRY(reopen(at_.get()));
  TRY(check_inside(end.get()));
  return end;
}

Result<Fd> TrustedWalk::parent(std::string& leaf) {
  TRY(begin());
  while (path_.next(name_)) {
    if (path_.at_last() && name_ != "." && name_ != "..") {
      leaf = name_;
      const std::string here = reached_;
      TRY(step(leaf));
      // On the way down to the root there is nothing yet that could be inside.
      if (!is_or_is_below(trust_.within, reached_)) TRY(check_inside(at_.get()));
      reached_ = here;
      return std::move(at_);
    }
    TRY(descend());
  }
  leaf = ".";
  TRY(check_inside(at_.get()));
  return std::move(at_);
}

Result<Fd> TrustedWalk::file(int flags, uint32_t mode) {
  TRY(begin());
  while (path_.next(name_)) {
    if (!path_.at_last()) {
      TRY(descend());
      continue;
    }
    const auto there = trust_.confines() ? sys::stat_at(at_.get(), name_.c_str(), AT_SYMLINK_NOFOLLOW) : fail(Error());
    if (!there || !there->is_symlink()) {
      if (trust_.confines()) {
        // Nothing may be created or emptied before it is known where it is.
        TRY(step(name_));
        TRY(check_inside(at_.get()));
      }
      if (trust_.ceiling >= 0 && !lies_within(at_.get(), trust_.ceiling)) return fail(outside());
      Result<Fd> opened = sys::open_at(at_.get(), name_.c_str(), flags | O_NOFOLLOW, mode);
      if (opened || opened.error().sys != ELOOP || trust_.confines()) return opened;
    }
    const Result<bool> magic = follow();
    if (!magic) return fail(magic.error());
    if (*magic && trust_.ceiling >= 0) return fail(outside());
    if (*magic) return sys::open_at(at_.get(), name_.c_str(), flags, mode);
  }
  TRY(check_inside(at_.get()));
  if (trust_.ceiling >= 0 && !lies_within(at_.get(), trust_.ceiling)) return fail(outside());
  return sys::open_at(at_.get(), ".", flags, mode);
}

Status TrustedWalk::begin() {
  static_assert(kCurrent == AT_FDCWD);
  at_ = TRY(sys::open_at(start_, path_.absolute() ? "/" : ".", kPassThrough));
  if (!trust_.confines() || path_.absolute()) return {};
  // The kernel's own name for it: what somebody typed to get here may go by symlinks.
  reached_ = TRY(sys::read_link(AT_FDCWD, ("/proc/self/fd/" + std::to_string(at_.get())).c_str()));
  if (!reached_.starts_with('/')) return fail(outside());
  if (reached_ == "/") reached_.clear();
  return {};
}

Status TrustedWalk::descend() {
  Result<Fd> next = sys::open_at(at_.get(), name_.c_str(), kPassThrough | O_NOFOLLOW);
  if (!next && next.error().sys == ENOTDIR) {
    const bool magic = TRY(follow());
    if (!magic) return {};
    at_ = TRY(sys::open_at(at_.get(), name_.c_str(), kPassThrough));
    return {};
  }
  at_ = TRY(std::move(next));
  return step(name_);
}

// Puts the target of the link name_ in front of what is left. True instead if it is one of the links below
// /proc/PID/fd, which are our own descriptors and lead to them better than their text does (a pipe has no path).
Result<bool> TrustedWalk::follow() {
  // By name, before it is touched at all; then what was opened, which may be another one by now.
  const FileInfo named = TRY(sys::stat_at(at_.get(), name_.c_str(), AT_SYMLINK_NOFOLLOW));
  TRY(judge(named));
  const Fd link = TRY(sys::open_at(at_.get(), name_.c_str(), O_PATH | O_NOFOLLOW));
  const FileInfo opened = TRY(sys::stat_fd(link.get()));
  TRY(judge(opened));
  if (++hops_ > kMaxLinkHops) return fail(Error(ELOOP));
  const std::string target = TRY(sys::read_link(link.get(), ""));
  if (all_digits(name_) && on_proc(at_.get())) {
    if (trust_.confines()) {
      // It counts as what it points at; what has no path cannot be inside.
      if (!target.starts_with('/')) return fail(outside());
      reached_ = target;
      if (!is_or_is_below(reached_, trust_.within)) return fail(outside());
    }
    return true;
  }
  path_.follow(target);
  if (target.starts_with('/')) {
    at_ = TRY(sys::open_at(AT_FDCWD, "/", kPassThrough));
    reached_.clear();
  }
  return false;
}

Status TrustedWalk::judge(const FileInfo& link) const {
  if (!link.is_symlink()) return fail(Error(ENOTDIR));
  if (trust_.any_owner || link.uid == 0 || link.uid == ::geteuid()) return {};
  return fail(Fault::kSystem,
              "refusing to follow the symlink \"" + name_ + "\" in \"" + shown_ + "\": it belongs to user " +
                  std::to_string(link.uid),
              ELOOP);
}

// One component further; fails as soon as the way parts from the one to the root.
Status TrustedWalk::step(const std::string& component) {
  if (!trust_.confines() || component == ".") return {};
  if (component == "..") {
    reached_.resize(std::min(reached_.size(), reached_.rfind('/')));
    if (reached_.find('/') == reached_.npos) reached_.clear();
  } else {
    (reached_ += '/') += component;
  }
  if (is_or_is_below(reached_, trust_.within) || is_or_is_below(trust_.within, reached_) || reached_.empty() ||
      leads_to_descriptors(reached_))
    return {};
  return fail(outside());
}

// By identity, whatever was renamed while we walked.
Status TrustedWalk::check_inside(int dir) const {
  if (!trust_.confines()) return {};
  const Result<Fd> root = sys::open_at(AT_FDCWD, trust_.within.c_str(), kPassThrough);
  if (!root || !lies_within(dir, root->get())) return fail(outside());
  return {};
}

}  // namespace ocsync::io
