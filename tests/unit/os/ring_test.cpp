// Batches through the ring answer as plain calls do, in every number. Where there is no ring, nothing is to be tested.
#include "libio/os/ring.h"

#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;

TEST_CASE("ring: information on many children is that of single calls") {
  auto ring = Ring::create(8);
  if (!ring) {
    CHECK(ring.error().fault == Fault::kUnsupported);
    return;
  }
  Scratch s;
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) {
    names.push_back("f" + std::to_string(i));
    if (i % 7 != 3) s.write(names.back(), std::string(static_cast<size_t>(i), 'x'));
  }
  need(s.dir.make_symlink("f1", leaf("link")));
  names.push_back("link");
  std::vector<Leaf> leaves;
  for (const std::string& n : names) leaves.push_back(leaf(n.c_str()));
  for (const size_t count : {size_t{0}, size_t{1}, size_t{8}, size_t{9}, names.size()}) {
    const auto batch = ring->info_batch(s.dir, std::span(leaves).first(count));
    REQUIRE(batch.size() == count);
    for (size_t i = 0; i < count; ++i) {
      const auto plain = s.dir.info(leaves[i]);
      REQUIRE(batch[i].has_value() == plain.has_value());
      CHECK(sys_of(batch[i]) == sys_of(plain));
      if (plain) {
        CHECK(batch[i]->ino == plain->ino);
        CHECK(batch[i]->dev == plain->dev);
        CHECK(batch[i]->size == plain->size);
        CHECK(batch[i]->mode == plain->mode);
        CHECK(batch[i]->mtime == plain->mtime);
      }
    }
  }
}

TEST_CASE("ring: many reads at once are complete, also at the end of a file") {
  auto ring = Ring::create(4);
  if (!ring) return;
  Scratch s;
  const std::string text = pattern(100'000);
  s.write("f", text);
  const File file = need(s.dir.open_read(leaf("f")));
  const File directory = need(s.dir.open_path(leaf("f")));
  std::vector<std::string> pieces(30, std::string(7'000, '\0'));
  std::vector<Ring::Read> reads;
  for (size_t i = 0; i < pieces.size(); ++i)
    reads.push_back({&file, i * 5'000, std::as_writable_bytes(std::span(pieces[i])), size_t{0}});
  std::string unread(10, '\0');
  reads.push_back({&directory, 0, std::as_writable_bytes(std::span(unread)), size_t{0}});
  ring->read_batch(reads);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const size_t offset = std::min(i * 5'000, text.size());
    const size_t expected = std::min<size_t>(7'000, text.size() - offset);
    CHECK(need(reads[i].outcome) == expected);
    CHECK(std::string_view(pieces[i]).substr(0, expected) == std::string_view(text).substr(offset, expected));
  }
  CHECK(sys_of(reads.back().outcome) == EBADF);
}
