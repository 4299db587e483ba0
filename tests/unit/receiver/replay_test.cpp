// Which recorded content a replay takes: what the generating role asked for, in the order of the file.
#include <catch2/catch.hpp>

#include <thread>

#include "libsync/receiver/replay.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

struct Asked {
  Replay replay;
  std::vector<int32_t> missing;
  bool wants(int32_t ndx, int list) {
    const auto answer = replay.wants(
        ndx, list,
        [&](int32_t passed) -> Status {
          missing.push_back(passed);
          return {};
        },
        [] {});
    REQUIRE(answer);
    return *answer;
  }
};

}  // namespace

TEST_CASE("replay: what was asked for is wanted, the rest is not, and what the file lacks is told") {
  Asked a;
  for (const int32_t ndx : {2, 3, 7}) a.replay.asked(ndx);
  a.replay.mark();
  CHECK_FALSE(a.wants(1, 0));
  CHECK(a.wants(2, 0));
  CHECK_FALSE(a.wants(5, 0));
  CHECK(a.missing == std::vector<int32_t>{3});
  CHECK(a.wants(7, 0));
  CHECK_FALSE(a.wants(9, 0));
  CHECK_FALSE(a.wants(12, 0));
}

TEST_CASE("replay: with growing lists, a list that is through asks for nothing more") {
  Asked a;
  a.replay.asked(1);
  a.replay.mark();
  a.replay.asked(6);
  a.replay.mark();
  CHECK(a.wants(1, 1));
  CHECK_FALSE(a.wants(3, 1));  // the first list is through: what comes later is not waited for
  CHECK(a.wants(6, 2));
  CHECK_FALSE(a.wants(8, 2));
  CHECK(a.missing.empty());
}

TEST_CASE("replay: the reading role waits for the generating one, and a failure lets it go") {
  Asked a;
  std::thread generating([&] { a.replay.asked(4); });
  CHECK(a.wants(4, 0));
  generating.join();
  std::thread failing([&] { a.replay.close(); });
  const auto answer = a.replay.wants(5, 0, [](int32_t) { return Status(); }, [] {});
  failing.join();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().fault == Fault::kClosed);
}
