// A library to be preloaded into a whole program: makes the nth call of a kind fail, from outside and without its help.
//
//   OCSYNC_FAULT="KIND:NTH:ERROR[:TIMES][;...]"   KIND one of the names in kKinds, ERROR a number; 0 cuts a transfer short
//
// Positioned reads and writes count only on regular files, streams only on pipes and sockets. tests/interop/faults.py
// compiles and uses it. Calls are counted over all threads.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

namespace {

enum Kind { kRead, kWrite, kStreamRead, kStreamWrite, kMap, kRingMake, kRingSubmit, kAllocate, kCount };
constexpr const char* kKinds[] = {"read", "write", "stream-read", "stream-write", "map", "ring-make", "ring-submit", "allocate"};

struct Order {
  std::atomic<long> until{0};
  std::atomic<long> times{0};
  int error = 0;
};
Order orders[kCount];

struct Setup {
  Setup() {
    const char* text = std::getenv("OCSYNC_FAULT");
    while (text != nullptr && *text != '\0') {
      const char* colon = std::strchr(text, ':');
      if (colon == nullptr) return;
      for (int k = 0; k < kCount; ++k) {
        if (std::strlen(kKinds[k]) != static_cast<size_t>(colon - text) || std::strncmp(kKinds[k], text, static_cast<size_t>(colon - text)) != 0) continue;
        char* end = nullptr;
        orders[k].until = std::strtol(colon + 1, &end, 10);
        orders[k].error = *end == ':' ? static_cast<int>(std::strtol(end + 1, &end, 10)) : EIO;
        orders[k].times = *end == ':' ? std::strtol(end + 1, &end, 10) : 1;
      }
      text = std::strchr(text, ';');
      if (text != nullptr) ++text;
    }
  }
} setup;

constexpr int kNone = -1;

// The error this call is to have: 0 cuts it short.
int fault(Kind kind) {
  Order& order = orders[kind];
  if (order.times.load() <= 0) return kNone;
  if (order.until.fetch_sub(1) > 1) return kNone;
  return order.times.fetch_sub(1) > 0 ? order.error : kNone;
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

extern "C" {

ssize_t pread64(int fd, void* into, size_t bytes, off64_t offset) {
  REAL(pread64);
  if (!is_file(fd)) return original(fd, into, bytes, offset);
  return act(kRead, [&] { return original(fd, into, bytes, offset); }, [&] { return original(fd, into, bytes > 0 ? 1 : 0, offset); });
}

ssize_t pwrite64(int fd, const void* from, size_t bytes, off64_t offset) {
  REAL(pwrite64);
  return act(kWrite, [&] { return original(fd, from, bytes, offset); }, [&] { return original(fd, from, bytes > 0 ? 1 : 0, offset); });
}

ssize_t preadv64v2(int fd, const iovec* pieces, int count, off64_t offset, int flags) {
  REAL(preadv64v2);
  const iovec one = first_byte(pieces, count);
  return act(offset >= 0 ? kRead : kStreamRead, [&] { return original(fd, pieces, count, offset, flags); },
             [&] { return original(fd, &one, 1, offset, flags); });
}

ssize_t pwritev64v2(int fd, const iovec* pieces, int count, off64_t offset, int flags) {
  REAL(pwritev64v2);
  const iovec one = first_byte(pieces, count);
  return act(kStreamWrite, [&] { return original(fd, pieces, count, offset, flags); }, [&] { return original(fd, &one, 1, offset, flags); });
}

ssize_t writev(int fd, const iovec* pieces, int count) {
  REAL(writev);
  const iovec one = first_byte(pieces, count);
  return act(kStreamWrite, [&] { return original(fd, pieces, count); }, [&] { return original(fd, &one, 1); });
}

void* mmap64(void* at, size_t bytes, int protection, int flags, int fd, off64_t offset) {
  REAL(mmap64);
  if (fd >= 0 && protection == PROT_READ && (flags & MAP_SHARED) != 0) {
    const int error = fault(kMap);
    if (error > 0) {
      errno = error;
      return MAP_FAILED;
    }
  }
  return original(at, bytes, protection, flags, fd, offset);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t bytes) {
  REAL(fallocate64);
  const int error = fault(kAllocate);
  if (error > 0) {
    errno = error;
    return -1;
  }
  return original(fd, mode, offset, bytes);
}

struct io_uring;
int io_uring_queue_init(unsigned entries, io_uring* ring, unsigned flags) {
  static const auto original = reinterpret_cast<int (*)(unsigned, io_uring*, unsigned)>(::dlsym(RTLD_NEXT, "io_uring_queue_init"));
  const int error = fault(kRingMake);
  return error > 0 ? -error : original(entries, ring, flags);
}

int io_uring_submit_and_wait(io_uring* ring, unsigned count) {
  static const auto original = reinterpret_cast<int (*)(io_uring*, unsigned)>(::dlsym(RTLD_NEXT, "io_uring_submit_and_wait"));
  const int error = fault(kRingSubmit);
  return error > 0 ? -error : original(ring, count);
}

}  // extern "C"
