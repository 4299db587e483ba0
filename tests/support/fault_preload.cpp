// A library to be preloaded into a whole program: makes the nth call of a kind fail, from outside and without its help.
//
//   OCSYNC_FAULT="KIND:NTH:ERROR[:TIMES][;...]"   KIND one of the names in kKinds, ERROR a number; 0 cuts a transfer
//   short OCSYNC_FAULT_LOG=FILE                         gets a line with the KIND for each fault that was met
//
// Reads and writes count only on regular files, streams only on pipes and sockets; nowait are reads that must not wait.
// Rings are refused by the kernel itself, through a filter of system calls, as a sandbox does it, and for good:
// ring-make from the start, ring-submit from the NTH opening of a file on. tests/interop/faults.py compiles and uses
// it. Calls are counted over all threads.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace {

enum Kind { kRead, kWrite, kStreamRead, kStreamWrite, kMap, kRingMake, kRingSubmit, kAllocate, kNowait, kCount };
constexpr const char* kKinds[] = {"read",      "write",       "stream-read", "stream-write", "map",
                                  "ring-make", "ring-submit", "allocate",    "nowait"};

struct Order {
  std::atomic<long> until{0};
  std::atomic<long> times{0};
  int error = 0;
};
Order orders[kCount];

void told(Kind kind) {
  const char* path = std::getenv("OCSYNC_FAULT_LOG");
  if (path == nullptr) return;
  const int fd =
      static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  if (fd < 0) return;
  ::syscall(SYS_write, fd, kKinds[kind], std::strlen(kKinds[kind]));
  ::syscall(SYS_write, fd, "\n", 1);
  ::syscall(SYS_close, fd);
}

// From now on the kernel answers this call of all our threads with that error.
void forbid(long call, int error, Kind kind) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, filter};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0)
    told(kind);
}

// The shells on the way to a far side are not what is tried.
bool in_ocsync() {
  char path[4096];
  const ssize_t bytes = ::readlink("/proc/self/exe", path, sizeof path - 1);
  path[bytes > 0 ? bytes : 0] = '\0';
  const char* name = std::strrchr(path, '/');
  return name != nullptr && std::strncmp(name + 1, "ocsync", 6) == 0;
}

struct Setup {
  Setup() {
    const char* text = in_ocsync() ? std::getenv("OCSYNC_FAULT") : nullptr;
    while (text != nullptr && *text != '\0') {
      const char* colon = std::strchr(text, ':');
      if (colon == nullptr) return;
      for (int k = 0; k < kCount; ++k) {
        if (std::strlen(kKinds[k]) != static_cast<size_t>(colon - text) ||
            std::strncmp(kKinds[k], text, static_cast<size_t>(colon - text)) != 0)
          continue;
        char* end = nullptr;
        orders[k].until = std::strtol(colon + 1, &end, 10);
        orders[k].error = *end == ':' ? static_cast<int>(std::strtol(end + 1, &end, 10)) : EIO;
        orders[k].times = *end == ':' ? std::strtol(end + 1, &end, 10) : 1;
      }
      text = std::strchr(text, ';');
      if (text != nullptr) ++text;
    }
    if (orders[kRingMake].times > 0) forbid(SYS_io_uring_setup, orders[kRingMake].error, kRingMake);
  }
} setup;

constexpr int kNone = -1;

// The error this call is to have: 0 cuts it short.
int fault(Kind kind) {
  Order& order = orders[kind];
  if (order.times.load() <= 0) return kNone;
  if (order.until.fetch_sub(1) > 1) return kNone;
  if (order.times.fetch_sub(1) <= 0) return kNone;
  told(kind);
  return order.error;
}

void opening() {
  Order& order = orders[kRingSubmit];
  if (order.times.load() <= 0 || order.until.fetch_sub(1) > 1) return;
  if (order.times.exchange(0) > 0) forbid(SYS_io_uring_enter, order.error, kRingSubmit);
}

bool is_file(int fd) {
  struct stat s;
  return ::fstat(fd, &s) == 0 && S_ISREG(s.st_mode);
}

template <class F>
F real(const char* name, F) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}
#define REAL(name) static const auto original = real(#name, &::name)

// Runs `full`, or fails, or `cut` with at most one byte.
template <class Full, class Cut>
ssize_t act(Kind kind, Full full, Cut cut) {
  const int error = fault(kind);
  if (error == kNone) return full();
  if (error == 0) return cut();
  errno = error;
  return -1;
}

iovec first_byte(const iovec* pieces, int count) {
  for (int i = 0; i < count; ++i)
    if (pieces[i].iov_len > 0) return {pieces[i].iov_base, 1};
  return {nullptr, 0};
}

}  // namespace

// The C library has each of these calls under two names, and programs may be built for either.
#define READ_AT(name)                                                   \
  ssize_t name(int fd, void* into, size_t bytes, off_t offset) {        \
    REAL(name);                                                         \
    if (!is_file(fd)) return original(fd, into, bytes, offset);         \
    return act(                                                         \
        kRead, [&] { return original(fd, into, bytes, offset); },       \
        [&] { return original(fd, into, bytes > 0 ? 1 : 0, offset); }); \
  }
#define WRITE_AT(name)                                                  \
  ssize_t name(int fd, const void* from, size_t bytes, off_t offset) {  \
    REAL(name);                                                         \
    return act(                                                         \
        kWrite, [&] { return original(fd, from, bytes, offset); },      \
        [&] { return original(fd, from, bytes > 0 ? 1 : 0, offset); }); \
  }
#define READ_PIECES(name)                                                                              \
  ssize_t name(int fd, const iovec* pieces, int count, off_t offset, int flags) {                      \
    REAL(name);                                                                                        \
    const iovec one = first_byte(pieces, count);                                                       \
    if (offset >= 0 && (flags & RWF_NOWAIT) != 0 && fault(kNowait) == EAGAIN) {                        \
      errno = EAGAIN;                                                                                  \
      return -1;                                                                                       \
    }                                                                                                  \
    return act(                                                                                        \
        offset >= 0 ? kRead : kStreamRead, [&] { return original(fd, pieces, count, offset, flags); }, \
        [&] { return original(fd, &one, 1, offset, flags); });                                         \
  }
#define WRITE_PIECES(name)                                                        \
  ssize_t name(int fd, const iovec* pieces, int count, off_t offset, int flags) { \
    REAL(name);                                                                   \
    const iovec one = first_byte(pieces, count);                                  \
    return act(                                                                   \
        kStreamWrite, [&] { return original(fd, pieces, count, offset, flags); }, \
        [&] { return original(fd, &one, 1, offset, flags); });                    \
  }
#define MAP(name)                                                                       \
  void* name(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) { \
    REAL(name);                                                                         \
    if (fd >= 0 && protection == PROT_READ && (flags & MAP_SHARED) != 0) {              \
      if (const int error = fault(kMap); error > 0) {                                   \
        errno = error;                                                                  \
        return MAP_FAILED;                                                              \
      }                                                                                 \
    }                                                                                   \
    return original(at, bytes, protection, flags, fd, offset);                          \
  }
#define ALLOCATE(name)                                    \
  int name(int fd, int mode, off_t offset, off_t bytes) { \
    REAL(name);                                           \
    if (const int error = fault(kAllocate); error > 0) {  \
      errno = error;                                      \
      return -1;                                          \
    }                                                     \
    return original(fd, mode, offset, bytes);             \
  }
#define OPEN_AT(name)                                   \
  int name(int dir, const char* path, int flags, ...) { \
    REAL(name);                                         \
    va_list list;                                       \
    va_start(list, flags);                              \
    const mode_t mode = va_arg(list, mode_t);           \
    va_end(list);                                       \
    opening();                                          \
    return original(dir, path, flags, mode);            \
  }

extern "C" {

READ_AT(pread)
READ_AT(pread64)
WRITE_AT(pwrite)
WRITE_AT(pwrite64)
READ_PIECES(preadv2)
READ_PIECES(preadv64v2)
WRITE_PIECES(pwritev2)
WRITE_PIECES(pwritev64v2)
MAP(mmap)
MAP(mmap64)
ALLOCATE(fallocate)
ALLOCATE(fallocate64)
OPEN_AT(openat)
OPEN_AT(openat64)

ssize_t read(int fd, void* into, size_t bytes) {
  REAL(read);
  return act(
      is_file(fd) ? kRead : kStreamRead, [&] { return original(fd, into, bytes); },
      [&] { return original(fd, into, bytes > 0 ? 1 : 0); });
}

ssize_t writev(int fd, const iovec* pieces, int count) {
  REAL(writev);
  const iovec one = first_byte(pieces, count);
  return act(kStreamWrite, [&] { return original(fd, pieces, count); }, [&] { return original(fd, &one, 1); });
}

}  // extern "C"
