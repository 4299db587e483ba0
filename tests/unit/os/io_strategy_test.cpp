// One run's choices: what they count, what they notice of the disk, and that refusals by the kernel change nothing but
// speed.
#include "libio/os/io_strategy.h"

#include <thread>

#include "libio/os/copy.h"
#include "libio/os/map_file.h"
#include "libio/os/placement.h"
#include "libio/os/read_ahead.h"
#include "libio/os/ring.h"
#include "libio/os/sys.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;

namespace {
IoWishes wishes(const char* text) {
  auto parsed = IoWishes::parse(text);
  REQUIRE(parsed);
  return *parsed;
}
MutableBytes bytes_of(std::string& text) { return std::as_writable_bytes(std::span(text)); }
}  // namespace

TEST_CASE("io strategy: buffers come from the pool and are counted at the end") {
  IoMetrics metrics;
  {
    IoStrategy io(wishes("auto"), metrics);
    for (int i = 0; i < 10; ++i) CHECK(io.buffer(1000).size() >= 1000);
  }
  CHECK(metrics.buffers == 10);
  CHECK(metrics.buffers_made == 1);
  IoMetrics anew;
  {
    IoStrategy io(wishes("no-pool"), anew);
    for (int i = 0; i < 10; ++i) CHECK(io.buffer(1000).size() >= 1000);
  }
  CHECK(anew.buffers_made == 10);
}

TEST_CASE("io strategy: a first read that would wait makes things cold for a while, and is carried out all the same") {
  Scratch s;
  s.write("f", "content");
  const File file = need(s.dir.open_read(leaf("f")));
  IoMetrics metrics;
  IoStrategy io(wishes("auto"), metrics);
  std::string text(7, '\0');
  CHECK_FALSE(io.cold());
  {
    const sys::FaultPlan plan(sys::Call::kRead, 1, EAGAIN);
    CHECK(need(io.first_read(file, bytes_of(text), 0)) == 7);
    CHECK(plan.fired() == 1);
  }
  CHECK(text == "content");
  CHECK(metrics.stalls == 1);
  CHECK(io.cold());
  for (int i = 0; i < strategy::kColdFor; ++i) need(io.first_read(file, bytes_of(text), 0));
  CHECK_FALSE(io.cold());
  CHECK(metrics.prompt == strategy::kColdFor);
}

TEST_CASE("io strategy: a file system that cannot tell is asked once") {
  Scratch s;
  s.write("f", "content");
  const File file = need(s.dir.open_read(leaf("f")));
  IoMetrics metrics;
  IoStrategy io(wishes("auto"), metrics);
  std::string text(7, '\0');
  const sys::FaultPlan plan(sys::Call::kRead, 1, EOPNOTSUPP);
  for (int i = 0; i < 3; ++i) CHECK(need(io.first_read(file, bytes_of(text), 0)) == 7);
  CHECK(plan.fired() == 1);
  CHECK(metrics.stalls == 0);
  CHECK_FALSE(io.cold());
}

TEST_CASE("io strategy: a ring that the kernel refuses is told once and is no failure") {
  IoMetrics metrics;
  IoStrategy io(wishes("ring"), metrics);
  std::vector<std::string> lines;
  io.say([&](std::string_view line) { lines.emplace_back(line); });
  const sys::FaultPlan plan(sys::Call::kRing, 1, EPERM, 2);
  CHECK(io.make_ring(IoPart::kRing) == nullptr);
  CHECK(io.make_ring(IoPart::kNames) == nullptr);
  CHECK(metrics.ring_refusals == 2);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == "io_uring is not to be had (Operation not permitted); plain calls are used");
}

TEST_CASE("io strategy: nobody makes a ring who was not asked to") {
  IoMetrics metrics;
  IoStrategy io(wishes("auto"), metrics);
  const sys::FaultPlan plan(sys::Call::kRing, 1, EPERM, 1);
  CHECK(io.make_ring(IoPart::kRing) == nullptr);
  CHECK(plan.fired() == 0);
}

TEST_CASE("io strategy: names are looked at by plain calls where a library is preloaded, unless a ring was asked for") {
  const char* before = std::getenv("LD_PRELOAD");
  const std::string kept = before != nullptr ? before : "";
  ::setenv("LD_PRELOAD", "libsomething.so", 1);
  IoMetrics metrics;
  IoStrategy io(wishes("auto"), metrics);
  std::vector<std::string> lines;
  io.say([&](std::string_view line) { lines.emplace_back(line); });
  const sys::FaultPlan plan(sys::Call::kRing, 1, EPERM, 2);
  CHECK(io.make_ring(IoPart::kNames) == nullptr);
  CHECK(plan.fired() == 0);
  CHECK(lines == std::vector<std::string>{"a library is preloaded; names are looked at by plain calls"});
  IoStrategy asked(wishes("ring"), metrics);
  CHECK(asked.make_ring(IoPart::kNames) == nullptr);
  CHECK(plan.fired() == 1);  // asked the kernel, who refused
  ::unsetenv("LD_PRELOAD");
  CHECK(io.make_ring(IoPart::kNames) == nullptr);
  CHECK(plan.fired() == 2);
  if (before != nullptr) ::setenv("LD_PRELOAD", kept.c_str(), 1);
}

TEST_CASE("io strategy: copies are right under every preset, with writes cut short and reads interrupted") {
  Scratch s;
  const Stop stop;
  for (const char* preset : {"auto", "plain", "ring", "map", "auto,drop,ahead-always,huge"}) {
    for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, size_t{300'000}, size_t{3'000'000}}) {
      INFO(preset << " " << size);
      const std::string text = pattern(size);
      s.write("from", text);
      IoMetrics metrics;
      IoStrategy io(wishes(preset), metrics);
      const File from = need(s.dir.open_read(leaf("from")));
      const File to = need(s.dir.create(leaf("to"), 0600));
      const sys::FaultPlan shorts(sys::Call::kWrite, 1, 0, 2);
      const sys::FaultPlan interrupted(sys::Call::kRead, 1, EINTR, 3);
      CHECK(need(copy_content(from, to, size, {.allow_clone = false, .io = &io}, stop)).bytes == size);
      CHECK(s.read("to") == text);
      need(s.dir.unlink(leaf("to")));
      CHECK(metrics.plain == size);
    }
  }
}

TEST_CASE("io strategy: a full disk, a spent quota and a broken disk are errors of the side that has them") {
  Scratch s;
  const Stop stop;
  const std::string text = pattern(1'000'000);
  s.write("from", text);
  const File from = need(s.dir.open_read(leaf("from")));
  IoMetrics metrics;
  IoStrategy io(wishes("auto"), metrics);
  for (const int error : {ENOSPC, EDQUOT, EIO}) {
    const File to = need(s.dir.create(leaf("to"), 0600));
    const sys::FaultPlan plan(sys::Call::kWrite, 1, error);
    const auto copied = copy_content(from, to, text.size(), {.allow_clone = false, .io = &io}, stop);
    REQUIRE_FALSE(copied);
    CHECK(copied.error().fault == Fault::kFileIo);
    CHECK(copied.error().sys == error);
    need(s.dir.unlink(leaf("to")));
  }
  const File to = need(s.dir.create(leaf("to"), 0600));
  const sys::FaultPlan plan(sys::Call::kRead, 1, EIO, 2);
  const auto copied = copy_content(from, to, text.size(), {.allow_clone = false, .io = &io}, stop);
  REQUIRE_FALSE(copied);
  CHECK(copied.error().fault == Fault::kSystem);
  CHECK(copied.error().sys == EIO);
}

TEST_CASE("io strategy: where mapping is refused, content is read") {
  Scratch s;
  const std::string text = pattern(2'000'000);
  s.write("f", text);
  const File file = need(s.dir.open_read(leaf("f")));
  IoMetrics metrics;
  IoStrategy io(wishes("map"), metrics);
  const sys::FaultPlan plan(sys::Call::kMap, 1, ENOMEM);
  MapFile map(file, text.size(), MapFile::Access::kScan, &io);
  for (size_t at = 0; at < text.size(); at += 100'000) {
    const Bytes piece = need(map.view(at, 100'000));
    REQUIRE(std::memcmp(piece.data(), text.data() + at, piece.size()) == 0);
  }
  CHECK(plan.fired() == 1);
  CHECK_FALSE(map.mapped());
  CHECK(metrics.windows_refused == 1);
  CHECK(metrics.mapped == 0);
  CHECK(metrics.plain == text.size());
}

TEST_CASE("read ahead: asks in order only, and gives up what lies behind") {
  Scratch s;
  constexpr uint64_t kChunk = ReadAhead::kChunk;
  const std::string text = pattern(8 * kChunk);
  s.write("f", text);
  const File file = need(s.dir.open_read(leaf("f")));
  IoMetrics metrics;
  {
    ReadAhead ahead(file, text.size(), {.drop_behind = true, .metrics = &metrics});
    for (uint64_t at = 0; at <= text.size(); at += kChunk) ahead.reached(at);
    CHECK(metrics.dropped > 0);
  }
  CHECK(metrics.dropped == text.size());
  // What was dropped is read from the disk again, unchanged.
  CHECK(read_all(file, 8 << 20) == text);
}

TEST_CASE("placement: there is a node, and pinning keeps to what is allowed") {
  CHECK(node_count() >= 1);
  CHECK(current_node() < node_count());
  const auto before = allowed_cpus();
  REQUIRE_FALSE(before.empty());
  std::thread([&] {
    need(pin_to_one_of({}, 1));
    CHECK(allowed_cpus() == std::vector<unsigned>{before[1 % before.size()]});
  }).join();
  CHECK(allowed_cpus() == before);
  CHECK_FALSE(pin_to_one_of({1023}, 0));
}
