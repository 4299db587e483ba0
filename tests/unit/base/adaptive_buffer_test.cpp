// How many calls files of known and unknown size take.
#include "libio/base/adaptive_buffer.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace ocsync;

namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;

// Calls until `bytes` are moved, when each call moves as much as the buffer holds.
int calls_for(uint64_t bytes, std::optional<uint64_t> told) {
  AdaptiveBuffer buffer(told);
  int calls = 0;
  while (bytes > 0) {
    const size_t moved = std::min<uint64_t>(bytes, buffer.bytes());
    buffer.moved(moved);
    bytes -= moved;
    ++calls;
  }
  return calls;
}

}  // namespace

TEST_CASE("adaptive buffer: small files get small buffers") {
  CHECK(AdaptiveBuffer(0).bytes() == 4 * kKiB);
  CHECK(AdaptiveBuffer(4 * kKiB).bytes() == 4 * kKiB);
  CHECK(AdaptiveBuffer(4 * kKiB + 1).bytes() == 64 * kKiB);
  CHECK(AdaptiveBuffer(100 * kKiB).bytes() == 64 * kKiB);
  CHECK(AdaptiveBuffer(kMiB).bytes() == 256 * kKiB);
  CHECK(AdaptiveBuffer(UINT64_MAX).bytes() == 256 * kKiB);
}

TEST_CASE("adaptive buffer: a MiB in at most four calls, 100 KiB in two, 4 KiB in one") {
  for (const bool told : {true, false}) {
    const auto calls = [&](uint64_t bytes) { return calls_for(bytes, told ? std::optional(bytes) : std::nullopt); };
    CAPTURE(told);
    CHECK(calls(4 * kKiB) == 1);
    CHECK(calls(100 * kKiB) <= 2);
    CHECK(calls(kMiB) <= 4);
    CHECK(calls(100 * kMiB) <= (told ? 400 : 103));
  }
}

TEST_CASE("adaptive buffer: a file that outgrew what was told gets larger buffers") {
  CHECK(calls_for(10 * kMiB, 0) <= 13);
  CHECK(calls_for(10 * kMiB, 4 * kKiB) <= 13);
}

TEST_CASE("adaptive buffer: short calls in a row shrink it, a single one does not, full ones restore it") {
  AdaptiveBuffer buffer(100 * kMiB);
  buffer.moved(10);
  buffer.moved(kMiB);
  buffer.moved(10);
  CHECK(buffer.bytes() == 256 * kKiB);
  for (int i = 0; i < 3; ++i) buffer.moved(10);
  CHECK(buffer.bytes() == 64 * kKiB);
  for (int i = 0; i < 100; ++i) buffer.moved(10);
  CHECK(buffer.bytes() == 4 * kKiB);
  for (int i = 0; i < 2; ++i) buffer.moved(buffer.bytes());
  CHECK(buffer.bytes() == 256 * kKiB);
  // Half full is no reason: the next smaller size would need two calls.
  for (int i = 0; i < 20; ++i) buffer.moved(128 * kKiB);
  CHECK(buffer.bytes() == 256 * kKiB);
}
