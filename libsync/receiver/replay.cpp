#include "libsync/receiver/replay.h"

namespace ocsync::sync {

void Replay::asked(int32_t ndx) {
  {
    const std::lock_guard lock(mutex_);
    asked_.push_back(ndx);
  }
  changed_.notify_one();
}

void Replay::mark() { asked(kMark); }

void Replay::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_one();
}

Result<bool> Replay::wants(int32_t ndx, int list, const Missing& missing, const std::function<void()>& before_waiting) {
  while (!ended_ && next_ < ndx) {
    if (list > 0 && list <= marks_) return false;
    if (next_ >= 0) TRY(missing(next_));
    next_ = -1;
    before_waiting();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !asked_.empty() || closed_; });
    if (asked_.empty()) return fail(Fault::kClosed, "the generating role has ended");
    next_ = asked_.front();
    asked_.pop_front();
    if (next_ != kMark) continue;
    if (list > 0)
      ++marks_;
    else
      ended_ = true;
  }
  if (ended_ || next_ != ndx) return false;
  next_ = -1;
  return true;
}

Status ReplayTransfers::request(Request request) {
  const int32_t ndx = request.ndx;
  // The reading role looks for it as soon as it is known to be asked for.
  pending_.add(std::move(request));
  replay_.asked(ndx);
  return {};
}

Status ReplayTransfers::list_done() {
  replay_.mark();
  return {};
}

}  // namespace ocsync::sync
