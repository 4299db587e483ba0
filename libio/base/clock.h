// What time it is, for measuring and for people; and deadlines.
#pragma once

#include <cstdint>

namespace ocsync {

// Time since some fixed point in the past that no change of the clock moves; for durations and deadlines.
int64_t monotonic_us();
inline int64_t monotonic_ms() { return monotonic_us() / 1000; }

// Since 1970 in UTC, as the machine believes it; jumps when somebody sets the clock.
struct WallTime {
  int64_t sec = 0;
  uint32_t nsec = 0;
};
WallTime wall_time();
inline int64_t wall_seconds() { return wall_time().sec; }

// A moment until which something must have happened, or never. A value; copy it freely.
class Deadline {
 public:
  static Deadline never() { return Deadline(kNever); }
  static Deadline in_ms(int64_t duration);
  // For options where 0 means no limit.
  static Deadline in_seconds_or_never(int64_t seconds);

  bool is_never() const { return at_us_ == kNever; }
  bool passed() const { return !is_never() && monotonic_us() >= at_us_; }
  // As poll() wants it: 0 when passed, -1 for never; rounded up, so that a wait of this length reaches the deadline.
  int left_ms() const;
  static Deadline earlier(Deadline a, Deadline b) { return a.at_us_ < b.at_us_ ? a : b; }

 private:
  static constexpr int64_t kNever = INT64_MAX;
  explicit Deadline(int64_t at_us) : at_us_(at_us) {}
  int64_t at_us_;
};

}  // namespace ocsync
