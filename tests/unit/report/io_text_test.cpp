// What --info=io prints: every counter once, as text and as JSON.
#include "libsync/report/io_text.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace ocsync;
using namespace ocsync::sync;

TEST_CASE("io text: counters by group, in the reader's number format") {
  io::IoMetrics metrics;
  metrics.plain = 1234567;
  metrics.buffers = 3;
  const std::string text = io_text(metrics, NumberStyle::kGrouped);
  CAPTURE(text);
  CHECK(text.starts_with("\nI/O bytes by path: read 1,234,567, mapped 0, by ring 0, cloned 0, in the kernel 0\n"));
  CHECK(text.find("\nI/O buffers: taken 3, made 0, bytes made 0\n") != std::string::npos);
  CHECK(text.ends_with("\nI/O wire: writes 0, bytes 0\n"));
}

TEST_CASE("io text: two ends of one process are added up, and the deeper ring counts") {
  io::IoMetrics one, other;
  one.plain = 5;
  one.depth = 9;
  other.plain = 6;
  other.depth = 8;
  add_io(one, other);
  CHECK(one.plain == 11);
  CHECK(one.depth == 9);
}

TEST_CASE("io text: the same as one line of JSON") {
  io::IoMetrics metrics;
  metrics.ring = 7;
  const std::string json = io_json(metrics);
  CHECK(json.starts_with("\n{\"io\": {\"bytes_plain\": 0, "));
  CHECK(json.find("\"bytes_ring\": 7, ") != std::string::npos);
  CHECK(json.ends_with("}}\n"));
  CHECK(std::count(json.begin(), json.end(), '\n') == 2);
}
