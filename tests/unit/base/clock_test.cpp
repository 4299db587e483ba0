// Clocks move forward and deadlines compare; nothing here measures how long something takes.
#include "libio/base/clock.h"

#include <catch2/catch.hpp>
#include <climits>

using namespace ocsync;

TEST_CASE("clock: monotonic time does not run backwards, in either unit") {
  const int64_t first = monotonic_us();
  const int64_t second = monotonic_us();
  CHECK(second >= first);
  CHECK(monotonic_ms() >= second / 1000);
}

TEST_CASE("clock: wall time is in this century") {
  const WallTime now = wall_time();
  CHECK(now.sec > 1600000000);
  CHECK(now.nsec < 1000000000);
}

TEST_CASE("clock: a deadline passes, or never does") {
  CHECK(Deadline::in_ms(0).passed());
  CHECK(Deadline::in_ms(-5).passed());
  CHECK(Deadline::in_ms(0).left_ms() == 0);
  CHECK_FALSE(Deadline::in_ms(3600 * 1000).passed());
  const int left = Deadline::in_ms(3600 * 1000).left_ms();
  CHECK(left > 0);
  CHECK(left <= 3600 * 1000);
  CHECK_FALSE(Deadline::never().passed());
  CHECK(Deadline::never().left_ms() == -1);
}

TEST_CASE("clock: durations too long to count are never, or clipped to what poll() takes") {
  CHECK(Deadline::in_ms(INT64_MAX).is_never());
  CHECK(Deadline::in_seconds_or_never(INT64_MAX).is_never());
  CHECK(Deadline::in_ms(int64_t{INT_MAX} * 10).left_ms() == INT_MAX);
}

TEST_CASE("clock: no seconds mean no limit") {
  CHECK(Deadline::in_seconds_or_never(0).is_never());
  CHECK_FALSE(Deadline::in_seconds_or_never(1000).is_never());
}

TEST_CASE("clock: the earlier of two deadlines") {
  CHECK_FALSE(Deadline::earlier(Deadline::never(), Deadline::in_ms(1000000)).is_never());
  CHECK(Deadline::earlier(Deadline::in_ms(1000000), Deadline::in_ms(0)).passed());
  CHECK(Deadline::earlier(Deadline::never(), Deadline::never()).is_never());
}
