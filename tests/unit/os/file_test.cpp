// Positioned reads and writes, holes, and what they do when the system misbehaves.
#include "libio/os/file.h"

#include <array>

#include "libio/os/sys.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;

TEST_CASE("file: writes and reads survive interruptions and short transfers") {
  Scratch s;
  const File file = need(s.dir.create(leaf("f"), 0600));
  const std::string text = pattern(1000);
  {
    const sys::FaultPlan cut(sys::Call::kWrite, 1, 0, 5);
    need(file.write_at(as_bytes(text), 10));
    CHECK(cut.fired() == 5);
  }
  {
    const sys::FaultPlan interrupted(sys::Call::kWrite, 1, EINTR, 2);
    need(file.write_at(as_bytes("head"), 0));
    CHECK(interrupted.fired() == 2);
  }
  std::string back(1000, '\0');
  {
    const sys::FaultPlan cut(sys::Call::kRead, 1, 0, 5);
    CHECK(need(file.read_full_at(std::as_writable_bytes(std::span(back)), 10)) == 1000);
    CHECK(cut.fired() == 5);
  }
  CHECK(back == text);
  CHECK(need(file.read_full_at(std::as_writable_bytes(std::span(back)), 500)) == 510);
  CHECK(need(file.read_at(std::as_writable_bytes(std::span(back)), 5000)) == 0);
  CHECK(need(file.info()).size == 1010);
}

TEST_CASE("file: a full disk and a broken disk are errors with their errno") {
  Scratch s;
  const File file = need(s.dir.create(leaf("f"), 0600));
  {
    const sys::FaultPlan full(sys::Call::kWrite, 2, ENOSPC);
    need(file.write_at(as_bytes("a"), 0));
    CHECK(sys_of(file.write_at(as_bytes("b"), 1)) == ENOSPC);
  }
  {
    const sys::FaultPlan broken(sys::Call::kRead, 1, EIO);
    std::byte b[1];
    CHECK(sys_of(file.read_at(b, 0)) == EIO);
  }
  const sys::FaultPlan unsynced(sys::Call::kSync, 1, EIO);
  CHECK(sys_of(file.sync()) == EIO);
}

TEST_CASE("file: holes are found, made and reserved over") {
  Scratch s;
  const File file = need(s.dir.create(leaf("f"), 0600));
  constexpr uint64_t kMiB = 1 << 20;
  need(file.truncate(4 * kMiB));
  CHECK(!need(file.next_data(0, 4 * kMiB)));
  need(file.write_at(as_bytes("data"), 2 * kMiB));
  const auto extent = need(file.next_data(0, 4 * kMiB));
  REQUIRE(extent);
  CHECK(extent->begin <= 2 * kMiB);
  CHECK(extent->end >= 2 * kMiB + 4);
  CHECK(extent->end <= 4 * kMiB);
  CHECK(!need(file.next_data(4 * kMiB, 4 * kMiB)));
  const Status punched = file.punch_hole(2 * kMiB, kMiB);
  if (punched) {
    char back[4];
    CHECK(need(file.read_full_at(std::as_writable_bytes(std::span(back)), 2 * kMiB)) == 4);
    CHECK(std::string_view(back, 4) == std::string_view("\0\0\0\0", 4));
  } else {
    CHECK(punched.error().fault == Fault::kUnsupported);
  }
  const File reserved = need(s.dir.create(leaf("r"), 0600));
  if (const Status done = reserved.preallocate(kMiB); done) {
    CHECK(need(reserved.info()).size == 0);
    CHECK(need(reserved.info()).blocks * 512 >= kMiB);
  } else {
    CHECK(done.error().fault == Fault::kUnsupported);
  }
  const sys::FaultPlan cannot(sys::Call::kSize, 1, EOPNOTSUPP);
  CHECK(reserved.preallocate(kMiB).error().fault == Fault::kUnsupported);
}

TEST_CASE("file: a region is cleared also where the file system makes no holes") {
  Scratch s;
  s.write("f", pattern(300'000));
  const File file = need(s.dir.open_update(leaf("f")));
  {
    const sys::FaultPlan cannot(sys::Call::kSize, 1, EOPNOTSUPP);
    need(file.clear(1000, 200'000));
    CHECK(cannot.fired() == 1);
  }
  std::string expected = pattern(300'000);
  std::fill(expected.begin() + 1000, expected.begin() + 201'000, '\0');
  CHECK(s.read("f") == expected);
  const sys::FaultPlan full(sys::Call::kSize, 1, ENOSPC);
  CHECK(!file.clear(0, 10));
}

TEST_CASE("file: knows where reading on would go on") {
  Scratch s;
  s.write("f", pattern(10'000));
  const File file = need(s.dir.open_read(leaf("f")));
  std::array<std::byte, 100> some;
  CHECK(file.position() == 0);
  CHECK(need(file.read_on(some)) == 100);
  CHECK(need(file.read_at(some, 5000)) == 100);
  CHECK(file.position() == 100);
  need(file.next_data(0, 10'000));
  CHECK(file.position() == File::kNowhere);
}
