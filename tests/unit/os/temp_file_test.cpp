// Names and lives of temporary files.
#include "libio/os/temp_file.h"

#include "libio/os/stop.h"
#include "libio/os/sys.h"
#include "tests/unit/os/scratch.h"

#include <csignal>

using namespace ocsync;
using namespace ocsync::io;

namespace {
std::string without_random(const std::string& name) { return name.substr(0, name.size() - 6); }
}  // namespace

TEST_CASE("temp_name: dots, cuts and UTF-8 as rsync's users know them") {
  CHECK(without_random(temp_name("name")) == ".name.");
  CHECK(without_random(temp_name(".name")) == ".name.");
  CHECK(without_random(temp_name("..name")) == "..name.");
  CHECK(without_random(temp_name("name.")) == ".name.");
  CHECK(without_random(temp_name(".")) == ".");
  CHECK(without_random(temp_name("name", true)) == "name.");
  CHECK(without_random(temp_name(".name", true)) == ".name.");
  CHECK(temp_name("name") != temp_name("name"));

  const std::string longest(255, 'x');
  CHECK(temp_name(longest).size() == 254);
  CHECK(temp_name(longest, true).size() == 253);
  for (int pad = 0; pad < 4; ++pad) {
    const std::string ascii(static_cast<size_t>(240 + pad), 'x');
    const std::string cut = without_random(temp_name(ascii + "\xF0\x9F\x98\x80\xC3\xA4\xE2\x82\xAC"));
    CAPTURE(pad);
    // What is left of the name is the run of x and as many whole characters as fit.
    const std::string rest = cut.substr(1 + ascii.size(), cut.size() - 2 - ascii.size());
    CHECK((rest == "" || rest == "\xF0\x9F\x98\x80" || rest == "\xF0\x9F\x98\x80\xC3\xA4"));
  }
  CHECK(temp_name(std::string(300, '\xAA')).size() <= 255);
}

TEST_CASE("temp file: gone unless committed, and committed atomically") {
  Scratch s;
  s.write("target", "old");
  {
    const TempFile temp = need(TempFile::create(s.dir, "target", 0600));
    need(temp.file().write_at(as_bytes("new"), 0));
    CHECK(s.read(temp.name()) == "new");
  }
  CHECK(need(s.dir.list()).entries.size() == 1);
  {
    TempFile temp = need(TempFile::create(s.dir, "target", 0600));
    need(temp.file().write_at(as_bytes("new"), 0));
    TempFile moved = std::move(temp);
    need(moved.commit(s.dir, leaf("target")));
  }
  CHECK(s.read("target") == "new");
  CHECK(need(s.dir.list()).entries.size() == 1);
  std::string kept;
  {
    TempFile temp = need(TempFile::create(s.dir, "target", 0640));
    temp.keep();
    kept = temp.name();
  }
  CHECK(need(s.dir.info(leaf(kept.c_str()))).permissions() == 0640);
}

TEST_CASE("temp file: a failed commit leaves the target and removes the rest") {
  Scratch s;
  s.write("target", "old");
  {
    TempFile temp = need(TempFile::create(s.dir, "target", 0600));
    const sys::FaultPlan plan(sys::Call::kName, 1, EDQUOT);
    CHECK(sys_of(temp.commit(s.dir, leaf("target"))) == EDQUOT);
  }
  CHECK(s.read("target") == "old");
  CHECK(need(s.dir.list()).entries.size() == 1);
}

TEST_CASE("temp file: taken names are tried again, other failures are not") {
  Scratch s;
  {
    const sys::FaultPlan taken(sys::Call::kOpen, 1, EEXIST, 20);
    need(TempFile::create(s.dir, "t", 0600));
    CHECK(taken.fired() == 20);
  }
  const sys::FaultPlan full(sys::Call::kOpen, 1, ENOSPC);
  CHECK(sys_of(TempFile::create(s.dir, "t", 0600)) == ENOSPC);
}

TEST_CASE("stop: the first request wins and wakes") {
  Stop stop;
  CHECK(stop.check());
  pollfd p{stop.wake_fd(), POLLIN, 0};
  CHECK(need(sys::poll(&p, 1, 0)) == 0);
  stop.request(SIGUSR1);
  stop.request(SIGTERM);
  CHECK(stop.signal_number() == SIGUSR1);
  CHECK(stop.check().error().fault == Fault::kUser1);
  CHECK(need(sys::poll(&p, 1, 0)) == 1);
  Stop other;
  other.request(SIGHUP);
  CHECK(other.check().error().fault == Fault::kInterrupted);
}
