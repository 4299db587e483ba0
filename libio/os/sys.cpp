// System calls, one function each.
#include "libio/os/sys.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <tuple>

namespace ocsync::io {

void Fd::close() {
  // Linux releases the descriptor even when close() reports EINTR, so there is nothing to repeat.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace ocsync::io

namespace ocsync::io::sys {
namespace {

constexpr long kFchmodat2 = 452;  // since Linux 6.6; the headers here are older

// One relaxed load when no plan is alive. The plans are the only mutable statics of this floor besides the signal
// room's pointer: faults have to reach calls made deep inside code that must not know of tests.
struct Order {
  std::atomic<unsigned> until{0};  // calls left before the first failure
  std::atomic<unsigned> times{0};
  std::atomic<unsigned> fired{0};
  std::atomic<int> error{0};
};
std::atomic<int> plans_alive{0};
Order orders[static_cast<size_t>(Call::kCount)];

constexpr int kNoFault = -1;
[[gnu::noinline]] int ordered_fault(Call call) {
  Order& order = orders[static_cast<size_t>(call)];
  if (order.times.load() == 0) return kNoFault;
  if (order.until.load() > 1) {
    order.until.fetch_sub(1);
    return kNoFault;
  }
  order.times.fetch_sub(1);
  order.fired.fetch_add(1);
  return order.error.load();
}
inline int fault(Call call) {
  if (plans_alive.load(std::memory_order_relaxed) == 0) [[likely]]
    return kNoFault;
  return ordered_fault(call);
}
// True (with errno set) if this call is to fail.
inline bool planned(Call call) {
  const int f = fault(call);
  if (f <= 0) return false;
  errno = f;
  return true;
}

template <class F>
auto retry(Call call, F&& f) {
  for (;;) {
    const auto r = planned(call) ? decltype(f())(-1) : f();
    if (r >= 0 || errno != EINTR) return r;
  }
}
Status status(long r) {
  if (r < 0) return fail_errno();
  return {};
}
Result<size_t> count(ssize_t r) {
  if (r < 0) return fail_errno();
  return static_cast<size_t>(r);
}
Result<Fd> owned(int fd) {
  if (fd < 0) return fail_errno();
  return Fd(fd);
}

// The size a transfer may have: all, or at most one byte when the plan says short.
template <class F>
Result<size_t> transfer(Call call, size_t bytes, F&& f) {
  for (;;) {
    ssize_t r;
    const int order = fault(call);
    if (order > 0) {
      errno = order;
      r = -1;
    } else {
      r = f(order == 0 && bytes > 1 ? 1 : bytes);
    }
    if (r >= 0) return static_cast<size_t>(r);
    if (errno != EINTR) return fail_errno();
  }
}

FileTime time_of(const timespec& t) { return {t.tv_sec, static_cast<uint32_t>(t.tv_nsec)}; }
FileTime time_of(const statx_timestamp& t) { return {t.tv_sec, t.tv_nsec}; }

FileInfo info_of(const struct stat& s) {
  FileInfo i;
  i.mode = s.st_mode;
  i.nlink = static_cast<uint32_t>(s.st_nlink);
  i.uid = s.st_uid;
  i.gid = s.st_gid;
  i.size = static_cast<uint64_t>(s.st_size);
  i.blocks = static_cast<uint64_t>(s.st_blocks);
  i.dev = s.st_dev;
  i.ino = s.st_ino;
  i.rdev = s.st_rdev;
  i.mtime = time_of(s.st_mtim);
  i.atime = time_of(s.st_atim);
  i.ctime = time_of(s.st_ctim);
  return i;
}

struct Times {
  timespec both[2];
  Times(std::optional<FileTime> atime, FileTime mtime) {
    both[0] =
        atime ? timespec{static_cast<time_t>(atime->sec), static_cast<long>(atime->nsec)} : timespec{0, UTIME_OMIT};
    both[1] = timespec{static_cast<time_t>(mtime.sec), static_cast<long>(mtime.nsec)};
  }
};

std::string proc_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

}  // namespace

// --- names in directories

Result<Fd> open_at(int dir, const char* path, int flags, uint32_t mode) {
  return owned(retry(Call::kOpen, [&] { return ::openat(dir, path, flags | O_CLOEXEC, mode); }));
}

Result<Fd> open_resolved(int dir, const char* path, int flags, uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = resolve;
  return owned(
      static_cast<int>(retry(Call::kOpen, [&] { return ::syscall(SYS_openat2, dir, path, &how, sizeof how); })));
}

Result<FileInfo> stat_at(int dir, const char* path, int flags) {
  struct stat s;
  if (retry(Call::kStat, [&] { return ::fstatat(dir, path, &s, flags); }) < 0) return fail_errno();
  return info_of(s);
}

Result<FileInfo> stat_fd(int fd) {
  struct stat s;
  if (retry(Call::kStat, [&] { return ::fstat(fd, &s); }) < 0) return fail_errno();
  return info_of(s);
}

Result<FileInfo> stat_with_birth(int dir, const char* path, int flags) {
  struct statx x;
  if (retry(Call::kStat, [&] { return ::statx(dir, path, flags, STATX_BASIC_STATS | STATX_BTIME, &x); }) < 0) {
    if (errno == ENOSYS) return stat_at(dir, path, flags);
    return fail_errno();
  }
  FileInfo i;
  i.mode = x.stx_mode;
  i.nlink = x.stx_nlink;
  i.uid = x.stx_uid;
  i.gid = x.stx_gid;
  i.size = x.stx_size;
  i.blocks = x.stx_blocks;
  i.dev = makedev(x.stx_dev_major, x.stx_dev_minor);
  i.ino = x.stx_ino;
  i.rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor);
  i.mtime = time_of(x.stx_mtime);
  i.atime = time_of(x.stx_atime);
  i.ctime = time_of(x.stx_ctime);
  i.has_btime = (x.stx_mask & STATX_BTIME) != 0;
  if (i.has_btime) i.btime = time_of(x.stx_btime);
  return i;
}

Result<size_t> list_dir(int dir, MutableBytes into) {
  return count(retry(Call::kList, [&] { return ::syscall(SYS_getdents64, dir, into.data(), into.size()); }));
}

Status make_dir(int dir, const char* name, uint32_t mode) {
  return status(retry(Call::kName, [&] { return ::mkdirat(dir, name, mode); }));
}
Status make_symlink(const char* target, int dir, const char* name) {
  return status(retry(Call::kName, [&] { return ::symlinkat(target, dir, name); }));
}
Status make_node(int dir, const char* name, uint32_t mode, uint64_t rdev) {
  return status(retry(Call::kName, [&] { return ::mknodat(dir, name, mode, rdev); }));
}
Status link_at(int from_dir, const char* from, int to_dir, const char* to, int flags) {
  return status(retry(Call::kName, [&] { return ::linkat(from_dir, from, to_dir, to, flags); }));
}
Status rename_at(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  return status(retry(Call::kName, [&] {
    return flags == 0 ? ::renameat(from_dir, from, to_dir, to) : ::renameat2(from_dir, from, to_dir, to, flags);
  }));
}
Status unlink_at(int dir, const char* name, int flags) {
  return status(retry(Call::kName, [&] { return ::unlinkat(dir, name, flags); }));
}

Result<std::string> read_link(int dir, const char* name) {
  char target[PATH_MAX];  // Linux refuses longer ones, so this is never cut
  const ssize_t n = retry(Call::kName, [&] { return ::readlinkat(dir, name, target, sizeof target); });
  if (n < 0) return fail_errno();
  return std::string(target, static_cast<size_t>(n));
}

uint64_t file_system_kind(int fd) {
  struct statfs s;
  return ::fstatfs(fd, &s) < 0 ? 0 : static_cast<uint64_t>(s.f_type);
}

// --- attributes

Status change_mode_at(int dir, const char* name, uint32_t mode) {
  long r = retry(Call::kAttribute, [&] { return ::syscall(kFchmodat2, dir, name, mode, AT_SYMLINK_NOFOLLOW); });
  // Older kernels: the C library goes through an O_PATH descriptor and /proc.
  if (r < 0 && errno == ENOSYS) r = ::fchmodat(dir, name, mode, AT_SYMLINK_NOFOLLOW);
  return status(r);
}

Status change_mode(int fd, uint32_t mode) {
  long r = retry(Call::kAttribute, [&] { return ::fchmod(fd, mode); });
  if (r < 0 && errno == EBADF) {
    r = ::syscall(kFchmodat2, fd, "", mode, AT_EMPTY_PATH);
    if (r < 0 && errno == ENOSYS) r = ::chmod(proc_path(fd).c_str(), mode);
  }
  return status(r);
}

Status change_owner_at(int dir, const char* name, uint32_t uid, uint32_t gid) {
  return status(retry(Call::kAttribute, [&] { return ::fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW); }));
}

Status change_owner(int fd, uint32_t uid, uint32_t gid) {
  int r = retry(Call::kAttribute, [&] { return ::fchown(fd, uid, gid); });
  if (r < 0 && errno == EBADF) r = ::fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
  return status(r);
}

Status change_times_at(int dir, const char* name, std::optional<FileTime> atime, FileTime mtime) {
  const Times times(atime, mtime);
  return status(retry(Call::kAttribute, [&] { return ::utimensat(dir, name, times.both, AT_SYMLINK_NOFOLLOW); }));
}

Status change_times(int fd, std::optional<FileTime> atime, FileTime mtime) {
  const Times times(atime, mtime);
  int r = retry(Call::kAttribute, [&] { return ::futimens(fd, times.both); });
  if (r < 0 && errno == EBADF) {
    r = ::utimensat(fd, "", times.both, AT_EMPTY_PATH);
    if (r < 0 && errno == EINVAL) r = ::utimensat(AT_FDCWD, proc_path(fd).c_str(), times.both, 0);
  }
  return status(r);
}

// --- content

Result<size_t> read(int fd, MutableBytes into) {
  return transfer(Call::kRead, into.size(), [&](size_t n) { return ::read(fd, into.data(), n); });
}
Result<size_t> read_at(int fd, MutableBytes into, uint64_t offset) {
  return transfer(Call::kRead, into.size(),
                  [&](size_t n) { return ::pread(fd, into.data(), n, static_cast<off_t>(offset)); });
}
Result<size_t> write(int fd, Bytes bytes) {
  return transfer(Call::kWrite, bytes.size(), [&](size_t n) { return ::write(fd, bytes.data(), n); });
}
Result<size_t> write_at(int fd, Bytes bytes, uint64_t offset) {
  return transfer(Call::kWrite, bytes.size(),
                  [&](size_t n) { return ::pwrite(fd, bytes.data(), n, static_cast<off_t>(offset)); });
}

namespace {
// A planned short write sends one byte of the first piece.
template <class F>
Result<size_t> gather(const iovec* pieces, int n, F&& send) {
  return transfer(Call::kWrite, SIZE_MAX, [&](size_t allowed) -> ssize_t {
    if (allowed != 1 || n == 0) return send(pieces, n);
    const iovec one{pieces[0].iov_base, pieces[0].iov_len > 1 ? 1 : pieces[0].iov_len};
    return send(&one, 1);
  });
}
}  // namespace

Result<size_t> write_v(int fd, const iovec* pieces, int n) {
  return gather(pieces, n, [&](const iovec* v, int c) { return ::writev(fd, v, c); });
}
Result<size_t> read_nowait(int fd, MutableBytes into) {
  return transfer(Call::kRead, into.size(), [&](size_t n) {
    const iovec one{into.data(), n};
    return ::preadv2(fd, &one, 1, -1, RWF_NOWAIT);
  });
}
Result<size_t> write_v_nowait(int fd, const iovec* pieces, int n) {
  return gather(pieces, n, [&](const iovec* v, int c) { return ::pwritev2(fd, v, c, -1, RWF_NOWAIT); });
}

Result<uint64_t> seek(int fd, int64_t offset, int whence) {
  const off_t r = retry(Call::kSeek, [&] { return ::lseek(fd, offset, whence); });
  if (r < 0) return fail_errno();
  return static_cast<uint64_t>(r);
}
Status truncate(int fd, uint64_t bytes) {
  return status(retry(Call::kSize, [&] { return ::ftruncate(fd, static_cast<off_t>(bytes)); }));
}
Status allocate(int fd, int mode, uint64_t offset, uint64_t bytes) {
  return status(
      retry(Call::kSize, [&] { return ::fallocate(fd, mode, static_cast<off_t>(offset), static_cast<off_t>(bytes)); }));
}
Status sync(int fd) {
  return status(retry(Call::kSync, [&] { return ::fsync(fd); }));
}
void advise(int fd, uint64_t offset, uint64_t bytes, int advice) {
  ::posix_fadvise(fd, static_cast<off_t>(offset), static_cast<off_t>(bytes), advice);
}
void read_ahead(int fd, uint64_t offset, size_t bytes) {
  [[maybe_unused]] const ssize_t unused = ::readahead(fd, static_cast<off64_t>(offset), bytes);
}
Status clone(int from, int to) {
  return status(retry(Call::kClone, [&] { return ::ioctl(to, FICLONE, from); }));
}
Status clone_range(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t bytes) {
  file_clone_range range{.src_fd = from, .src_offset = from_offset, .src_length = bytes, .dest_offset = to_offset};
  return status(retry(Call::kClone, [&] { return ::ioctl(to, FICLONERANGE, &range); }));
}
Result<size_t> read_at_nowait(int fd, MutableBytes into, uint64_t offset) {
  return transfer(Call::kRead, into.size(), [&](size_t n) {
    const iovec one{into.data(), n};
    return ::preadv2(fd, &one, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  });
}
Result<size_t> copy_range(int from, uint64_t from_offset, int to, uint64_t to_offset, size_t bytes) {
  return transfer(Call::kCopyRange, bytes, [&](size_t n) {
    off64_t in = static_cast<off64_t>(from_offset);
    off64_t out = static_cast<off64_t>(to_offset);
    return ::copy_file_range(from, &in, to, &out, n, 0);
  });
}
Result<void*> map(int fd, uint64_t offset, size_t bytes) {
  if (planned(Call::kMap)) return fail_errno();
  void* at = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (at == MAP_FAILED) return fail_errno();
  return at;
}
void unmap(void* at, size_t bytes) { ::munmap(at, bytes); }
void populate(const void* at, size_t bytes) {
#ifndef MADV_POPULATE_READ
  constexpr int MADV_POPULATE_READ = 22;  // since Linux 5.14
#endif
  ::madvise(const_cast<void*>(at), bytes, MADV_POPULATE_READ);
}
void prefer_huge_pages(std::byte* at, size_t bytes) {
  if (bytes >= (size_t{2} << 20)) ::madvise(at, bytes, MADV_HUGEPAGE);
}

// --- extended attributes

namespace {

// Since Linux 6.13; the headers here are older.
constexpr long kSetxattrat = 463, kGetxattrat = 464, kListxattrat = 465, kRemovexattrat = 466;
struct XattrArguments {
  uint64_t value;
  uint32_t size;
  uint32_t flags;
};

char* chars(MutableBytes b) { return reinterpret_cast<char*>(b.data()); }

// By descriptor; a child by the *at calls. Where these are missing, and for descriptors opened O_PATH, by /proc; in a
// root without /proc the child is opened, which serves all but symlinks.
template <class OnFd, class AtLeaf, class OnPath>
long attribute(int fd, const char* leaf, OnFd&& on_fd, AtLeaf&& at_leaf, OnPath&& on_path) {
  const auto once = [&]() -> long {
    const bool fails = planned(Call::kXattr);
    if (leaf == nullptr) {
      const long r = fails ? -1 : on_fd(fd);
      return r >= 0 || errno != EBADF ? r : on_path(proc_path(fd).c_str(), true);
    }
    long r = fails ? -1 : at_leaf();
    if (r >= 0 || errno != ENOSYS) return r;
    r = on_path((proc_path(fd) + "/" + leaf).c_str(), false);
    if (r >= 0 || errno != ENOENT) return r;
    const Fd child(::openat(fd, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    return child.valid() ? on_fd(child.get()) : -1;
  };
  for (;;) {
    const long r = once();
    if (r >= 0 || errno != EINTR) return r;  // NOLINT(clang-analyzer-unix.Errno): a negative r comes with errno
  }
}

}  // namespace

Result<size_t> xattr_list(int fd, const char* leaf, MutableBytes into) {
  return count(attribute(
      fd, leaf, [&](int f) { return ::flistxattr(f, chars(into), into.size()); },
      [&] { return ::syscall(kListxattrat, fd, leaf, AT_SYMLINK_NOFOLLOW, into.data(), into.size()); },
      [&](const char* path, bool follow) {
        return (follow ? ::listxattr : ::llistxattr)(path, chars(into), into.size());
      }));
}
Result<size_t> xattr_get(int fd, const char* leaf, const char* name, MutableBytes into) {
  const XattrArguments to{reinterpret_cast<uint64_t>(into.data()), static_cast<uint32_t>(into.size()), 0};
  return count(attribute(
      fd, leaf, [&](int f) { return ::fgetxattr(f, name, into.data(), into.size()); },
      [&] { return ::syscall(kGetxattrat, fd, leaf, AT_SYMLINK_NOFOLLOW, name, &to, sizeof to); },
      [&](const char* path, bool follow) {
        return (follow ? ::getxattr : ::lgetxattr)(path, name, into.data(), into.size());
      }));
}
Status xattr_set(int fd, const char* leaf, const char* name, Bytes value) {
  const XattrArguments from{reinterpret_cast<uint64_t>(value.data()), static_cast<uint32_t>(value.size()), 0};
  return status(attribute(
      fd, leaf, [&](int f) { return ::fsetxattr(f, name, value.data(), value.size(), 0); },
      [&] { return ::syscall(kSetxattrat, fd, leaf, AT_SYMLINK_NOFOLLOW, name, &from, sizeof from); },
      [&](const char* path, bool follow) {
        return (follow ? ::setxattr : ::lsetxattr)(path, name, value.data(), value.size(), 0);
      }));
}
Status xattr_remove(int fd, const char* leaf, const char* name) {
  return status(attribute(
      fd, leaf, [&](int f) { return ::fremovexattr(f, name); },
      [&] { return ::syscall(kRemovexattrat, fd, leaf, AT_SYMLINK_NOFOLLOW, name); },
      [&](const char* path, bool follow) { return (follow ? ::removexattr : ::lremovexattr)(path, name); }));
}

// --- descriptors

Result<Fd> duplicate(int fd) { return owned(::fcntl(fd, F_DUPFD_CLOEXEC, 3)); }
Result<int> flags(int fd) {
  const int f = ::fcntl(fd, F_GETFL);
  if (f < 0) return fail_errno();
  return f;
}
Status set_nonblocking(int fd, bool on) {
  const int f = TRY(flags(fd));
  const int wanted = on ? f | O_NONBLOCK : f & ~O_NONBLOCK;
  return wanted == f ? Status{} : status(::fcntl(fd, F_SETFL, wanted));
}
Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno();
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}
void enlarge_pipe(int fd, int bytes) { ::fcntl(fd, F_SETPIPE_SZ, bytes); }
Result<Fd> make_event() { return owned(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }
Result<int> poll(pollfd* fds, nfds_t n, int timeout_ms) {
  if (planned(Call::kPoll)) return fail_errno();
  const int r = ::poll(fds, n, timeout_ms);
  if (r < 0) return fail_errno();
  return r;
}
int64_t clock_ms() {
  timespec t;
  std::ignore = ::clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1'000'000;
}
int64_t clock_us() {
  timespec t;
  std::ignore = ::clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000;
}
void fill_random(MutableBytes into) {
  // At most 256 bytes are asked for anywhere, which the kernel hands out whole.
  if (::getrandom(into.data(), into.size(), GRND_NONBLOCK) == static_cast<ssize_t>(into.size())) return;
  uint64_t x = static_cast<uint64_t>(clock_us()) * 0x9E3779B97F4A7C15u ^ static_cast<uint64_t>(::getpid());
  for (std::byte& b : into) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    b = static_cast<std::byte>(x);
  }
}

// --- sockets

Result<Fd> make_socket(int family, int type, int protocol) {
  if (planned(Call::kSocket)) return fail_errno();
  return owned(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}
Status connect(int fd, const sockaddr* address, socklen_t bytes) {
  if (planned(Call::kSocket)) return fail_errno();
  return status(::connect(fd, address, bytes));
}
Status bind(int fd, const sockaddr* address, socklen_t bytes) { return status(::bind(fd, address, bytes)); }
Status listen(int fd, int backlog) { return status(::listen(fd, backlog)); }
Result<Fd> accept(int fd, sockaddr_storage* from, socklen_t* bytes) {
  return owned(retry(Call::kSocket, [&] {
    return ::accept4(fd, reinterpret_cast<sockaddr*>(from), bytes, SOCK_CLOEXEC | SOCK_NONBLOCK);
  }));
}
Status set_option(int fd, int level, int option, const void* value, socklen_t bytes) {
  return status(::setsockopt(fd, level, option, value, bytes));
}
Result<int> get_option(int fd, int level, int option) {
  int value = 0;
  socklen_t bytes = sizeof value;
  if (::getsockopt(fd, level, option, &value, &bytes) < 0) return fail_errno();
  return value;
}
Status shut_down(int fd, int how) { return status(::shutdown(fd, how)); }

// --- processes

Result<std::optional<int>> wait_child(pid_t pid, bool block) {
  int raw = 0;
  for (;;) {
    const pid_t r = ::waitpid(pid, &raw, block ? 0 : WNOHANG);
    if (r == pid) return raw;
    if (r == 0) return std::nullopt;
    if (errno != EINTR) return fail_errno();
  }
}
Status send_signal(pid_t pid, int number) { return status(::kill(pid, number)); }

// --- processors and rings

Status pin_thread(std::span<const unsigned> cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const unsigned cpu : cpus)
    if (cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
  return status(::sched_setaffinity(0, sizeof set, &set));
}
unsigned current_node() {
  unsigned cpu = 0;
  unsigned node = 0;
  return ::getcpu(&cpu, &node) == 0 ? node : 0;
}
unsigned node_count() {
  unsigned count = 0;
  char path[64];
  do std::snprintf(path, sizeof path, "/sys/devices/system/node/node%u", count);
  while (::access(path, F_OK) == 0 && ++count < 64);
  return std::max(count, 1u);
}
bool ring_fault() { return planned(Call::kRing); }

// --- failures by plan

FaultPlan::FaultPlan(Call call, unsigned nth, int error, unsigned times) : call_(call) {
  Order& order = orders[static_cast<size_t>(call)];
  order.error = error;
  order.until = nth;
  order.fired = 0;
  order.times = times;
  plans_alive.fetch_add(1);
}
FaultPlan::~FaultPlan() {
  orders[static_cast<size_t>(call_)].times = 0;
  plans_alive.fetch_sub(1);
}
unsigned FaultPlan::fired() const { return orders[static_cast<size_t>(call_)].fired.load(); }

}  // namespace ocsync::io::sys
