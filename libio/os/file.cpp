// Positioned reads and writes on an open file.
#include "libio/os/file.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "libio/os/sys.h"

namespace ocsync::io {

Result<FileInfo> File::info() const { return sys::stat_fd(fd()); }

Result<size_t> File::read_at(MutableBytes into, uint64_t offset) const { return sys::read_at(fd(), into, offset); }

Result<size_t> File::read_full_at(MutableBytes into, uint64_t offset) const {
  size_t done = 0;
  while (done < into.size()) {
    const size_t n = TRY(sys::read_at(fd(), into.subspan(done), offset + done));
    if (n == 0) break;
    done += n;
  }
  return done;
}

uint64_t File::position() const { return std::atomic_ref(position_).load(std::memory_order_relaxed); }
void File::moved_to(uint64_t position) const { std::atomic_ref(position_).store(position, std::memory_order_relaxed); }

Result<size_t> File::read_on(MutableBytes into) const {
  const size_t got = TRY(sys::read(fd(), into));
  if (const uint64_t at = position(); at != kNowhere) moved_to(at + got);
  return got;
}

Status File::write_at(Bytes bytes, uint64_t offset) const {
  while (!bytes.empty()) {
    const size_t n = TRY(sys::write_at(fd(), bytes, offset));
    if (n == 0) return fail(Error(ENOSPC));  // no kernel does this for a regular file; never loop on it
    bytes = bytes.subspan(n);
    offset += n;
  }
  return {};
}

Status File::truncate(uint64_t bytes) const { return sys::truncate(fd(), bytes); }

Result<uint64_t> File::device_bytes() const {
  moved_to(kNowhere);
  return sys::seek(fd(), 0, SEEK_END);
}

Status File::preallocate(uint64_t bytes) const {
  if (bytes == 0) return {};
  Status done = sys::allocate(fd(), FALLOC_FL_KEEP_SIZE, 0, bytes);
  if (!done && (done.error().sys == EOPNOTSUPP || done.error().sys == ENOSYS))
    return fail(Fault::kUnsupported, "", done.error().sys);
  return done;
}

Status File::punch_hole(uint64_t offset, uint64_t bytes) const {
  if (bytes == 0) return {};
  Status done = sys::allocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
  if (!done && (done.error().sys == EOPNOTSUPP || done.error().sys == ENOSYS))
    return fail(Fault::kUnsupported, "", done.error().sys);
  return done;
}

Status File::clear(uint64_t offset, uint64_t bytes) const {
  const Status punched = punch_hole(offset, bytes);
  if (punched || punched.error().fault != Fault::kUnsupported) return punched;
  static constexpr std::array<std::byte, size_t{64} * 1024> kZeros{};
  while (bytes > 0) {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(bytes, kZeros.size()));
    TRY(write_at(Bytes(kZeros).first(count), offset));
    offset += count;
    bytes -= count;
  }
  return {};
}

Result<std::optional<File::Extent>> File::next_data(uint64_t offset, uint64_t size) const {
  if (offset >= size) return std::optional<Extent>();
  moved_to(kNowhere);
  const Result<uint64_t> begin = sys::seek(fd(), static_cast<int64_t>(offset), SEEK_DATA);
  if (!begin) {
    if (begin.error().sys == ENXIO) return std::optional<Extent>();
    if (begin.error().sys == EINVAL || begin.error().sys == EOPNOTSUPP) return Extent{offset, size, false};
    return fail(begin.error());
  }
  if (*begin >= size) return std::optional<Extent>();
  const Result<uint64_t> end = sys::seek(fd(), static_cast<int64_t>(*begin), SEEK_HOLE);
  const bool ends = end && *end < size && *end > *begin;
  return Extent{*begin, ends ? *end : size};
}

Status File::sync() const { return sys::sync(fd()); }
void File::advise_sequential() const { sys::advise(fd(), 0, 0, POSIX_FADV_SEQUENTIAL); }
void File::advise_drop(uint64_t offset, uint64_t bytes) const { sys::advise(fd(), offset, bytes, POSIX_FADV_DONTNEED); }

Status File::set_mode(uint32_t permissions) const { return sys::change_mode(fd(), permissions); }
Status File::set_owner(uint32_t uid, uint32_t gid) const { return sys::change_owner(fd(), uid, gid); }
Status File::set_times(std::optional<FileTime> atime, FileTime mtime) const {
  return sys::change_times(fd(), atime, mtime);
}

}  // namespace ocsync::io
