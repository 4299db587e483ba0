// Copies are exact, whichever way was taken and whatever went wrong on it.
#include "libio/os/copy.h"

#include <csignal>

#include "libio/os/sys.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;

namespace {

Stop nobody;

std::string copy_of(const Scratch& s, const std::string& content, uint64_t expected, CopyOptions options = {},
                    CopyResult* result = nullptr) {
  s.write("from", content);
  s.dir.unlink(leaf("to"));
  const File to = need(s.dir.create(leaf("to"), 0600));
  const CopyResult r = need(copy_content(need(s.dir.open_read(leaf("from"))), to, expected, options, nobody));
  CHECK(r.bytes == content.size());
  if (result) *result = r;
  return s.read("to");
}

// Zeros in runs of every awkward length, at borders and elsewhere.
std::string holey() {
  std::string text = std::string(5000, '\0') + pattern(1000) + std::string(1023, '\0') + "x" + std::string(1025, '\0');
  text += pattern(700'000, 3) + std::string(600'000, '\0') + "y" + std::string(4095, '\0') + pattern(5) +
          std::string(70'000, '\0');
  return text;
}

}  // namespace

TEST_CASE("copy: every size around the borders is exact, also when it was announced wrongly") {
  Scratch s;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4095}, size_t{4096}, size_t{262'143}, size_t{262'144},
                            size_t{262'145}, size_t{524'288}, size_t{524'289}, size_t{1'500'000}}) {
    const std::string text = pattern(size);
    for (const uint64_t expected :
         {uint64_t{size}, uint64_t{0}, uint64_t{size / 2}, uint64_t{size + 100}, uint64_t{10'000'000}}) {
      for (const bool kernel : {false, true}) {
        CAPTURE(size, expected, kernel);
        CHECK(copy_of(s, text, expected, {.prefer_kernel = kernel}) == text);
      }
    }
  }
}

TEST_CASE("copy: the kernel's way is taken when asked for, and left when it is refused") {
  Scratch s;
  const std::string text = pattern(700'000);
  CopyResult result;
  CHECK(copy_of(s, text, text.size(), {.allow_clone = false, .prefer_kernel = true}, &result) == text);
  const bool supported = result.path == CopyResult::Path::kKernel;
  {
    // It stops half-way, for whatever reason: the buffer takes over where it stood.
    const sys::FaultPlan cut(sys::Call::kCopyRange, 1, 0);
    const sys::FaultPlan* alive = &cut;
    CHECK(copy_of(s, text, text.size(), {.allow_clone = false, .prefer_kernel = true}) == text);
    if (supported) CHECK(alive->fired() == 1);
  }
  {
    const sys::FaultPlan broken(sys::Call::kCopyRange, 1, EIO);
    CHECK(copy_of(s, text, text.size(), {.allow_clone = false, .prefer_kernel = true}, &result) == text);
    CHECK(result.path == CopyResult::Path::kBuffered);
  }
}

TEST_CASE("copy: a refusal of clones is asked for once only") {
  Scratch s;
  const std::string text = pattern(400'000);
  CopyResult result;
  copy_of(s, text, text.size(), {}, &result);
  if (result.path == CopyResult::Path::kCloned) return;  // this file system clones
  const sys::FaultPlan would_fail(sys::Call::kClone, 1, EIO);
  CHECK(copy_of(s, text, text.size()) == text);
  CHECK(would_fail.fired() == 0);
}

TEST_CASE("copy: ranges are shared or refused, and a refusal is asked for once only") {
  Scratch s;
  const std::string text = pattern(3 * RangeSharing::kBlock);
  s.write("from", text);
  const File from = need(s.dir.open_read(leaf("from")));
  const File to = need(s.dir.create(leaf("to"), 0600));
  need(to.write_at(as_bytes("old"), 0));
  RangeSharing sharing(from, to);
  {
    // What does not fit blocks is no matter of file systems: the next pair of files is asked again.
    const sys::FaultPlan unfit(sys::Call::kClone, 1, EINVAL);
    CHECK_FALSE(sharing.share(0, 0, RangeSharing::kBlock));
    CHECK_FALSE(sharing.possible());
    CHECK(s.read("to") == "old");
  }
  RangeSharing again(from, to);
  if (again.possible() && again.share(RangeSharing::kBlock, 0, RangeSharing::kBlock)) {
    CHECK(s.read("to") == text.substr(RangeSharing::kBlock, RangeSharing::kBlock));
    return;  // this file system shares
  }
  CHECK(s.read("to") == "old");
  CHECK_FALSE(RangeSharing(from, to).possible());
}

TEST_CASE("copy: sparse copies are exact and take less room") {
  Scratch s;
  const std::string text = holey();
  CopyResult result;
  CHECK(copy_of(s, text, text.size(), {.sparse = true, .allow_clone = false}, &result) == text);
  const FileInfo dense = need(s.dir.info(leaf("from")));
  const FileInfo sparse = need(s.dir.info(leaf("to")));
  CHECK(sparse.blocks * 512 + 500'000 < dense.blocks * 512);

  // From a sparse file, which is read only where it has data.
  need(s.dir.rename(leaf("to"), s.dir, leaf("holes")));
  const File to = need(s.dir.create(leaf("to"), 0600));
  const File from = need(s.dir.open_read(leaf("holes")));
  need(copy_content(from, to, text.size(), {.sparse = true, .allow_clone = false}, nobody));
  CHECK(s.read("to") == text);

  CHECK(copy_of(s, text, text.size(), {.sparse = true, .preallocate = true}) == text);
  CHECK(copy_of(s, text, text.size(), {.preallocate = true}) == text);
  for (const size_t zeros : {size_t{1}, size_t{1024}, size_t{200'000}, size_t{900'000}}) {
    const std::string nothing(zeros, '\0');
    CHECK(copy_of(s, nothing, zeros, {.sparse = true}) == nothing);
  }
}

TEST_CASE("copy: a file system that cannot tell holes is asked once") {
  Scratch s;
  const std::string content(300'000, '\0');
  const auto copy = [&](CopyOptions options) {
    s.dir.unlink(leaf("from"));
    const File made = need(s.dir.create(leaf("from"), 0600));
    need(made.truncate(content.size()));  // nothing but a hole
    s.dir.unlink(leaf("to"));
    const File to = need(s.dir.create(leaf("to"), 0600));
    need(copy_content(need(s.dir.open_read(leaf("from"))), to, content.size(), options, nobody));
    CHECK(s.read("to") == content);
  };
  const sys::FaultPlan cannot(sys::Call::kSeek, 1, EINVAL, 100);
  copy({.sparse = true});
  copy({.sparse = true});
  CHECK(cannot.fired() == 1);
}

TEST_CASE("copy: what was reserved for a source that shrank is given back") {
  Scratch s;
  for (const size_t size : {size_t{100}, size_t{700'000}}) {
    const std::string text = pattern(size);
    CHECK(copy_of(s, text, 50'000'000, {.preallocate = true}) == text);
    CHECK(need(s.dir.info(leaf("to"))).blocks * 512 < 2'000'000);
  }
}

TEST_CASE("copy: a source with a hole at its end keeps its size") {
  Scratch s;
  const File from = need(s.dir.create(leaf("from"), 0600));
  need(from.write_at(as_bytes("head"), 0));
  need(from.truncate(3'000'000));
  for (const bool sparse : {true, false}) {
    s.dir.unlink(leaf("to"));
    const File to = need(s.dir.create(leaf("to"), 0600));
    CHECK(need(copy_content(from, to, 3'000'000, {.sparse = sparse}, nobody)).bytes == 3'000'000);
    CHECK(need(to.info()).size == 3'000'000);
    CHECK(read_all(to, 4) == "head");
  }
}

TEST_CASE("copy: short and interrupted calls do not lose a byte") {
  Scratch s;
  for (const size_t size : {size_t{100}, size_t{600'000}}) {
    const std::string text = pattern(size);
    for (const int error : {0, EINTR}) {
      const sys::FaultPlan reads(sys::Call::kRead, 1, error, 3);
      const sys::FaultPlan writes(sys::Call::kWrite, 1, error, 3);
      CHECK(copy_of(s, text, size) == text);
      CHECK(reads.fired() == 3);
      CHECK(writes.fired() == 3);
    }
  }
}

TEST_CASE("copy: failures say which side had them") {
  Scratch s;
  for (const size_t size : {size_t{100}, size_t{600'000}}) {
    for (const bool sparse : {false, true}) {
      s.write("from", pattern(size));
      const File from = need(s.dir.open_read(leaf("from")));
      s.dir.unlink(leaf("to"));
      const File to = need(s.dir.create(leaf("to"), 0600));
      {
        const sys::FaultPlan plan(sys::Call::kRead, 1, EIO);
        const auto r = copy_content(from, to, size, {.sparse = sparse}, nobody);
        REQUIRE(!r);
        CHECK(r.error().fault == Fault::kSystem);
        CHECK(r.error().sys == EIO);
      }
      for (const int error : {ENOSPC, EDQUOT, EIO, EFBIG}) {
        const sys::FaultPlan plan(sys::Call::kWrite, 1, error);
        const auto r = copy_content(from, to, size, {.sparse = sparse}, nobody);
        REQUIRE(!r);
        CHECK(r.error().fault == Fault::kFileIo);
        CHECK(r.error().sys == error);
      }
    }
  }
  const File from = need(s.dir.open_read(leaf("from")));
  s.dir.unlink(leaf("to"));
  const File to = need(s.dir.create(leaf("to"), 0600));
  const sys::FaultPlan plan(sys::Call::kSize, 1, ENOSPC);
  const auto r = copy_content(from, to, 600'000, {.preallocate = true}, nobody);
  REQUIRE(!r);
  CHECK(r.error().fault == Fault::kFileIo);
}

TEST_CASE("copy: a stop ends it") {
  Scratch s;
  s.write("from", pattern(1000));
  const File from = need(s.dir.open_read(leaf("from")));
  const File to = need(s.dir.create(leaf("to"), 0600));
  Stop stop;
  stop.request(SIGINT);
  const auto r = copy_content(from, to, 1000, {}, stop);
  REQUIRE(!r);
  CHECK(r.error().fault == Fault::kInterrupted);
}
