// ByteSource and ByteSink over descriptors, with a shared idle clock, a deadline and a wake-up.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "libio/base/stream.h"
#include "libio/os/fd.h"
#include "libio/os/stop.h"

namespace ocsync::io {

// Shared by both directions of one connection: when a byte last moved, for how long none may move, and whether the
// connection is given up. Thread-safe.
struct Activity {
  Activity();
  std::atomic<int64_t> last_ms{0};     // monotonic clock
  std::atomic<int> timeout_s{0};       // 0: none. May be lowered while the connection is open.
  std::atomic<int64_t> stop_at_ms{0};  // monotonic; 0: none (--stop-after, --stop-at)
  std::atomic<uint64_t> bytes_in{0};
  std::atomic<uint64_t> bytes_out{0};
  std::atomic<uint64_t> writes{0};  // calls that moved something out
  void touch();
  // Whoever reads or writes fails at once with Fault::kClosed, and so does everybody after it. (Closing the descriptor
  // instead would hand its number to somebody else while threads still use it.) But if it was the far side that closed
  // its end, reading goes on for a second at most: its last words explain more than our failure to write.
  void give_up();
  bool given_up(bool reading) const {
    return given_up_.load(std::memory_order_relaxed) && !(reading && far_closed_.load(std::memory_order_relaxed));
  }
  void far_has_closed() { far_closed_.store(true); }
  // Once no other thread uses the connection any more: a last word may be said.
  void take_back();
  int wake_fd() const { return wake_.get(); }

 private:
  std::atomic<bool> given_up_{false};
  std::atomic<bool> far_closed_{false};
  Fd wake_;
};

// How a descriptor can be used without being stuck in it. Flags of descriptors that we did not make are left alone, as
// others (the shell, our parent) share them.
enum class FdManner : uint8_t {
  kNonBlocking,  // it never blocks: act, wait only on EAGAIN
  kNoWait,       // pipes and sockets that may block: each call says that it must not
  kWaitFirst,    // terminals and the like: wait, then move little
  kAlways,       // regular files: nothing to wait for
};
FdManner fd_manner(int fd);

// Waits for poll() events on fd (-1: just waits), at most `ms`. False if they did not come in time or a signal ended
// the wait early; a stop is its failure. Readable bytes at `also` (-1: none) end the wait early, too.
Result<bool> wait_for_events(int fd, short events, int ms, const Stop& stop, int also = -1);

// Reads from a descriptor it borrows. Blocks in poll() until bytes, the end, a stop (Fault::kInterrupted) or the
// time-out of `activity` (Fault::kTimeout). Other failures are Fault::kSocket.
class FdSource final : public ByteSource {
 public:
  FdSource(int fd, Activity& activity, const Stop& stop);
  Result<size_t> read_some(MutableBytes into) override;
  bool ready() override;
  // True as soon as read_some() would return at once, false after `ms` without that. A time-out does not count here.
  Result<bool> ready_within(int ms);
  // Calls this before each read from now on (empty: no longer): all that came before has been used.
  void before_reading(std::function<void()> call) { before_reading_ = std::move(call); }

 private:
  int fd_;
  FdManner manner_;
  Activity& activity_;
  const Stop& stop_;
  std::function<void()> before_reading_;
};

// Writes to a descriptor it borrows; write_v sends many pieces in one call without joining them. Failures, among them a
// far side that is gone (EPIPE, ECONNRESET), are Fault::kSocket. `bytes_per_second` limits the rate (0: no limit).
class FdSink final : public ByteSink {
 public:
  FdSink(int fd, Activity& activity, const Stop& stop, uint64_t bytes_per_second = 0);
  Status write(Bytes bytes) override;
  Status write_v(std::span<const Bytes> pieces) override;
  // Counts bytes sent by somebody else (--bwlimit covers the process), sleeping if they came too fast.
  Status pace(uint64_t bytes);
  // Another rate from now on (0: no limit); not while somebody writes.
  void limit(uint64_t bytes_per_second) { rate_ = bytes_per_second; }
  // From now on another wish to stop counts: last words are written although a stop was requested.
  void obey(const Stop& stop) { stop_ = &stop; }
  // True if a write failed with some of its bytes sent: what follows would be taken for the rest.
  bool torn() const { return torn_; }

 private:
  Status wait_writable();
  Status write_pieces(std::span<const Bytes> pieces, bool& moved);
  int fd_;
  FdManner manner_;
  Activity& activity_;
  const Stop* stop_;
  bool torn_ = false;
  uint64_t rate_;
  double owed_ = 0;
  int64_t last_sent_us_ = 0;
};

}  // namespace ocsync::io
