// Batches through the ring answer as plain calls do, in every number. Where there is no ring, nothing is to be tested.
#include "libio/os/ring.h"

#include <sys/socket.h>

#include "libio/os/sys.h"

#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;

TEST_CASE("ring: information on many children is that of single calls") {
  auto ring = Ring::create({.entries = 8});
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
  auto ring = Ring::create({.entries = 4});
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

namespace {
// Names "0", "1", ... of files with 100 bytes more each; every tenth is missing, one is a symlink.
struct ManyFiles {
  Scratch s;
  std::vector<std::string> names;
  std::vector<Leaf> leaves;
  explicit ManyFiles(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      names.push_back(std::to_string(i));
      if (i % 10 != 9) s.write(names.back(), content(i));
    }
    need(s.dir.make_symlink("0", leaf("link")));
    names.push_back("link");
    for (const std::string& n : names) leaves.push_back(leaf(n.c_str()));
  }
  static std::string content(size_t i) { return pattern(i * 100, static_cast<uint32_t>(i + 1)); }
};

void check_stages(Ring& ring, const ManyFiles& many) {
  std::vector<std::string> memory(many.leaves.size(), std::string(4'000, '\0'));
  std::vector<Ring::Stage> files;
  for (size_t i = 0; i < many.leaves.size(); ++i)
    files.push_back(
        {many.leaves[i], std::as_writable_bytes(std::span(memory[i])), fail(Error(EINPROGRESS)), size_t{0}});
  ring.stage_batch(many.s.dir, files);
  for (size_t i = 0; i < files.size(); ++i) {
    INFO(many.names[i]);
    if (many.names[i] == "link") {
      CHECK(need(files[i].info).is_symlink());
      CHECK(sys_of(files[i].outcome) == ELOOP);
    } else if (i % 10 == 9) {
      CHECK(sys_of(files[i].info) == ENOENT);
      CHECK(sys_of(files[i].outcome) == ENOENT);
    } else {
      const std::string expected = ManyFiles::content(i).substr(0, 4'000);
      CHECK(need(files[i].info).size == i * 100);
      CHECK(need(files[i].outcome) == expected.size());
      CHECK(memory[i].substr(0, expected.size()) == expected);
    }
  }
}
}  // namespace

TEST_CASE("ring: files are looked at, opened, read and closed in flight together") {
  const ManyFiles many(60);
  for (const unsigned entries : {2u, 8u, 128u}) {
    IoMetrics metrics;
    auto ring = Ring::create({.entries = entries, .metrics = &metrics});
    if (!ring) return;
    check_stages(*ring, many);
    CHECK(metrics.depth <= entries);
    if (entries == 128) CHECK(metrics.operations > 100);
  }
}

TEST_CASE("ring: spinning and a kernel thread change nothing but the time") {
  const ManyFiles many(30);
  for (const RingManner manner :
       {RingManner{.entries = 16, .poll_us = 200}, RingManner{.entries = 16, .sqpoll = true}}) {
    auto ring = Ring::create(manner);
    if (ring) check_stages(*ring, many);
  }
}

TEST_CASE("ring: one that the kernel refuses in the middle of a batch leaves the rest to plain calls") {
  const ManyFiles many(60);
  for (const int error : {EPERM, ENOMEM, EINTR, EAGAIN})
    for (unsigned nth = 1; nth < 6; ++nth) {
      INFO(error << " at submission " << nth);
      IoMetrics metrics;
      auto ring = Ring::create({.entries = 8, .metrics = &metrics});
      if (!ring) return;
      {
        const sys::FaultPlan plan(sys::Call::kRing, nth, error);
        check_stages(*ring, many);
        CHECK(plan.fired() == 1);
      }
      CHECK(ring->works() == (error == EINTR || error == EAGAIN));
      check_stages(*ring, many);  // and afterwards
    }
}

TEST_CASE("ring: reads that follow each other are one, into registered memory, too") {
  IoMetrics metrics;
  auto ring = Ring::create({.entries = 64, .metrics = &metrics});
  if (!ring) return;
  Scratch s;
  const std::string text = pattern(64'000);
  s.write("f", text);
  const File file = need(s.dir.open_read(leaf("f")));
  std::string memory(64'000, '\0');
  const MutableBytes all = std::as_writable_bytes(std::span(memory));
  const auto read = [&](size_t piece) {
    std::fill(memory.begin(), memory.end(), '\0');
    std::vector<Ring::Read> reads;
    for (size_t at = 0; at < text.size(); at += piece) reads.push_back({&file, at, all.subspan(at, piece), size_t{0}});
    ring->read_batch(reads);
    for (const Ring::Read& r : reads) CHECK(need(r.outcome) == piece);
    CHECK(memory == text);
  };
  read(4'000);
  CHECK(metrics.operations == 1);  // sixteen of them
  if (ring->register_buffers({&all, 1})) read(64'000);
}

TEST_CASE("ring: sends and receives on a socket") {
  auto ring = Ring::create({.entries = 4});
  if (!ring) return;
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd a(ends[0]);
  Fd b(ends[1]);
  std::string into(10, '\0');
  CHECK(need(ring->send(a.get(), as_bytes("hello"))) == 5);
  CHECK(need(ring->receive(b.get(), std::as_writable_bytes(std::span(into)))) == 5);
  CHECK(into.substr(0, 5) == "hello");
  b.close();
  CHECK(sys_of(ring->send(a.get(), as_bytes("more"))) == EPIPE);
}
