// How many requests may wait for the far sender's answers: enough to keep it busy, no more, as each takes memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ocsync::sync {

// Starts small. It grows where answers come in bursts, which is what a far away sender looks like that has run out of
// requests: the first answer of a pause then takes longer than all the others. One owner thread.
class RequestWindow {
 public:
  static constexpr size_t kLeast = 256;
  static constexpr size_t kMost = 4096;  // 2 MiB of requests, some 100 KiB on the wire

  // Whether to wait with the next request while `pending` are under way. Once full it stays so until half of them were
  // answered, so that the two sides do not take turns at every file.
  bool full(size_t pending, int64_t now_us) {
    if (!pausing_) {
      if (pending < size_) return false;
      pausing_ = true;
      before_ = pending;
      since_us_ = now_us;
      first_us_ = -1;
      return true;
    }
    if (pending < before_ && first_us_ < 0) first_us_ = now_us - since_us_;
    if (pending > size_ / 2) return true;
    pausing_ = false;
    const int64_t all_us = now_us - since_us_;
    bursts_ = all_us >= kNoticeable && 2 * first_us_ > all_us ? bursts_ + 1 : 0;
    if (bursts_ >= kConvinced && size_ < kMost) {
      size_ *= 2;
      bursts_ = 0;  // each step wants to be convinced anew
    }
    return false;
  }
  size_t size() const { return size_; }

  static constexpr int64_t kNoticeable =
      10'000;  // microseconds; below it, who ran first is chance, and the least of requests is enough
  static constexpr int kConvinced = 8;  // in a row, for each doubling; fewer may be a busy machine

 private:
  int bursts_ = 0;
  size_t size_ = kLeast;
  bool pausing_ = false;
  size_t before_ = 0;
  int64_t since_us_ = 0, first_us_ = 0;
};

}  // namespace ocsync::sync
