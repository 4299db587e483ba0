// Which way of moving bytes serves a file: one place with the rules, each with the measurement behind it.
//
// Measured on Linux 6.18, two cores, warm cache, tmpfs and ext4 on a virtual disk; tests/bench/os_bench.cpp repeats it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "libio/base/buffer_pool.h"
#include "libio/os/file.h"
#include "libio/os/io_metrics.h"
#include "libio/os/io_wishes.h"

namespace ocsync::io::strategy {

// Up to here a file is copied by one read and one write. Copying 4 KiB took 12.2 us on tmpfs and 34.8 us on ext4 (open,
// create, close and unlink included) against 12.5 and 35.8 us with copy_file_range() and 19 and 43 us through a
// mapping; asking what the two file systems could do would cost two calls more.
inline constexpr uint64_t kSmallFile = uint64_t{256} * 1024 - 1;

// Buffers of 256 KiB to 1 MiB stay in the second-level cache. 32 MiB on ext4: 8.4 ms with 64 KiB, 7.8 with 256 KiB, 7.6
// with 1 MiB; on tmpfs 17.6, 17.2, 17.1 ms.
inline constexpr size_t kCopyBuffer = size_t{512} * 1024;

// How much is copied between two looks at the stop flag.
inline constexpr uint64_t kCopyStep = uint64_t{8} * 1024 * 1024;

// copy_file_range() inside one local file system lost to a buffer everywhere (1 MiB on ext4: 262 us against 221 us;
// 32 MiB on tmpfs: 18.4 ms against 17.2 ms), since the kernel then splices page by page. Over a network it keeps the
// content on the server, which no buffer can beat. `kind` is the magic number of statfs.
bool kernel_copy_pays(uint64_t file_system_kind);

// Reading a basis in order: 256 KiB a time. Reading and digesting 256 MiB (xxh3): 64 KiB 21.5 GB/s, 256 KiB 24.5, 4 MiB
// 23.3 on ext4; 8.8, 9.3, 8.8 on tmpfs.
inline constexpr size_t kSequentialWindow = size_t{256} * 1024;

// A scan of a large file may be mapped where the page cache holds large folios: with windows of 8 MiB 30.8 GB/s against
// 24.5 on ext4, Linux 6.18. With small folios the faults cost more than copying (tmpfs 6.5 against 9.2), and so do
// small windows (256 KiB on ext4: 10.9), so that is the exception and not the rule. `kind` is the magic number of
// statfs.
inline constexpr uint64_t kLeastMapped = uint64_t{16} * 1024 * 1024;
inline constexpr size_t kMappedWindow = size_t{8} * 1024 * 1024;
bool mapped_scan_pays(uint64_t file_system_kind);

// Reading it in no order: the pages that are asked for after a jump (16 KiB made 100 cold seeks 1.2 times as long), and
// at least this much once it goes on behind them, as one call costs as much as copying 8 KiB (1 KiB pieces: 2.0 GB/s, 8
// KiB: 8.5 GB/s on ext4).
inline constexpr size_t kRandomWindow = size_t{16} * 1024;

// A delta's matched run that keeps its place among the blocks of the file system may share them with the basis: from 64
// KiB on, and not for files below a MiB. It is settled every 4 MiB, so that little is missing from a file that breaks
// off. On xfs 64 MiB took 7 to 8 ms with reading back what was shared, 21 to 26 ms written (tests/bench, shared_range).
inline constexpr uint64_t kLeastSharedFile = uint64_t{1} << 20;
inline constexpr uint64_t kLeastSharedRun = uint64_t{64} * 1024;
inline constexpr uint64_t kMostSharedRun = uint64_t{4} << 20;

// Names are looked at through io_uring, many at a time: over 200 directories of 15 files and 10 of 1,000 a walk takes
// 0.05 to 0.4 calls for each entry instead of 1.0 to 1.4, and 1.00 to 1.16 times less CPU time (kernel workers
// included) on tmpfs and ext4, since the generating role works meanwhile. By itself it is no faster: 1,000 infos took
// 0.70 ms by plain calls and 1.32 ms by a ring of 128. So many names must have been seen before a ring is made, as that
// costs as much as a hundred of them; and so many are asked for at once, for each takes half a KiB until it is used.
inline constexpr size_t kNamesBeforeRing = 128;
inline constexpr size_t kNamesAtOnce = 256;

// A read that waits for the disk is a reason to ask for the next so many files ahead; each prompt one takes back one.
inline constexpr int kColdFor = 256;
// A file larger than this is not asked for as a whole before it is opened: its reader asks for windows.
inline constexpr uint64_t kExpectAtMost = uint64_t{4} * 1024 * 1024;

}  // namespace ocsync::io::strategy

namespace ocsync::io {

class Ring;

// One run's choices: the wishes of the user, the rules above, and what was seen so far. Whoever moves bytes asks here;
// everything that was borrowed must be back before it dies. Any thread may use it, but set say() up before threads
// start.
class IoStrategy {
 public:
  // Adds to `metrics`, which outlives it.
  IoStrategy(const IoWishes& wishes, IoMetrics& metrics);
  ~IoStrategy();
  IoStrategy(const IoStrategy&) = delete;
  IoStrategy& operator=(const IoStrategy&) = delete;

  bool uses(IoPart part) const { return wishes_.has(part); }
  const IoWishes& wishes() const { return wishes_; }
  IoMetrics& metrics() { return metrics_; }
  // Gets one sentence when the kernel refuses something that was wanted; once per run.
  void say(std::function<void(std::string_view)> line) { say_ = std::move(line); }

  // At least `bytes`, from the pool of the node that this thread runs on.
  Buffer buffer(size_t bytes);
  // A buffer size for content of that length (nothing: nobody knows), if no rule of the caller says otherwise.
  size_t buffer_size(std::optional<uint64_t> file_bytes) const;

  // Whether a file is to be mapped that is read once in order.
  bool maps(const File& file, uint64_t size) const;
  // Whether content should be copied inside the kernel between two file systems (magic numbers of statfs).
  bool copies_in_kernel(uint64_t from_kind, uint64_t to_kind) const;

  // Reads like File::read_at(), and notices whether that had to wait for a disk. For the first read of a file.
  Result<size_t> first_read(const File& file, MutableBytes into, uint64_t offset);
  // Should the first read of the next file be a first_read()? For who would otherwise use read(): all of them while
  // reads wait, one in eight, not the first, while they do not. That is enough to notice a cold tree, and leaves read()
  // to who watches the program by it.
  bool watches_next() { return cold() || next_first_read_.fetch_add(1, std::memory_order_relaxed) % 8 == 3; }
  // Are reads waiting for a disk at the moment?
  bool cold() const {
    return uses(IoPart::kAheadAlways) || (uses(IoPart::kAhead) && cold_for_.load(std::memory_order_relaxed) > 0);
  }
  // Asks for the content of an open file that will be read soon. Never waits, never fails.
  void expect(const File& file, uint64_t bytes);

  // A ring of the calling thread for kRing or kNames; nothing if that is not wanted or the kernel refuses (told by
  // say()). Names go without one, too, where a library is preloaded: what it tells about files (fakeroot) would be
  // passed by.
  std::unique_ptr<Ring> make_ring(IoPart purpose);

 private:
  void say_once(std::string_view line);
  const IoWishes wishes_;
  IoMetrics& metrics_;
  std::vector<std::unique_ptr<BufferPool>> pools_;  // one per node
  std::atomic<int> cold_for_{0};
  std::atomic<unsigned> next_first_read_{0};
  std::atomic<bool> cannot_tell_{false};  // whether a read would wait
  std::atomic<bool> said_{false};
  std::function<void(std::string_view)> say_;
};

}  // namespace ocsync::io
