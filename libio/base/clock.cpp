// std::chrono's clocks in plain integers.
#include "libio/base/clock.h"

#include <algorithm>
#include <chrono>
#include <climits>

namespace ocsync {

int64_t monotonic_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

WallTime wall_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto sec = std::chrono::floor<std::chrono::seconds>(now);
  const auto nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(now - sec);
  return {sec.count(), static_cast<uint32_t>(nsec.count())};
}

Deadline Deadline::in_ms(int64_t duration) {
  const int64_t now = monotonic_us();
  if (duration > (kNever - now) / 1000) return never();
  return Deadline(now + std::max<int64_t>(duration, 0) * 1000);
}

Deadline Deadline::in_seconds_or_never(int64_t seconds) {
  if (seconds <= 0 || seconds > INT64_MAX / 1000) return never();
  return in_ms(seconds * 1000);
}

int Deadline::left_ms() const {
  if (is_never()) return -1;
  const int64_t left_us = std::max<int64_t>(at_us_ - monotonic_us(), 0);
  return static_cast<int>(std::min<int64_t>((left_us + 999) / 1000, INT_MAX));
}

}  // namespace ocsync
