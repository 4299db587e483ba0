// ByteSource and ByteSink over descriptors, with a shared idle clock, a deadline and a wake-up.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "libio/base/stream.h"
#include "libio/os/stop.h"

namespace ocsync::io {

// Shared by both directions of one connection: when a byte last moved, and for how long none may move. Thread-safe.
struct Activity {
  std::atomic<int64_t> last_ms{0};       // monotonic clock
  std::atomic<int> timeout_s{0};         // 0: none. May be lowered while the connection is open.
  std::atomic<int64_t> stop_at_ms{0};    // monotonic; 0: none (--stop-after, --stop-at)
  std::atomic<uint64_t> bytes_in{0};
  std::atomic<uint64_t> bytes_out{0};
  void touch();
};

// Reads from a descriptor it borrows. Blocks in poll() until bytes, the end, a stop (Fault::kInterrupted) or the
// time-out of `activity` (Fault::kTimeout). Makes the descriptor non-blocking only for sockets and pipes.
class FdSource final : public ByteSource {
 public:
  FdSource(int fd, Activity& activity, const Stop& stop) : fd_(fd), activity_(activity), stop_(stop) {}
  Result<size_t> read_some(MutableBytes into) override;
  bool ready() override;

 private:
  int fd_;
  Activity& activity_;
  const Stop& stop_;
};

// Writes to a descriptor it borrows; write_v sends many pieces in one call without joining them. A far side that is
// gone (EPIPE, ECONNRESET) is Fault::kSocket. `bytes_per_second` limits the rate (0: no limit).
class FdSink final : public ByteSink {
 public:
  FdSink(int fd, Activity& activity, const Stop& stop, uint64_t bytes_per_second = 0);
  Status write(Bytes bytes) override;
  Status write_v(std::span<const Bytes> pieces);

 private:
  Status wait_writable();
  int fd_;
  Activity& activity_;
  const Stop& stop_;
  uint64_t rate_;
  double owed_ = 0;
  int64_t last_sent_us_ = 0;
};

}  // namespace ocsync::io
