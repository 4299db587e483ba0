// A window of the file in a buffer, moved by positioned reads.
#include "libio/os/map_file.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "libio/os/io_strategy.h"

namespace ocsync::io {
namespace {

constexpr size_t kMaxView = 16 * 1024 * 1024;
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
  size_t next_read = strategy::kRandomWindow;  // random access: grows while the requests turn out to be in order

  Impl(const File& f, uint64_t s, Access a) : file(f), size(s), access(a) {}
  ~Impl() { give_back(std::move(buffer)); }

  bool holds(uint64_t offset, size_t bytes) const { return offset >= begin && offset + bytes <= begin + filled; }

  size_t window_for(uint64_t offset, size_t bytes) {
    if (access == Access::kSequential) return std::max(bytes, strategy::kSequentialWindow);
    const bool in_order = filled > 0 && offset >= begin && offset <= begin + filled;
    next_read = in_order ? std::min(next_read * 2, strategy::kSequentialWindow) : strategy::kRandomWindow;
    return std::max(bytes, next_read);
  }

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
      Buffer larger = take_buffer(window);
      if (kept > 0) std::memcpy(larger.bytes.get(), kept_from, kept);
      give_back(std::exchange(buffer, std::move(larger)));
    } else if (kept > 0) {
      std::memmove(buffer.bytes.get(), kept_from, kept);
    }
    begin = offset;
    filled = kept;
    if (kept >= window) return {};
    const Result<size_t> got = file.read_full_at({buffer.bytes.get() + kept, window - kept}, offset + kept);
    if (!got) return fail(Fault::kSystem, "", got.error().sys);
    filled += *got;
    return {};
  }
};

MapFile::MapFile(const File& file, uint64_t size, Access access) : impl_(std::make_unique<Impl>(file, size, access)) {
  if (access == Access::kSequential && size > strategy::kSequentialWindow) file.advise_sequential();
}
MapFile::~MapFile() = default;
MapFile::MapFile(MapFile&&) noexcept = default;

Result<Bytes> MapFile::view(uint64_t offset, size_t bytes) {
  assert(bytes <= kMaxView);
  if (bytes > impl_->size || offset > impl_->size - bytes) return fail(Fault::kSystem, "read beyond the end");
  if (bytes == 0) return Bytes();
  if (!impl_->holds(offset, bytes)) {
    TRY(impl_->slide(offset, bytes));
    if (!impl_->holds(offset, bytes)) return fail(Fault::kSystem, "file became shorter while it was read");
  }
  return Bytes(impl_->buffer.bytes.get() + (offset - impl_->begin), bytes);
}

uint64_t MapFile::size() const { return impl_->size; }

}  // namespace ocsync::io
