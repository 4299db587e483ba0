// Operations of a held directory, and the two ways of resolving a longer path.
#include "libio/os/dir.h"

#include <linux/openat2.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "libio/os/components.h"
#include "libio/os/sys.h"
#include "libio/os/trusted_walk.h"

namespace ocsync::io {
namespace {

// Where most directories fit into one call; larger ones gain nothing measurable beyond it.
constexpr size_t kListBytes = size_t{128} * 1024;

constexpr int kOpenDir = O_RDONLY | O_DIRECTORY;
constexpr int kPassThrough = O_PATH | O_DIRECTORY;

// Content may only be read or written after a look at what was opened; a fifo planted meanwhile must not block us, nor
// a terminal become ours.
constexpr int kCareful = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

// A directory that may be searched but not read is still good for everything except listing.
template <class Open>
Result<Fd> open_dir(Open&& open) {
  Result<Fd> fd = open(kOpenDir);
  if (!fd && fd.error().sys == EACCES)
    if (Result<Fd> path_only = open(kPassThrough)) return path_only;
  return fd;
}
Result<Fd> open_dir_at(int dir, const char* name, int extra_flags) {
  return open_dir([&](int flags) { return sys::open_at(dir, name, flags | extra_flags); });
}

// The same answer as openat2(RESOLVE_BENEATH), for kernels without it and for paths too long for one call. Only the
// identities of the directories passed are kept, so that depth costs no descriptors; ".." must lead to the one we came
// from, whatever was moved meanwhile.
Result<Fd> walk_beneath(int start, const std::string& relative, bool follow_links) {
  struct Identity {
    uint64_t dev, ino;
  };
  Components path(relative);
  if (path.absolute()) return fail(Error(EXDEV));
  std::vector<Identity> passed;
  Fd at;
  const auto here = [&] { return at.valid() ? at.get() : start; };
  int hops = 0;
  std::string name;
  while (path.next(name)) {
    if (name == ".") continue;
    if (name == "..") {
      if (passed.empty()) return fail(Error(EXDEV));
      passed.pop_back();
      if (passed.empty()) {
        at.close();
        continue;
      }
      at = TRY(sys::open_at(here(), "..", kPassThrough));
      const FileInfo info = TRY(sys::stat_fd(at.get()));
      if (info.dev != passed.back().dev || info.ino != passed.back().ino) return fail(Error(EXDEV));
      continue;
    }
    Result<Fd> next = sys::open_at(here(), name.c_str(), kPassThrough | O_NOFOLLOW);
    if (next) {
      const FileInfo info = TRY(sys::stat_fd(next->get()));
      passed.push_back({info.dev, info.ino});
      at = *std::move(next);
      continue;
    }
    if (next.error().sys != ENOTDIR) return next;
    const Result<std::string> target = sys::read_link(here(), name.c_str());
    if (!target) return fail(Error(target.error().sys == EINVAL ? ENOTDIR : target.error().sys));
    if (!follow_links || ++hops > kMaxLinkHops) return fail(Error(ELOOP));
    if (target->starts_with('/')) return fail(Error(EXDEV));
    path.follow(*target);
  }
  return open_dir_at(here(), ".", 0);
}

Result<Fd> open_beneath(int dir, const std::string& relative, bool follow_links) {
  if (relative.empty()) return open_dir_at(dir, ".", 0);
  // An embedded NUL would silently name another directory.
  if (relative.find('\0') != relative.npos) return fail(Error(EINVAL));
  const uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (follow_links ? 0 : RESOLVE_NO_SYMLINKS);
  Result<Fd> fd = open_dir([&](int flags) { return sys::open_resolved(dir, relative.c_str(), flags, resolve); });
  if (fd) return fd;
  switch (fd.error().sys) {
    case ENOSYS:
    case EPERM:         // some sandboxes
    case EAGAIN:        // something was renamed during a ".."
    case ENAMETOOLONG:  // as a whole; each component may still do
      return walk_beneath(dir, relative, follow_links);
    default: return fd;
  }
}

Status check_path(const std::string& path) {
  if (path.empty()) return fail(Error(ENOENT));
  if (path.find('\0') != path.npos) return fail(Error(EINVAL));
  return {};
}

}  // namespace

Result<Dir> Dir::open_trusted(const std::string& path, const Trust& trust) {
  TRY(check_path(path));
  if (trust.confines()) return Dir(TRY(TrustedWalk(path, trust).directory()));
  // Most paths hold no link at all, and then one call will do.
  Result<Fd> direct = open_dir([&](int flags) {
    return trust.any_owner ? sys::open_at(AT_FDCWD, path.c_str(), flags)
                           : sys::open_resolved(AT_FDCWD, path.c_str(), flags, RESOLVE_NO_SYMLINKS);
  });
  if (direct) return Dir(*std::move(direct));
  switch (direct.error().sys) {
    case ELOOP:
      if (trust.any_owner) return fail(direct.error());
      break;
    case ENAMETOOLONG:
    case ENOSYS:
    case EPERM: break;
    default: return fail(direct.error());
  }
  return Dir(TRY(TrustedWalk(path, trust).directory()));
}

Result<Dir> Dir::trusted_below(const std::string& relative, const Trust& trust) const {
  TRY(check_path(relative));
  return Dir(TRY(TrustedWalk(relative, trust, fd()).directory()), ceiling_);
}

Result<Dir::Place> Dir::trusted_parent(const std::string& path, const Trust& trust) {
  TRY(check_path(path));
  Place place;
  const Fd parent = TRY(TrustedWalk(path, trust).parent(place.leaf));
  place.dir = Dir(TRY(open_dir_at(parent.get(), ".", 0)));
  return place;
}

Result<File> Dir::open_trusted_file(const std::string& path, Use use, uint32_t mode, const Trust& trust) {
  TRY(check_path(path));
  int flags = O_NOCTTY;
  if (trust.ceiling >= 0) flags |= O_NONBLOCK;  // a fifo there must hold up nobody
  switch (use) {
    case Use::kRead: flags |= O_RDONLY; break;
    case Use::kReplace: flags |= O_WRONLY | O_CREAT | O_TRUNC; break;
    case Use::kAppend: flags |= O_WRONLY | O_CREAT | O_APPEND; break;
    case Use::kUpdate: flags |= O_RDWR | O_CREAT; break;
  }
  return File(TRY(TrustedWalk(path, trust).file(flags, mode)));
}

Result<Dir> Dir::current() { return Dir(TRY(open_dir_at(AT_FDCWD, ".", 0))); }
Result<Dir> Dir::child(Leaf name) const { return Dir(TRY(open_dir_at(fd(), name.c_str(), O_NOFOLLOW)), ceiling_); }
Result<Dir> Dir::child_following(Leaf name) const {
  if (ceiling_ < 0) return Dir(TRY(open_dir_at(fd(), name.c_str(), 0)));
  const Place place = TRY(confined_place(name));
  return Dir(TRY(open_dir_at(place.dir.fd(), place.leaf.c_str(), O_NOFOLLOW)), ceiling_);
}
Result<Dir> Dir::beneath(const std::string& relative) const {
  return Dir(TRY(open_beneath(fd(), relative, true)), ceiling_);
}
Result<Dir> Dir::beneath_nofollow(const std::string& relative) const {
  return Dir(TRY(open_beneath(fd(), relative, false)), ceiling_);
}

bool Dir::is_within(int ceiling) const { return lies_within(fd(), ceiling); }

Result<Dir::Place> Dir::confined_place(Leaf name) const {
  Dir at(TRY(sys::duplicate(fd())), ceiling_);
  std::string rest = name.c_str();
  for (int hops = 0; hops <= kMaxLinkHops;) {
    // The next component; what is left stays in `rest`.
    while (rest.starts_with('/')) rest.erase(0, 1);
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string part = rest.substr(0, slash);
    rest.erase(0, slash);
    const bool last = rest.find_first_not_of('/') == rest.npos;
    if (part.empty() || part == ".") {
      if (last) return Place{std::move(at), "."};
      continue;
    }
    if (part == "..") {
      // Above the ceiling there is nothing for us.
      Dir up(TRY(open_dir_at(at.fd(), "..", 0)), ceiling_);
      if (!up.is_within(ceiling_)) return fail(Error(EXDEV));
      at = std::move(up);
      if (last) return Place{std::move(at), "."};
      continue;
    }
    const Leaf leaf = TRY(Leaf::check(part));
    const FileInfo info = TRY(sys::stat_at(at.fd(), part.c_str(), AT_SYMLINK_NOFOLLOW));
    if (info.is_symlink()) {
      const std::string target = TRY(sys::read_link(at.fd(), part.c_str()));
      if (target.starts_with('/')) return fail(Error(EXDEV));
      rest = target + rest;
      ++hops;
      continue;
    }
    if (last) return Place{std::move(at), part};
    at = TRY(at.child(leaf));
  }
  return fail(Error(ELOOP));
}

Result<Dir> Dir::duplicate() const {
  Dir copy(TRY(sys::duplicate(fd())), ceiling_);
  // Both share one reading position now, so neither may list with it.
  std::atomic_ref(listed_).store(true);
  copy.listed_ = true;
  return copy;
}

Result<DirListing> Dir::list() const {
  // The first listing uses our own descriptor, whose position is still at the start; others must not disturb it.
  Fd again;
  int from = fd();
  if (std::atomic_ref(listed_).exchange(true)) {
    again = TRY(sys::open_at(fd(), ".", kOpenDir));
    from = again.get();
  }
  thread_local std::unique_ptr<std::byte[]> buffer;
  if (!buffer) buffer = std::make_unique_for_overwrite<std::byte[]>(kListBytes);

  DirListing listing;
  for (;;) {
    Result<size_t> got = sys::list_dir(from, {buffer.get(), kListBytes});
    if (!got && got.error().sys == EBADF && !again.valid()) {
      // Opened for searching only; reading may have been allowed since.
      again = TRY(sys::open_at(fd(), ".", kOpenDir));
      from = again.get();
      continue;
    }
    const size_t bytes = TRY(std::move(got));
    if (bytes == 0) break;
    for (size_t at = 0; at < bytes;) {
      const std::byte* record = buffer.get() + at;
      at += load_le<uint16_t>(record + offsetof(dirent64, d_reclen));
      const char* name = reinterpret_cast<const char*>(record + offsetof(dirent64, d_name));
      if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'))) continue;
      // d_ino, d_off, d_reclen, d_type, d_name: unaligned reads, as records are only 8-byte aligned by custom.
      listing.entries.push_back({.name_offset = static_cast<uint32_t>(listing.names.size()),
                                 .type = load_le<uint8_t>(record + offsetof(dirent64, d_type)),
                                 .ino = load_le<uint64_t>(record + offsetof(dirent64, d_ino))});
      listing.names.append(name, std::strlen(name) + 1);
      if (listing.names.size() > UINT32_MAX - NAME_MAX - 1) return fail(Error(EOVERFLOW));
    }
  }
  return listing;
}

Status Dir::searchable() const {
  if (::faccessat(fd(), ".", X_OK, AT_EACCESS) == 0) return {};
  return fail(Error(errno));
}
Result<FileInfo> Dir::self() const { return sys::stat_fd(fd()); }
Result<FileInfo> Dir::info(Leaf name) const { return sys::stat_at(fd(), name.c_str(), AT_SYMLINK_NOFOLLOW); }
Result<FileInfo> Dir::info_following(Leaf name) const {
  if (ceiling_ < 0) return sys::stat_at(fd(), name.c_str(), 0);
  const Place place = TRY(confined_place(name));
  return sys::stat_at(place.dir.fd(), place.leaf.c_str(), AT_SYMLINK_NOFOLLOW);
}
bool Dir::leads_to_dir(Leaf name) const {
  const auto there = sys::stat_at(fd(), name.c_str(), 0);
  return there && there->is_dir();
}
Result<FileInfo> Dir::info_with_btime(Leaf name) const {
  return sys::stat_with_birth(fd(), name.c_str(), AT_SYMLINK_NOFOLLOW);
}

std::vector<Result<FileInfo>> Dir::info_batch(std::span<const Leaf> names) const {
  std::vector<Result<FileInfo>> all;
  all.reserve(names.size());
  for (const Leaf name : names) all.push_back(info(name));
  return all;
}

Result<File> Dir::open_read(Leaf name, bool no_atime) const {
  Result<Fd> fd_or = sys::open_at(fd(), name.c_str(), O_RDONLY | kCareful | (no_atime ? O_NOATIME : 0));
  // Only the owner may leave the access time alone.
  if (!fd_or && no_atime && fd_or.error().sys == EPERM) fd_or = sys::open_at(fd(), name.c_str(), O_RDONLY | kCareful);
  return File(TRY(std::move(fd_or)));
}
Result<File> Dir::open_read_following(Leaf name) const {
  if (ceiling_ >= 0) {
    const Place place = TRY(confined_place(name));
    return File(TRY(sys::open_at(place.dir.fd(), place.leaf.c_str(), O_RDONLY | kCareful)));
  }
  return File(TRY(sys::open_at(fd(), name.c_str(), (O_RDONLY | kCareful) & ~O_NOFOLLOW)));
}
Result<File> Dir::open_write(Leaf name) const {
  return File(TRY(sys::open_at(fd(), name.c_str(), O_WRONLY | kCareful)));
}
Result<File> Dir::open_update(Leaf name) const {
  return File(TRY(sys::open_at(fd(), name.c_str(), O_RDWR | kCareful)));
}
Result<File> Dir::create(Leaf name, uint32_t mode) const {
  return File(TRY(sys::open_at(fd(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | kCareful, mode)));
}
Result<File> Dir::open_or_create(Leaf name, uint32_t mode) const {
  return File(TRY(sys::open_at(fd(), name.c_str(), O_WRONLY | O_CREAT | kCareful, mode)));
}
Result<File> Dir::open_path(Leaf name) const {
  return File(TRY(sys::open_at(fd(), name.c_str(), O_PATH | O_NOFOLLOW)));
}

Status Dir::make_dir(Leaf name, uint32_t mode) const { return sys::make_dir(fd(), name.c_str(), mode); }
Status Dir::make_symlink(const std::string& target, Leaf name) const {
  if (target.find('\0') != target.npos) return fail(Error(EINVAL));
  return sys::make_symlink(target.c_str(), fd(), name.c_str());
}
Status Dir::make_node(Leaf name, uint32_t mode, uint64_t rdev) const {
  return sys::make_node(fd(), name.c_str(), mode, rdev);
}
Status Dir::hard_link(Leaf from, const Dir& to_dir, Leaf to) const {
  return sys::link_at(fd(), from.c_str(), to_dir.fd(), to.c_str(), 0);
}
Result<std::string> Dir::read_link(Leaf name) const { return sys::read_link(fd(), name.c_str()); }
Status Dir::rename(Leaf from, const Dir& to_dir, Leaf to) const {
  return sys::rename_at(fd(), from.c_str(), to_dir.fd(), to.c_str(), 0);
}
Status Dir::unlink(Leaf name) const { return sys::unlink_at(fd(), name.c_str(), 0); }
Status Dir::remove_dir(Leaf name) const { return sys::unlink_at(fd(), name.c_str(), AT_REMOVEDIR); }

Status Dir::set_mode(Leaf name, uint32_t permissions) const {
  return sys::change_mode_at(fd(), name.c_str(), permissions);
}
Status Dir::set_owner(Leaf name, uint32_t uid, uint32_t gid) const {
  return sys::change_owner_at(fd(), name.c_str(), uid, gid);
}
Status Dir::set_times(Leaf name, std::optional<FileTime> atime, FileTime mtime) const {
  return sys::change_times_at(fd(), name.c_str(), atime, mtime);
}
Status Dir::set_self_mode(uint32_t permissions) const { return sys::change_mode(fd(), permissions); }
Status Dir::set_self_owner(uint32_t uid, uint32_t gid) const { return sys::change_owner(fd(), uid, gid); }
Status Dir::set_self_times(std::optional<FileTime> atime, FileTime mtime) const {
  return sys::change_times(fd(), atime, mtime);
}

}  // namespace ocsync::io
