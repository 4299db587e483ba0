// Roles as threads: the first failure wins, everybody is joined.
#include "libsync/session/roles.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <new>

#include "libio/base/queue.h"

using namespace ocsync;
using namespace ocsync::sync;

TEST_CASE("roles: all well") {
  std::atomic<int> ran{0};
  const auto role = [&]() -> Status {
    ++ran;
    return {};
  };
  bool down = false;
  CHECK(run_together({role, role, role}, [&] { down = true; }));
  CHECK(ran == 3);
  CHECK_FALSE(down);
}

TEST_CASE("roles: the first failure wakes the others and is the one reported") {
  for (int round = 0; round < 50; ++round) {
    Queue<int> queue;
    std::atomic<int> downs{0};
    const auto waits = [&]() -> Status {
      const auto item = queue.pop();
      if (!item) return fail(Fault::kClosed, "closed");
      return {};
    };
    const auto fails = [&]() -> Status { return fail(Fault::kProtocol, "the reason"); };
    const Status status = run_together({waits, fails, waits}, [&] {
      ++downs;
      queue.close();
    });
    REQUIRE_FALSE(status);
    CHECK(status.error().text == "the reason");
    CHECK(downs == 1);
  }
}

TEST_CASE("roles: what the far side says of its end explains a broken stream") {
  Queue<int> order;
  const auto breaks = [&]() -> Status { return fail(Fault::kSocket, "", EPIPE); };
  const auto hears = [&]() -> Status {
    (void)order.pop();
    return fail(Fault::kFarExit, "far");
  };
  const Status status = run_together({breaks, hears}, [&] { order.close(); });
  REQUIRE_FALSE(status);
  CHECK(status.error().fault == Fault::kFarExit);
}

TEST_CASE("roles: no memory is a failure like others") {
  const auto hungry = []() -> Status { throw std::bad_alloc(); };
  const Status status = run_together({hungry, [] { return Status(); }}, [] {});
  REQUIRE_FALSE(status);
  CHECK(status.error().fault == Fault::kMemory);
}
