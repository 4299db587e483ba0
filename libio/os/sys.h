// System calls on files, descriptors, sockets and processes, in one place. (What goes through databases of the C
// library, terminals and the ids of this process is in identity, terminal, socket and child; io_uring is in ring.)
//
// Each function is one call (retried on EINTR where that is right) and returns a Result whose error carries errno and
// no sentence. Tests can order the nth call of a kind to fail or to be cut short; see FaultPlan at the end.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "libio/base/bytes.h"
#include "libio/base/result.h"
#include "libio/os/fd.h"
#include "libio/os/file_info.h"

namespace ocsync::io::sys {

// --- names in directories -----------------------------------------------------------------------------------------
// O_CLOEXEC is always added.
Result<Fd> open_at(int dir, const char* path, int flags, uint32_t mode = 0);
// openat2() with RESOLVE_* bits; ENOSYS where the kernel or a sandbox has none.
Result<Fd> open_resolved(int dir, const char* path, int flags, uint64_t resolve);
Result<FileInfo> stat_at(int dir, const char* path, int flags);
Result<FileInfo> stat_fd(int fd);
// The same with the time of birth; statx() costs about 7 % more than fstatat() here, so only who needs it asks.
Result<FileInfo> stat_with_birth(int dir, const char* path, int flags);
// Raw directory records into `into`; 0 at the end.
Result<size_t> list_dir(int dir, MutableBytes into);
Status make_dir(int dir, const char* name, uint32_t mode);
Status make_symlink(const char* target, int dir, const char* name);
Status make_node(int dir, const char* name, uint32_t mode, uint64_t rdev);
Status link_at(int from_dir, const char* from, int to_dir, const char* to, int flags);
Status rename_at(int from_dir, const char* from, int to_dir, const char* to, unsigned flags);
Status unlink_at(int dir, const char* name, int flags);
Result<std::string> read_link(int dir, const char* name);
inline constexpr uint64_t kProcFileSystem = 0x9fa0;
uint64_t file_system_kind(int fd);  // the magic number of statfs; 0 if it cannot be told

// --- attributes; each falls back to the forms that work on O_PATH descriptors ----------------------------------------
Status change_mode_at(int dir, const char* name, uint32_t mode);  // never through a symlink: EOPNOTSUPP
Status change_mode(int fd, uint32_t mode);
Status change_owner_at(int dir, const char* name, uint32_t uid, uint32_t gid);
Status change_owner(int fd, uint32_t uid, uint32_t gid);
Status change_times_at(int dir, const char* name, std::optional<FileTime> atime, FileTime mtime);
Status change_times(int fd, std::optional<FileTime> atime, FileTime mtime);

// --- content --------------------------------------------------------------------------------------------------------
Result<size_t> read(int fd, MutableBytes into);
Result<size_t> read_at(int fd, MutableBytes into, uint64_t offset);
Result<size_t> write(int fd, Bytes bytes);
Result<size_t> write_at(int fd, Bytes bytes, uint64_t offset);
Result<size_t> write_v(int fd, const iovec* pieces, int count);
// Never wait, whatever the flags of the descriptor; EOPNOTSUPP where its kind cannot promise that.
Result<size_t> read_nowait(int fd, MutableBytes into);
Result<size_t> write_v_nowait(int fd, const iovec* pieces, int count);
Result<uint64_t> seek(int fd, int64_t offset, int whence);
Status truncate(int fd, uint64_t bytes);
Status allocate(int fd, int mode, uint64_t offset, uint64_t bytes);
Status sync(int fd);
void advise(int fd, uint64_t offset, uint64_t bytes, int advice);
void read_ahead(int fd, uint64_t offset, size_t bytes);
Status clone(int from, int to);
Status clone_range(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t bytes);
// Never waits for a disk: EAGAIN if that would be needed, EOPNOTSUPP where the file system cannot tell.
Result<size_t> read_at_nowait(int fd, MutableBytes into, uint64_t offset);
Result<size_t> copy_range(int from, uint64_t from_offset, int to, uint64_t to_offset, size_t bytes);
Result<void*> map(int fd, uint64_t offset, size_t bytes);  // read-only, shared
void unmap(void* at, size_t bytes);
void populate(const void* at, size_t bytes);          // fetches the pages of a mapping now, in one call; a wish
void prefer_huge_pages(std::byte* at, size_t bytes);  // a wish

// --- extended attributes
// ----------------------------------------------------------------------------------------------- Of the object behind
// fd when `leaf` is null (also one opened O_PATH), else of that child, never through a symlink.
Result<size_t> xattr_list(int fd, const char* leaf, MutableBytes into);
Result<size_t> xattr_get(int fd, const char* leaf, const char* name, MutableBytes into);
Status xattr_set(int fd, const char* leaf, const char* name, Bytes value);
Status xattr_remove(int fd, const char* leaf, const char* name);

// --- descriptors
// ------------------------------------------------------------------------------------------------------
Result<Fd> duplicate(int fd);
Result<int> flags(int fd);
Status set_nonblocking(int fd, bool on);
struct Pipe {
  Fd read_end, write_end;
};
Result<Pipe> make_pipe();
void enlarge_pipe(int fd, int bytes);  // a wish
Result<Fd> make_event();               // non-blocking eventfd
// Number of descriptors with events; 0 after timeout_ms (-1: never). EINTR is returned, for the caller to look around.
Result<int> poll(pollfd* fds, nfds_t count, int timeout_ms);
int64_t clock_ms();  // monotonic, coarse
int64_t clock_us();  // monotonic
void fill_random(MutableBytes into);

// --- sockets
// ------------------------------------------------------------------------------------------------------------
Result<Fd> make_socket(int family, int type, int protocol);  // non-blocking
Status connect(int fd, const sockaddr* address, socklen_t bytes);
Status bind(int fd, const sockaddr* address, socklen_t bytes);
Status listen(int fd, int backlog);
Result<Fd> accept(int fd, sockaddr_storage* from, socklen_t* bytes);
Status set_option(int fd, int level, int option, const void* value, socklen_t bytes);
Result<int> get_option(int fd, int level, int option);
Status shut_down(int fd, int how);

// --- processes
// --------------------------------------------------------------------------------------------------------
Result<std::optional<int>> wait_child(pid_t pid, bool block);  // raw status; nothing while it still runs
Status send_signal(pid_t pid, int number);

// --- processors and rings
Status pin_thread(std::span<const unsigned> cpus);  // the calling thread; EINVAL if none of them exists
unsigned current_node();
unsigned node_count();  // at least 1
bool ring_fault();      // true, with errno set: a plan orders this use of a ring to fail

// --- failures by plan
// -----------------------------------------------------------------------------------------------------
enum class Call : uint8_t {
  kOpen,
  kStat,
  kList,
  kName,
  kAttribute,
  kRead,
  kWrite,
  kSize,
  kSync,
  kClone,
  kCopyRange,
  kMap,
  kXattr,
  kPoll,
  kSocket,
  kSeek,
  kRing,  // making a ring, and each submission
  kCount
};

// While it lives, calls of one kind fail: the `nth` (1 is the next) and `times - 1` after it. `error` is the errno; 0
// cuts a read or write to at most one byte instead. For tests; at most one plan per kind at a time. EINTR given to a
// call that retries is seen as a retry, as with a real signal.
class FaultPlan {
 public:
  FaultPlan(Call call, unsigned nth, int error, unsigned times = 1);
  ~FaultPlan();
  FaultPlan(const FaultPlan&) = delete;
  FaultPlan& operator=(const FaultPlan&) = delete;
  unsigned fired() const;  // how many calls were made to fail so far

 private:
  Call call_;
};

}  // namespace ocsync::io::sys
