// Views show the file as it is, in any order, and a shrinking file is an error.
#include "libio/os/map_file.h"

#include <atomic>
#include <thread>

#include "libio/os/sys.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;

TEST_CASE("map file: views in order, overlapping, backwards and at random are exact") {
  Scratch s;
  const std::string text = pattern(1'300'000);
  s.write("f", text);
  for (const auto access :
       {MapFile::Access::kSequential, MapFile::Access::kRandom, MapFile::Access::kScan, MapFile::Access::kMapped}) {
    const File file = need(s.dir.open_read(leaf("f")));
    MapFile map(file, text.size(), access);
    CHECK(map.size() == text.size());
    const auto same = [&](uint64_t offset, size_t bytes) {
      return as_text(need(map.view(offset, bytes))) == std::string_view(text).substr(offset, bytes);
    };
    size_t wrong = 0;
    for (uint64_t at = 0; at + 700 <= text.size(); at += 700) wrong += !same(at, 700);
    for (uint64_t at = 0; at + 70'000 <= text.size(); at += 1000) wrong += !same(at, 70'000);
    for (uint64_t at = text.size() - 3000; at > 3000; at -= 3000) wrong += !same(at, 5000 > at ? at : 3000);
    uint32_t x = 7;
    for (int i = 0; i < 2000; ++i) {
      x = x * 1664525 + 1013904223;
      const uint64_t offset = x % text.size();
      wrong += !same(offset, std::min<size_t>(text.size() - offset, x >> 14));
    }
    CHECK(wrong == 0);
    CHECK(same(0, text.size()));
    CHECK(same(text.size(), 0));
    CHECK(same(5, 1));
    CHECK(map.intact());
  }
}

TEST_CASE("map file: nothing beyond the announced size is shown") {
  Scratch s;
  s.write("f", "0123456789");
  const File file = need(s.dir.open_read(leaf("f")));
  MapFile map(file, 8, MapFile::Access::kSequential);
  CHECK(as_text(need(map.view(0, 8))) == "01234567");
  CHECK(!map.view(1, 8));
  CHECK(!map.view(UINT64_MAX, 2));
  CHECK(!map.view(9, 0));
}

TEST_CASE("map file: a file that shrinks is an error without errno") {
  Scratch s;
  s.write("f", pattern(2'000'000));
  const File file = need(s.dir.open_update(leaf("f")));
  for (const auto access : {MapFile::Access::kSequential, MapFile::Access::kRandom}) {
    need(file.truncate(2'000'000));
    MapFile map(file, 2'000'000, access);
    CHECK(map.view(0, 1000));
    need(file.truncate(900'000));
    CHECK(map.view(600'000, 300'000));
    const auto cut = map.view(800'000, 200'000);
    REQUIRE(!cut);
    CHECK(cut.error().fault == Fault::kSystem);
    CHECK(cut.error().sys == 0);
    CHECK(map.view(700'000, 1000));  // what is still there can be had
  }
}

TEST_CASE("map file: a read error is that error, and short reads are completed") {
  Scratch s;
  const std::string text = pattern(500'000);
  s.write("f", text);
  const File file = need(s.dir.open_read(leaf("f")));
  {
    MapFile map(file, text.size(), MapFile::Access::kSequential);
    const sys::FaultPlan cut(sys::Call::kRead, 1, 0, 3);
    CHECK(as_text(need(map.view(0, 400'000))) == std::string_view(text).substr(0, 400'000));
    CHECK(cut.fired() == 3);
  }
  MapFile map(file, text.size(), MapFile::Access::kRandom);
  const sys::FaultPlan broken(sys::Call::kRead, 1, EIO);
  CHECK(sys_of(map.view(0, 10)) == EIO);
  CHECK(as_text(need(map.view(100, 10))) == std::string_view(text).substr(100, 10));
}

TEST_CASE("map file: a mapped file that is truncated under its view is an error and no signal") {
  Scratch s;
  constexpr size_t kBytes = 20 << 20;
  const std::string text = pattern(kBytes);
  s.write("f", text);
  const File file = need(s.dir.open_update(leaf("f")));
  MapFile map(file, kBytes, MapFile::Access::kMapped);
  const Bytes view = need(map.view(1 << 20, 4 << 20));
  CHECK(as_text(view) == std::string_view(text).substr(1 << 20, 4 << 20));
  need(file.truncate((2 << 20) + 5));
  // What is still there reads as it was, what is gone as zeros.
  CHECK(as_text(view.first(1 << 20)) == std::string_view(text).substr(1 << 20, 1 << 20));
  size_t zeros = 0;
  for (const std::byte b : view.subspan((1 << 20) + 4096)) zeros += b == std::byte{0};
  CHECK(zeros == (3 << 20) - 4096);
  for (const Status& seen : {map.intact(), map.view(0, 10).has_value() ? Status{} : fail(map.view(0, 10).error())}) {
    REQUIRE(!seen);
    CHECK(seen.error().fault == Fault::kSystem);
    CHECK(seen.error().sys == 0);
  }
}

TEST_CASE("map file: a mapped file that was short before is refused without looking") {
  Scratch s;
  s.write("f", pattern(100'000));
  const File file = need(s.dir.open_read(leaf("f")));
  MapFile map(file, 200'000, MapFile::Access::kMapped);
  CHECK(map.view(0, 100'000));
  const auto beyond = map.view(99'999, 2);
  REQUIRE(!beyond);
  CHECK(beyond.error().sys == 0);
  CHECK(map.intact());
  CHECK(map.view(99'999, 1));
}

TEST_CASE("map file: when no window is to be had, the buffer serves") {
  Scratch s;
  const std::string text = pattern(300'000);
  s.write("f", text);
  const File file = need(s.dir.open_read(leaf("f")));
  std::vector<MapFile> many;  // more than can be guarded
  for (int i = 0; i < 100; ++i) {
    many.emplace_back(file, text.size(), MapFile::Access::kMapped);
    CHECK(as_text(need(many.back().view(1000, 200'000))) == std::string_view(text).substr(1000, 200'000));
  }
  many.clear();
  MapFile map(file, text.size(), MapFile::Access::kMapped);
  const sys::FaultPlan refused(sys::Call::kMap, 1, ENODEV);
  CHECK(as_text(need(map.view(7, 250'000))) == std::string_view(text).substr(7, 250'000));
  CHECK(refused.fired() == 1);
}

TEST_CASE(
    "map file: truncated and extended under views of many threads, every byte is right or the file counts as changed") {
  Scratch s;
  constexpr size_t kBytes = 12 << 20;
  const std::string text = pattern(kBytes);
  s.write("f", text);
  const File file = need(s.dir.open_update(leaf("f")));
  std::atomic<bool> over{false};
  std::thread disturber([&] {
    while (!over) {
      if (!file.truncate(kBytes / 2 + 123) || !file.write_at(as_bytes(text).subspan(kBytes / 2), kBytes / 2))
        std::abort();
    }
  });
  std::atomic<size_t> wrong{0}, passes{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 4; ++t)
    readers.emplace_back([&] {
      const File own = *s.dir.open_read(*Leaf::check("f"));
      for (int pass = 0; pass < 10; ++pass) {
        MapFile map(own, kBytes, MapFile::Access::kMapped);
        bool right = true, failed = false;
        for (size_t at = 0; at < kBytes && !failed; at += 1 << 20) {
          const auto view = map.view(at, 1 << 20);
          failed = !view;
          right = right && (failed || std::memcmp(view->data(), text.data() + at, view->size()) == 0);
        }
        // A file that was cut and written again under us reads as holes without a signal; the digest of a transfer
        // shows that. What lies below the cut must be right whatever happens.
        const auto low = map.view(0, 1 << 20);
        if (low && std::memcmp(low->data(), text.data(), low->size()) != 0) ++wrong;
        if (right && !failed && map.intact()) ++passes;
      }
    });
  for (std::thread& t : readers) t.join();
  over = true;
  disturber.join();
  CHECK(wrong == 0);
}

TEST_CASE("map file: what a file grows by while it is mapped is not looked at") {
  Scratch s;
  const std::string text = pattern(9 << 20);
  s.write("f", text);
  const File file = need(s.dir.open_update(leaf("f")));
  MapFile map(file, text.size(), MapFile::Access::kMapped);
  CHECK(as_text(need(map.view(0, 1 << 20))) == std::string_view(text).substr(0, 1 << 20));
  need(file.write_at(as_bytes(text), text.size()));
  CHECK(as_text(need(map.view(text.size() - 100, 100))) == std::string_view(text).substr(text.size() - 100));
  CHECK_FALSE(map.view(text.size(), 1));
  CHECK(map.intact());
}

TEST_CASE("map file: where the file's own position is does not matter") {
  Scratch s;
  const std::string text = pattern(700'000);
  s.write("f", text);
  for (const auto access : {MapFile::Access::kSequential, MapFile::Access::kScan}) {
    const File file = need(s.dir.open_read(leaf("f")));
    for (int round = 0; round < 3; ++round) {
      MapFile map(file, text.size(), access);
      for (size_t at = 0; at < text.size(); at += 100'000)
        CHECK(as_text(need(map.view(at, 100'000))) == text.substr(at, 100'000));
      if (round == 1) need(file.next_data(0, text.size()));
    }
  }
}
