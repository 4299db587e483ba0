// A window of the file: in a buffer, moved by positioned reads; or mapped, where a scan of a large file gains by that.
#include "libio/os/map_file.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "libio/os/bus_guard.h"
#include "libio/os/io_strategy.h"
#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

constexpr size_t kMaxView = size_t{16} * 1024 * 1024;
constexpr size_t kPage = 4096;

struct Buffer {
  std::unique_ptr<std::byte[]> bytes;
  size_t capacity = 0;
};

// The last buffer of an ordinary size that this thread gave back: a tree of small files would otherwise make the
// allocator fetch and return the same pages for each of them.
thread_local Buffer spare;

Buffer take_buffer(size_t at_least) {
  if (spare.capacity >= at_least) return std::exchange(spare, Buffer{});
  const size_t capacity = (at_least + kPage - 1) / kPage * kPage;
  return {std::make_unique_for_overwrite<std::byte[]>(capacity), capacity};
}

void give_back(Buffer buffer) {
  if (buffer.capacity > spare.capacity && buffer.capacity <= 2 * strategy::kSequentialWindow) spare = std::move(buffer);
}

}  // namespace

struct MapFile::Impl {
  const File& file;
  const uint64_t size;
  const Access access;
  Buffer buffer;
  uint64_t begin = 0;  // of the window in the file
  size_t filled = 0;
  uint64_t position = 0;  // the file's own position, as far as we moved it
  size_t next_read = strategy::kRandomWindow;  // random access: grows while the requests turn out to be in order

  std::unique_ptr<GuardedWindow> mapped;  // instead of the buffer
  uint64_t mapped_at = 0;

  Impl(const File& f, uint64_t s, Access a) : file(f), size(s), access(a) {
    const bool scan = a == Access::kScan && s >= strategy::kLeastMapped;
    if (a == Access::kMapped || (scan && strategy::mapped_scan_pays(sys::file_system_kind(f.fd()))))
      mapped = std::make_unique<GuardedWindow>();
  }
  ~Impl() { give_back(std::move(buffer)); }

  bool holds(uint64_t offset, size_t bytes) const { return offset >= begin && offset + bytes <= begin + filled; }

  size_t window_for(uint64_t offset, size_t bytes) {
    if (access != Access::kRandom) return std::max(bytes, strategy::kSequentialWindow);
    const bool in_order = filled > 0 && offset >= begin && offset <= begin + filled;
    next_read = in_order ? std::min(next_read * 2, strategy::kSequentialWindow) : strategy::kRandomWindow;
    return std::max(bytes, next_read);
  }

  bool mapped_holds(uint64_t offset, size_t bytes) const {
    return offset >= mapped_at && offset + bytes <= mapped_at + mapped->bytes().size() && !mapped->lost();
  }
  Bytes mapped_piece(uint64_t offset, size_t bytes) const {
    return mapped->bytes().subspan(static_cast<size_t>(offset - mapped_at), bytes);
  }

  // If there can be no mapping, `mapped` is gone afterwards and the buffer has to do.
  Status slide_mapped(uint64_t offset, size_t bytes) {
    if (mapped->lost()) return shorter();
    const uint64_t start = offset / kPage * kPage;
    const uint64_t end = std::min(size, std::max<uint64_t>(offset + bytes, start + strategy::kMappedWindow));
    const FileInfo now = TRY(file.info());
    if (now.size < offset + bytes) return shorter();
    // Pages wholly beyond the end would raise SIGBUS for nothing.
    const uint64_t until = std::min(end, now.size);
    if (!mapped->map(file.fd(), start, static_cast<size_t>(until - start))) {
      if (mapped->lost()) return shorter();
      mapped.reset();
      return {};
    }
    mapped_at = start;
    if (until < size) sys::advise(file.fd(), until, strategy::kMappedWindow, POSIX_FADV_WILLNEED);
    return {};
  }

  static std::unexpected<Error> shorter() { return fail(Fault::kSystem, "file became shorter while it was read"); }

  Status slide(uint64_t offset, size_t bytes) {
    const size_t window = static_cast<size_t>(std::min<uint64_t>(window_for(offset, bytes), size - offset));
    // What the new window shares with the end of the old one is kept.
    size_t kept = 0;
    const std::byte* kept_from = nullptr;
    if (filled > 0 && offset >= begin && offset < begin + filled) {
      kept_from = buffer.bytes.get() + (offset - begin);
      kept = static_cast<size_t>(begin + filled - offset);
    }
    if (buffer.capacity < window) {
      Buffer larger = take_buffer(window);  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): it owns what it took
      if (kept > 0) std::memcpy(larger.bytes.get(), kept_from, kept);
      std::swap(buffer, larger);
      give_back(std::move(larger));
    } else if (kept > 0) {
      std::memmove(buffer.bytes.get(), kept_from, kept);
    }
    begin = offset;
    filled = kept;
    if (kept >= window) return {};
    const Result<size_t> got = fill({buffer.bytes.get() + kept, window - kept}, offset + kept);
    if (!got) return fail(Fault::kSystem, "", got.error().sys);
    filled += *got;
    return {};
  }

  // Reading in order leaves it to the file where we are: that serves what cannot seek as well.
  Result<size_t> fill(MutableBytes into, uint64_t offset) {
    if (access == Access::kRandom || offset != position) return file.read_full_at(into, offset);
    size_t done = 0;
    while (done < into.size()) {
      const size_t got = TRY(sys::read(file.fd(), into.subspan(done)));
      if (got == 0) break;
      done += got;
      position += got;
    }
    return done;
  }
};

MapFile::MapFile(const File& file, uint64_t size, Access access) : impl_(std::make_unique<Impl>(file, size, access)) {
  if (access != Access::kRandom && size > strategy::kSequentialWindow) file.advise_sequential();
}
MapFile::~MapFile() = default;
MapFile::MapFile(MapFile&&) noexcept = default;

Result<Bytes> MapFile::view(uint64_t offset, size_t bytes) {
  assert(bytes <= kMaxView);
  if (bytes > impl_->size || offset > impl_->size - bytes) return fail(Fault::kSystem, "read beyond the end");
  if (bytes == 0) return Bytes();
  if (impl_->mapped) {
    if (impl_->mapped_holds(offset, bytes)) return impl_->mapped_piece(offset, bytes);
    TRY(impl_->slide_mapped(offset, bytes));
    if (impl_->mapped) return impl_->mapped_piece(offset, bytes);
  }
  if (!impl_->holds(offset, bytes)) {
    TRY(impl_->slide(offset, bytes));
    if (!impl_->holds(offset, bytes)) return Impl::shorter();
  }
  return Bytes(impl_->buffer.bytes.get() + (offset - impl_->begin), bytes);
}

Status MapFile::intact() const {
  if (impl_->mapped && impl_->mapped->lost()) return Impl::shorter();
  return {};
}

uint64_t MapFile::size() const { return impl_->size; }

}  // namespace ocsync::io
