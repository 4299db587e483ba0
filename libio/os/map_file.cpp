// A window of the file: in a buffer, moved by positioned reads; or mapped, where a scan of a large file gains by that.
#include "libio/os/map_file.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <optional>

#include "libio/os/bus_guard.h"
#include "libio/os/io_strategy.h"
#include "libio/os/read_ahead.h"
#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

constexpr size_t kMaxView = size_t{16} * 1024 * 1024;
constexpr size_t kPage = 4096;

}  // namespace

struct MapFile::Impl {
  const File& file;
  const uint64_t size;
  const Access access;
  IoStrategy* const io;
  std::optional<ReadAhead> ahead;  // of a large file that is read in order
  bool first = true;               // nothing was read yet
  Buffer buffer;
  uint64_t begin = 0;  // of the window in the file
  size_t filled = 0;
  size_t next_read = strategy::kRandomWindow / 2;  // random access: grows while the requests turn out to be in order

  std::unique_ptr<GuardedWindow> mapped;  // instead of the buffer
  uint64_t mapped_at = 0;

  Impl(const File& f, uint64_t s, Access a, IoStrategy* i) : file(f), size(s), access(a), io(i) {
    const bool scans = a == Access::kScan && s > strategy::kSequentialWindow;
    if (a == Access::kMapped || (scans && io != nullptr && io->maps(f, s))) mapped = std::make_unique<GuardedWindow>();
    if (io != nullptr && access != Access::kRandom && s > strategy::kSequentialWindow) {
      const bool drops = io->uses(IoPart::kDrop);
      if (drops || io->uses(IoPart::kAheadAlways))
        ahead.emplace(f, s,
                      ReadAhead::Manner{
                          .ahead_bytes = io->uses(IoPart::kAheadAlways) ? uint64_t{io->wishes().ahead_kib} * 1024 : 0,
                          .drop_behind = drops,
                          .metrics = &io->metrics()});
    }
  }

  void count(IoMetrics::Count IoMetrics::* what, uint64_t n) {
    if (io != nullptr) IoMetrics::add(io->metrics().*what, n);
  }
  Buffer take_buffer(size_t at_least) {
    if (io != nullptr) return io->buffer(at_least);
    return Buffer::fresh((at_least + kPage - 1) / kPage * kPage);
  }
  Result<size_t> read(MutableBytes into, uint64_t offset) {
    size_t done = 0;
    if (std::exchange(first, false) && io != nullptr && io->watches_next()) {
      const Result<size_t> got = io->first_read(file, into, offset);
      if (!got && got.error().sys != ESPIPE) return fail(got.error());
      if (got && *got == 0) return size_t{0};
      done = got.value_or(0);
    }
    if (done < into.size()) done += TRY(fill(into.subspan(done), offset + done));
    return done;
  }

  bool holds(uint64_t offset, size_t bytes) const { return offset >= begin && offset + bytes <= begin + filled; }

  size_t window_for(uint64_t offset, size_t bytes) {
    if (access != Access::kRandom) return std::max(bytes, strategy::kSequentialWindow);
    const bool in_order = offset >= begin && offset <= begin + filled;  // the beginning of the file, too
    if (!in_order) {
      next_read = strategy::kRandomWindow / 2;
      return bytes + (kPage - (offset + bytes) % kPage) % kPage;
    }
    next_read = std::min(next_read * 2, strategy::kSequentialWindow);
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
      count(&IoMetrics::windows_refused, 1);
      return {};
    }
    // One call instead of a fault for every 64 KiB.
    sys::populate(mapped->bytes().data(), mapped->bytes().size());
    mapped_at = start;
    count(&IoMetrics::windows, 1);
    count(&IoMetrics::mapped, until - start);
    if (ahead) ahead->reached(start);
    if (until < size) sys::advise(file.fd(), until, strategy::kMappedWindow, POSIX_FADV_WILLNEED);
    return {};
  }

  std::unexpected<Error> shorter() {
    count(&IoMetrics::shrunk, 1);
    return fail(Fault::kSystem, "file became shorter while it was read");
  }

  Status slide(uint64_t offset, size_t bytes) {
    const size_t window = static_cast<size_t>(std::min<uint64_t>(window_for(offset, bytes), size - offset));
    // What the new window shares with the end of the old one is kept.
    size_t kept = 0;
    const std::byte* kept_from = nullptr;
    if (filled > 0 && offset >= begin && offset < begin + filled) {
      kept_from = buffer.data() + (offset - begin);
      kept = static_cast<size_t>(begin + filled - offset);
    }
    if (buffer.size() < window) {
      Buffer larger = take_buffer(window);
      if (kept > 0) std::memcpy(larger.data(), kept_from, kept);
      buffer = std::move(larger);
    } else if (kept > 0) {
      std::memmove(buffer.data(), kept_from, kept);
    }
    begin = offset;
    filled = kept;
    if (kept >= window) return {};
    const Result<size_t> got = read({buffer.data() + kept, window - kept}, offset + kept);
    if (!got) return fail(Fault::kSystem, "", got.error().sys);
    filled += *got;
    count(&IoMetrics::plain, *got);
    if (ahead) ahead->reached(offset);
    return {};
  }

  // Reading in order leaves it to the file where we are: that serves what cannot seek as well.
  Result<size_t> fill(MutableBytes into, uint64_t offset) {
    size_t done = 0;
    while (done < into.size()) {
      const bool in_order = access != Access::kRandom && file.position() == offset + done;
      const MutableBytes rest = into.subspan(done);
      const size_t got = TRY(in_order ? file.read_on(rest) : file.read_at(rest, offset + done));
      if (got == 0) break;
      done += got;
    }
    return done;
  }
};

MapFile::MapFile(const File& file, uint64_t size, Access access, IoStrategy* io)
    : impl_(std::make_unique<Impl>(file, size, access, io)) {
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
    if (!impl_->holds(offset, bytes)) return impl_->shorter();
  }
  return Bytes(impl_->buffer.data() + (offset - impl_->begin), bytes);
}

Status MapFile::intact() const {
  if (impl_->mapped && impl_->mapped->lost()) return impl_->shorter();
  return {};
}

bool MapFile::mapped() const { return impl_->mapped != nullptr; }
uint64_t MapFile::size() const { return impl_->size; }

}  // namespace ocsync::io
