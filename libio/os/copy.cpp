// Clone, in-kernel copy, buffers: each way takes over where the one before it gave up.
#include "libio/os/copy.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <optional>

#include "libio/os/io_strategy.h"
#include "libio/os/read_ahead.h"
#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

// Shorter runs of zeros are written; whole blocks of any file system are found with it all the same.
constexpr size_t kZeroRun = 1024;

// What pairs of file systems refused so far, so that a tree of a million files asks once and not a million times.
// Process-wide and lossy: a pair that falls out is simply asked again.
class Refusals {
 public:
  enum Kind : uint64_t { kClone = 1, kKernelCopy = 2, kHoles = 4 };  // the last: telling where they are
  void remember(uint64_t from, uint64_t to, Kind kind) {
    std::atomic<uint64_t>& slot = slot_of(from, to);
    const uint64_t key = key_of(from, to);
    const uint64_t now = slot.load(std::memory_order_relaxed);
    slot.store((now & ~kKinds) == key ? now | kind : key | kind, std::memory_order_relaxed);
  }
  bool known(uint64_t from, uint64_t to, Kind kind) {
    const uint64_t now = slot_of(from, to).load(std::memory_order_relaxed);
    return (now & ~kKinds) == key_of(from, to) && (now & kind) != 0;
  }

 private:
  static constexpr uint64_t kKinds = 7;
  // Never 0, which marks an empty slot; two pairs share a key once in 2^60, and then only lose a short cut.
  static uint64_t key_of(uint64_t from, uint64_t to) {
    return ((from * 0x9E3779B97F4A7C15u ^ (to + 0x632BE59BD9B4E019u) * 0xD6E8FEB86659FD93u) & ~kKinds) | 8;
  }
  std::atomic<uint64_t>& slot_of(uint64_t from, uint64_t to) { return slots_[(key_of(from, to) >> 17) % 64]; }
  std::atomic<uint64_t> slots_[64]{};
};
Refusals refusals;

std::unexpected<Error> reading(const Error& e) { return fail(Fault::kSystem, "", e.sys); }
std::unexpected<Error> writing(const Error& e) { return fail(Fault::kFileIo, "", e.sys); }

Buffer buffer_for(IoStrategy* io, uint64_t bytes) {
  return io != nullptr ? io->buffer(static_cast<size_t>(bytes)) : Buffer::fresh(static_cast<size_t>(bytes));
}
size_t pump_size(IoStrategy* io, uint64_t file_bytes) {
  return io != nullptr ? io->buffer_size(file_bytes) : strategy::kCopyBuffer;
}
void count(IoStrategy* io, IoMetrics::Count IoMetrics::* what, uint64_t bytes) {
  if (io != nullptr) IoMetrics::add(io->metrics().*what, bytes);
}

bool all_zero(Bytes bytes) {
  return bytes.empty() ||
         (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// One run of content for one file: where it goes, and what becomes of zeros.
struct Output {
  const File& file;
  IoStrategy* io;
  bool skip_zeros;
  uint64_t reserved;    // skipped zeros lie on reserved space and have to be punched out of it
  uint64_t end = 0;     // of what was written
  uint64_t total = 0;   // end of the content, holes included
  bool punches = true;  // until the file system refused

  Status put(Bytes bytes, uint64_t offset) {
    total = std::max(total, offset + bytes.size());
    if (!skip_zeros) return write(bytes, offset);
    // Alternating runs of zero and other chunks, on chunk borders of the file.
    while (!bytes.empty()) {
      size_t run = 0;
      bool zeros = false;
      while (run < bytes.size()) {
        const size_t chunk = std::min(bytes.size() - run, kZeroRun - static_cast<size_t>((offset + run) % kZeroRun));
        const bool zero = all_zero(bytes.subspan(run, chunk));
        if (run == 0) zeros = zero;
        if (zero != zeros) break;
        run += chunk;
      }
      if (!zeros)
        TRY(write(bytes.first(run), offset));
      else
        TRY(skip(offset, run));
      offset += run;
      bytes = bytes.subspan(run);
    }
    return {};
  }
  Status skip(uint64_t offset, uint64_t bytes) {
    total = std::max(total, offset + bytes);
    if (reserved == 0 || !punches) return {};
    const Status punched = file.punch_hole(offset, bytes);
    if (!punched && punched.error().fault != Fault::kUnsupported) return writing(punched.error());
    punches = punched.has_value();  // unwritten reserved space reads as zeros anyway
    return {};
  }
  Status write(Bytes bytes, uint64_t offset) {
    if (Status s = file.write_at(bytes, offset); !s) return writing(s.error());
    end = std::max(end, offset + bytes.size());
    return {};
  }
  // A hole at the end exists only by the size; and what was reserved beyond a source that shrank is given back.
  Status finish() {
    if (end == total && total >= reserved) return {};
    if (Status s = file.truncate(total); !s) return writing(s.error());
    return {};
  }
};

// From `offset` to the end of `from`, or of the region; the buffer is filled and emptied in turn.
Result<uint64_t> pump(const File& from, Output& out, uint64_t offset, uint64_t until, uint64_t size, const Stop& stop) {
  const Buffer held = buffer_for(out.io, pump_size(out.io, size));
  // Memory that belongs to a larger size is used as far as the rule says, so that the caches keep it.
  const MutableBytes buffer = held.bytes().first(pump_size(out.io, size));
  std::optional<ReadAhead> ahead;
  if (out.io != nullptr && size > strategy::kSmallFile &&
      (out.io->uses(IoPart::kDrop) || out.io->uses(IoPart::kAheadAlways)))
    ahead.emplace(
        from, size,
        ReadAhead::Manner{
            .ahead_bytes = out.io->uses(IoPart::kAheadAlways) ? uint64_t{out.io->wishes().ahead_kib} * 1024 : 0,
            .drop_behind = out.io->uses(IoPart::kDrop),
            .metrics = &out.io->metrics()});
  uint64_t unchecked = 0;
  bool first = offset == 0 && out.io != nullptr;
  while (offset < until) {
    if (unchecked == 0 || unchecked >= strategy::kCopyStep) {
      TRY(stop.check());
      unchecked = 0;
    }
    const size_t want = static_cast<size_t>(std::min<uint64_t>(buffer.size(), until - offset));
    const Result<size_t> got =
        first ? out.io->first_read(from, buffer.first(want), offset) : from.read_at(buffer.first(want), offset);
    first = false;
    if (!got) return reading(got.error());
    if (*got == 0) break;
    count(out.io, &IoMetrics::plain, *got);
    TRY(out.put(buffer.first(*got), offset));
    offset += *got;
    if (ahead) ahead->reached(offset);
    unchecked += *got;
  }
  return offset;
}

// Only the regions that hold data are read at all.
Status pump_sparse(const File& from, Output& out, uint64_t device, uint64_t size, const Stop& stop) {
  uint64_t offset = 0;
  while (offset < size) {
    const Result<std::optional<File::Extent>> extent = from.next_data(offset, size);
    if (!extent) return reading(extent.error());
    if (!*extent) break;
    if (!(*extent)->told) refusals.remember(device, device, Refusals::kHoles);
    if ((*extent)->begin > offset) TRY(out.skip(offset, (*extent)->begin - offset));
    const uint64_t reached = TRY(pump(from, out, (*extent)->begin, (*extent)->end, size, stop));
    if (reached < (*extent)->end) return {};  // it shrank: what is left is all there is
    offset = reached;
  }
  if (offset < size) TRY(out.skip(offset, size - offset));
  // And what it has grown since.
  TRY(pump(from, out, size, UINT64_MAX, 0, stop));
  return {};
}

bool refused(int error) {
  return error == EOPNOTSUPP || error == ENOTTY || error == EXDEV || error == ENOSYS || error == EPERM;
}

// In-kernel copying from the start; how far it came. It never fails: the buffered copy that follows meets the same
// trouble and can say which side has it.
Result<uint64_t> copy_in_kernel(const File& from, const FileInfo& source, const File& to, const FileInfo& target,
                                const Stop& stop) {
  uint64_t done = 0;
  for (;;) {
    TRY(stop.check());
    const Result<size_t> n = sys::copy_range(from.fd(), done, to.fd(), done, strategy::kCopyStep);
    if (!n) {
      if (done == 0 && refused(n.error().sys)) refusals.remember(source.dev, target.dev, Refusals::kKernelCopy);
      return done;
    }
    if (*n == 0) return done;
    done += *n;
  }
}

// A small file in one read and one write; nothing if it is not as small as was thought.
Result<std::optional<uint64_t>> copy_small(const File& from, Output& out, uint64_t expected) {
  const Buffer buffer = buffer_for(out.io, expected + 1);
  // One byte more than expected, so that a short read shows the end without a second call.
  const MutableBytes into = buffer.bytes().first(static_cast<size_t>(expected) + 1);
  const Result<size_t> got = out.io != nullptr ? out.io->first_read(from, into, 0) : from.read_at(into, 0);
  if (!got) return reading(got.error());
  if (*got != expected) return std::optional<uint64_t>();
  count(out.io, &IoMetrics::plain, *got);
  TRY(out.put(into.first(*got), 0));
  TRY(out.finish());
  return std::optional<uint64_t>(expected);
}

}  // namespace

Result<CopyResult> copy_content(const File& from, const File& to, uint64_t expected, const CopyOptions& options,
                                const Stop& stop) {
  TRY(stop.check());
  IoStrategy* const io = options.io;
  Output out{to, io, options.sparse, 0};
  if (options.preallocate && expected > 0) {
    if (Status s = to.preallocate(expected); s) {
      out.reserved = expected;
      // Only what lies below a file's size can be punched out of it.
      if (options.sparse)
        if (Status sized = to.truncate(expected); !sized) return writing(sized.error());
    } else if (s.error().fault != Fault::kUnsupported)
      return writing(s.error());
  }
  if (options.content && options.content->size() == expected) {
    TRY(out.put(*options.content, 0));
    TRY(out.finish());
    return CopyResult{expected, CopyResult::Path::kBuffered};
  }
  if (expected <= strategy::kSmallFile && !options.prefer_kernel) {
    if (const auto done = TRY(copy_small(from, out, expected))) return CopyResult{*done, CopyResult::Path::kBuffered};
  }

  const Result<FileInfo> source = from.info();
  if (!source) return reading(source.error());
  const Result<FileInfo> target = to.info();
  if (!target) return writing(target.error());

  if (options.allow_clone && (io == nullptr || io->uses(IoPart::kClone)) && !options.preallocate &&
      source->is_regular() && !refusals.known(source->dev, target->dev, Refusals::kClone)) {
    const Status cloned = sys::clone(from.fd(), to.fd());
    if (cloned) {
      const Result<FileInfo> after = to.info();
      if (!after) return writing(after.error());
      count(io, &IoMetrics::cloned, after->size);
      return CopyResult{after->size, CopyResult::Path::kCloned};
    }
    if (refused(cloned.error().sys)) refusals.remember(source->dev, target->dev, Refusals::kClone);
  }

  from.advise_sequential();
  if (options.sparse && source->is_regular()) {
    // next_data() is worth its calls only if something is missing from the blocks.
    if (source->blocks * 512 < source->size && !refusals.known(source->dev, source->dev, Refusals::kHoles))
      TRY(pump_sparse(from, out, source->dev, source->size, stop));
    else
      TRY(pump(from, out, 0, UINT64_MAX, source->size, stop));
    TRY(out.finish());
    return CopyResult{out.total, CopyResult::Path::kBuffered};
  }

  uint64_t done = 0;
  if (source->is_regular() && !refusals.known(source->dev, target->dev, Refusals::kKernelCopy)) {
    const uint64_t from_kind = sys::file_system_kind(from.fd());
    const uint64_t to_kind = sys::file_system_kind(to.fd());
    if (options.prefer_kernel ||
        (io != nullptr ? io->copies_in_kernel(from_kind, to_kind)
                       : strategy::kernel_copy_pays(from_kind) && strategy::kernel_copy_pays(to_kind)))
      done = TRY(copy_in_kernel(from, *source, to, *target, stop));
    else
      refusals.remember(source->dev, target->dev, Refusals::kKernelCopy);
  }
  count(io, &IoMetrics::kernel, done);
  out.end = out.total = done;
  const uint64_t end = TRY(pump(from, out, done, UINT64_MAX, source->size, stop));
  TRY(out.finish());
  // Most of it by the kernel counts as that; the buffer then only looked for the end.
  return CopyResult{end, done > 0 && done == end ? CopyResult::Path::kKernel : CopyResult::Path::kBuffered};
}

RangeSharing::RangeSharing(const File& from, const File& to) : from_(from), to_(to) {
  const Result<FileInfo> source = from.info();
  const Result<FileInfo> target = to.info();
  if (!source || !target || !source->is_regular() || !target->is_regular()) return;
  from_device_ = source->dev;
  to_device_ = target->dev;
  possible_ = !refusals.known(from_device_, to_device_, Refusals::kClone);
}

bool RangeSharing::share(uint64_t from_offset, uint64_t to_offset, uint64_t bytes) {
  if (!possible_) return false;
  const Status shared = sys::clone_range(from_.fd(), from_offset, to_.fd(), to_offset, bytes);
  if (shared) return true;
  possible_ = false;
  if (refused(shared.error().sys)) refusals.remember(from_device_, to_device_, Refusals::kClone);
  return false;
}

}  // namespace ocsync::io
