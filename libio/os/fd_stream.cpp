// Streams over descriptors: act first, wait only when nothing moves, and look at clock and stop while waiting.
#include "libio/os/fd_stream.h"

#include <fmt/format.h>
#include <limits.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

// The longest sleep between two looks at the clock: another thread may lower the time-out meanwhile.
constexpr int kLongestWaitMs = 5000;
constexpr int kWaitWithoutWakeMs = 100;
constexpr size_t kPiecesPerCall = 64;
constexpr int kMostFaults = 3;  // in one write; a file may be cut off more than once
// A descriptor that poll() calls writable takes this much without blocking.
constexpr size_t kSafeWrite = PIPE_BUF;
constexpr int64_t kUsPerSecond = 1'000'000;
constexpr int64_t kShortestPauseUs = kUsPerSecond / 10;

// Out of line, as g++ 12 sees an overflow that is not there when this is inlined into a Result.
[[gnu::noinline]] std::unexpected<Error> limit_reached() {
  return fail(Fault::kTimeout, "stopping at requested limit");
}

[[gnu::noinline]] std::unexpected<Error> given_up() { return fail(Fault::kClosed, "the connection was given up"); }

// Milliseconds until the first of the two limits, at most kLongestWaitMs; the failure if one has passed.
Result<int> time_left(Activity& activity, bool reading) {
  if (activity.given_up(reading)) return given_up();
  int64_t left = kLongestWaitMs;
  const int timeout_s = activity.timeout_s.load(std::memory_order_relaxed);
  const int64_t stop_at = activity.stop_at_ms.load(std::memory_order_relaxed);
  if (timeout_s <= 0 && stop_at == 0) return static_cast<int>(left);
  const int64_t now = sys::clock_ms();
  if (stop_at != 0) {
    if (now >= stop_at) return limit_reached();
    left = std::min(left, stop_at - now);
  }
  if (timeout_s > 0) {
    int64_t last = activity.last_ms.load(std::memory_order_relaxed);
    if (last == 0) {
      activity.touch();
      last = now;
    }
    const int64_t idle = now - last;
    const int64_t limit = int64_t{timeout_s} * 1000;
    if (idle >= limit) return fail(Fault::kTimeout, fmt::format("io timeout after {} seconds", idle / 1000));
    left = std::min(left, limit - idle);
  }
  return static_cast<int>(left) + 1;  // the coarse clock may lag a tick behind
}

Status wait_until(int fd, short events, Activity& activity, const Stop& stop) {
  for (;;) {
    const bool reading = events == POLLIN;
    const int ms = TRY(time_left(activity, reading));
    const int wake = reading && activity.given_up(false) ? -1 : activity.wake_fd();
    if (TRY(wait_for_events(fd, events, ms, stop, wake))) return {};
  }
}

// --stop-at and a stop also end streams that never have to wait.
Status look_around(Activity& activity, const Stop& stop, bool reading) {
  TRY(stop.check());
  if (activity.given_up(reading)) return given_up();
  const int64_t stop_at = activity.stop_at_ms.load(std::memory_order_relaxed);
  if (stop_at != 0 && sys::clock_ms() >= stop_at) return limit_reached();
  return {};
}

// The kernel does not deliver SIGBUS for our memory: pieces of a mapping whose file was cut off are EFAULT. A look from
// here brings in what bus_guard puts in their place.
void touch(std::span<const iovec> pieces) {
  constexpr size_t kPage = 4096;
  const auto look = [](const volatile std::byte& byte) { return std::byte{byte}; };
  for (const iovec& piece : pieces) {
    const volatile std::byte* bytes = static_cast<const std::byte*>(piece.iov_base);
    for (size_t at = 0; at < piece.iov_len; at += kPage) std::ignore = look(bytes[at]);
    if (piece.iov_len > 0) std::ignore = look(bytes[piece.iov_len - 1]);
  }
}

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }
bool cannot_promise(int error) { return error == EOPNOTSUPP || error == EINVAL || error == ENOSYS || error == ESPIPE; }

}  // namespace

Result<bool> wait_for_events(int fd, short events, int ms, const Stop& stop, int also) {
  pollfd both[3] = {{fd, events, 0}, {stop.wake_fd(), POLLIN, 0}, {also, POLLIN, 0}};
  if (both[1].fd < 0) ms = ms < 0 ? kWaitWithoutWakeMs : std::min(ms, kWaitWithoutWakeMs);
  const Result<int> n = sys::poll(both, also < 0 ? 2 : 3, ms);
  TRY(stop.check());
  if (!n) {
    if (n.error().sys == EINTR) return false;
    return fail(Fault::kSocket, "", n.error().sys);
  }
  return both[0].revents != 0;
}

Activity::Activity() {
  if (Result<Fd> event = sys::make_event()) wake_ = *std::move(event);
}

void Activity::give_up() {
  if (far_closed_.load()) {
    touch();
    timeout_s.store(1);
  }
  given_up_.store(true);
  const uint64_t one = 1;
  if (wake_.valid()) std::ignore = sys::write(wake_.get(), std::as_bytes(std::span(&one, 1)));
}

void Activity::take_back() {
  given_up_.store(false);
  uint64_t count = 0;
  if (wake_.valid()) std::ignore = sys::read(wake_.get(), std::as_writable_bytes(std::span(&count, 1)));
}

void Activity::touch() { last_ms.store(sys::clock_ms(), std::memory_order_relaxed); }

FdManner fd_manner(int fd) {
  const Result<FileInfo> info = sys::stat_fd(fd);
  if (!info) return FdManner::kWaitFirst;
  if (info->is_regular() || S_ISBLK(info->mode)) return FdManner::kAlways;
  const Result<int> flags = sys::flags(fd);
  if (flags && (*flags & O_NONBLOCK) != 0) return FdManner::kNonBlocking;
  return info->is_special() ? FdManner::kNoWait : FdManner::kWaitFirst;
}

FdSource::FdSource(int fd, Activity& activity, const Stop& stop)
    : fd_(fd), manner_(fd_manner(fd)), activity_(activity), stop_(stop) {}

Result<size_t> FdSource::read_some(MutableBytes into) {
  if (before_reading_) before_reading_();
  TRY(look_around(activity_, stop_, true));
  for (;;) {
    if (manner_ == FdManner::kWaitFirst) TRY(wait_until(fd_, POLLIN, activity_, stop_));
    Result<size_t> got = manner_ == FdManner::kNoWait ? sys::read_nowait(fd_, into) : sys::read(fd_, into);
    if (got) {
      if (*got > 0) {
        activity_.bytes_in.fetch_add(*got, std::memory_order_relaxed);
        activity_.touch();
      }
      return got;
    }
    const int error = got.error().sys;
    if (would_block(error)) {
      TRY(wait_until(fd_, POLLIN, activity_, stop_));
    } else if (manner_ == FdManner::kNoWait && cannot_promise(error)) {
      manner_ = FdManner::kWaitFirst;
    } else {
      return fail(Fault::kSocket, "", error);
    }
  }
}

bool FdSource::ready() {
  pollfd one{fd_, POLLIN, 0};
  const Result<int> n = sys::poll(&one, 1, 0);
  return (n && *n > 0) || stop_.requested();
}

Result<bool> FdSource::ready_within(int ms) {
  const int64_t end = sys::clock_ms() + ms;
  for (int64_t left = ms;; left = end - sys::clock_ms()) {
    if (TRY(wait_for_events(fd_, POLLIN, static_cast<int>(std::max<int64_t>(left, 0)), stop_))) return true;
    if (left <= 0) return false;
  }
}

FdSink::FdSink(int fd, Activity& activity, const Stop& stop, uint64_t bytes_per_second)
    : fd_(fd), manner_(fd_manner(fd)), activity_(activity), stop_(&stop), rate_(bytes_per_second) {}

Status FdSink::wait_writable() { return wait_until(fd_, POLLOUT, activity_, *stop_); }

Status FdSink::write(Bytes bytes) { return write_v({&bytes, 1}); }

Status FdSink::write_v(std::span<const Bytes> pieces) {
  bool moved = false;
  Status written = write_pieces(pieces, moved);
  torn_ |= !written && moved;
  return written;
}

Status FdSink::write_pieces(std::span<const Bytes> pieces, bool& moved) {
  TRY(look_around(activity_, *stop_, false));
  std::array<iovec, kPiecesPerCall> vector;
  size_t skip = 0;  // bytes of the first piece already sent
  int faults = 0;
  while (!pieces.empty()) {
    // With a limit, one call carries an eighth of a second's worth, as rsync does it.
    size_t most = rate_ > 0 ? std::max<size_t>(512, rate_ / 8) : SIZE_MAX;
    if (manner_ == FdManner::kWaitFirst) {
      most = std::min(most, kSafeWrite);
      TRY(wait_writable());
    }
    size_t used = 0;
    size_t total = 0;
    for (const Bytes piece : pieces) {
      if (used == vector.size() || total == most) break;
      const Bytes rest = piece.subspan(used == 0 ? skip : 0);
      const size_t take = std::min(rest.size(), most - total);
      // writev() does not write through the pointer; iovec serves both directions.
      vector[used++] = {const_cast<std::byte*>(rest.data()), take};
      total += take;
    }
    if (total > 0) {
      const Result<size_t> sent = manner_ == FdManner::kNoWait
                                      ? sys::write_v_nowait(fd_, vector.data(), static_cast<int>(used))
                                      : sys::write_v(fd_, vector.data(), static_cast<int>(used));
      if (!sent) {
        const int error = sent.error().sys;
        if (would_block(error)) {
          TRY(wait_writable());
        } else if (manner_ == FdManner::kNoWait && cannot_promise(error)) {
          manner_ = FdManner::kWaitFirst;
        } else if (error == EFAULT && faults++ < kMostFaults) {
          touch(std::span(vector).first(used));
        } else {
          if (error == EPIPE || error == ECONNRESET) activity_.far_has_closed();
          return fail(Fault::kSocket, "", error);
        }
        continue;
      }
      moved |= *sent > 0;
      activity_.bytes_out.fetch_add(*sent, std::memory_order_relaxed);
      activity_.writes.fetch_add(1, std::memory_order_relaxed);
      activity_.touch();
      if (rate_ > 0) TRY(pace(*sent));
      skip += *sent;
    }
    while (!pieces.empty() && skip >= pieces.front().size()) {
      skip -= pieces.front().size();
      pieces = pieces.subspan(1);
    }
  }
  return {};
}

Status FdSink::pace(uint64_t bytes) {
  if (rate_ == 0) return {};
  const double rate = static_cast<double>(rate_);
  owed_ += static_cast<double>(bytes);
  const int64_t now = sys::clock_us();
  if (last_sent_us_ != 0) owed_ = std::max(0.0, owed_ - static_cast<double>(now - last_sent_us_) * rate / kUsPerSecond);
  last_sent_us_ = now;
  const int64_t pause_us = static_cast<int64_t>(owed_ / rate * kUsPerSecond);
  if (pause_us < kShortestPauseUs) return {};
  const int64_t end = now + pause_us;
  for (int64_t left = pause_us; left > 0; left = end - sys::clock_us()) {
    const int64_t ms = std::min<int64_t>((left + 999) / 1000, kLongestWaitMs);
    TRY(wait_for_events(-1, 0, static_cast<int>(ms), *stop_, activity_.wake_fd()));
    if (activity_.given_up(false)) return given_up();
    activity_.touch();  // a pause of our own making is not idleness
  }
  const int64_t woke = sys::clock_us();
  owed_ -= static_cast<double>(woke - now) * rate / kUsPerSecond;  // oversleeping is credit for the next write
  last_sent_us_ = woke;
  return {};
}

}  // namespace ocsync::io
