// How many requests may wait for answers.
#include "libsync/receiver/request_window.h"

#include <catch2/catch.hpp>

using ocsync::sync::RequestWindow;

namespace {

// Fills the window, then lets answers come until it is not full any more: the first after `first_us`, the others
// `each_us` apart. Returns how many were answered.
size_t one_pause(RequestWindow& window, int64_t& now, int64_t first_us, int64_t each_us) {
  size_t pending = window.size();
  CHECK_FALSE(window.full(pending - 1, now));
  REQUIRE(window.full(pending, now));
  now += first_us;
  const size_t before = pending;
  for (--pending; window.full(pending, now); --pending) now += each_us;
  return before - pending;
}

}  // namespace

TEST_CASE("request window: a pause lasts until half of the requests were answered") {
  RequestWindow window;
  int64_t now = 1'000'000;
  CHECK(one_pause(window, now, 100, 100) == RequestWindow::kLeast / 2);
  CHECK(window.size() == RequestWindow::kLeast);
}

TEST_CASE("request window: a slow sender close by does not make it grow") {
  RequestWindow window;
  int64_t now = 1'000'000;
  for (int i = 0; i < 100; ++i) one_pause(window, now, 5'000, 5'000);
  CHECK(window.size() == RequestWindow::kLeast);
}

TEST_CASE("request window: a sender far away makes it grow, up to a bound") {
  RequestWindow window;
  int64_t now = 1'000'000;
  for (size_t size = RequestWindow::kLeast; size < 4 * RequestWindow::kLeast; size *= 2) {
    for (int i = 1; i < RequestWindow::kConvinced; ++i) one_pause(window, now, 100'000, 10);
    CHECK(window.size() == size);  // still chance
    one_pause(window, now, 100'000, 10);
    CHECK(window.size() == 2 * size);
  }
  for (int i = 0; i < 100; ++i) one_pause(window, now, 100'000, 10);
  CHECK(window.size() == RequestWindow::kMost);
}

TEST_CASE("request window: a machine that is busy now and then does not make it grow") {
  RequestWindow window;
  int64_t now = 1'000'000;
  for (int i = 0; i < 100; ++i) {
    for (int k = 1; k < RequestWindow::kConvinced; ++k) one_pause(window, now, 100'000, 10);
    one_pause(window, now, 100, 100);
  }
  CHECK(window.size() == RequestWindow::kLeast);
}

TEST_CASE("request window: what is answered at once says nothing about the distance") {
  RequestWindow window;
  int64_t now = 1'000'000;
  for (int i = 0; i < 100; ++i) one_pause(window, now, 9'000, 0);
  CHECK(window.size() == RequestWindow::kLeast);
}
