// The queue between threads: order, bound, closing.
#include "libio/base/queue.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <vector>

using namespace ocsync;
using namespace std::chrono_literals;

TEST_CASE("queue: first in, first out, also for what can only be moved") {
  Queue<std::unique_ptr<int>> queue;
  CHECK(queue.empty());
  REQUIRE(queue.push(std::make_unique<int>(1)).has_value());
  REQUIRE(queue.push(std::make_unique<int>(2)).has_value());
  CHECK(queue.size() == 2);
  CHECK(**queue.pop() == 1);
  CHECK(**queue.try_pop() == 2);
  CHECK_FALSE(queue.try_pop().has_value());
  CHECK_FALSE(queue.pop_for(1ms).has_value());
}

TEST_CASE("queue: closing refuses what comes, delivers what waits, then nothing") {
  Queue<int> queue;
  REQUIRE(queue.push(1).has_value());
  REQUIRE(queue.push(2).has_value());
  queue.close();
  CHECK(queue.closed());
  const Status refused = queue.push(3);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().fault == Fault::kClosed);
  CHECK(queue.pop() == 1);
  CHECK(queue.pop_for(1h) == 2);
  CHECK(queue.pop() == std::nullopt);
  CHECK(queue.pop_for(1h) == std::nullopt);
}

TEST_CASE("queue: what was added quietly is announced by wake(), however often that is called") {
  Queue<int> queue;
  std::atomic<int> got = 0;
  std::thread taker([&] {
    while (const auto item = queue.pop()) got += *item;
  });
  for (int i = 0; i < 1000; ++i) {
    queue.wake();  // nothing to tell
    REQUIRE(queue.push_quietly(1).has_value());
    if (i % 3 == 0) queue.wake();
    queue.wake();
    while (i % 100 == 0 && got <= i) std::this_thread::yield();
  }
  queue.close();
  taker.join();
  CHECK(got == 1000);
}

TEST_CASE("queue: closing wakes those who wait to pop") {
  Queue<int> queue;
  std::vector<std::thread> waiting;
  std::atomic<int> woken = 0;
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back([&] {
      if (!queue.pop()) ++woken;
    });
  }
  queue.close();
  for (std::thread& thread : waiting) thread.join();
  CHECK(woken == 3);
}

TEST_CASE("queue: closing wakes those who wait for room") {
  Queue<int> queue(1);
  REQUIRE(queue.push(1).has_value());
  Fault fault = Fault::kSystem;
  std::thread pusher([&] {
    const Status status = queue.push(2);
    if (!status) fault = status.error().fault;
  });
  queue.close();
  pusher.join();
  CHECK(fault == Fault::kClosed);
}

TEST_CASE("queue: many threads pass every item exactly once, never more than the bound waiting") {
  constexpr int kEach = 2000;
  Queue<int> queue(4);
  std::atomic<int64_t> sum = 0;
  std::atomic<int> count = 0;
  std::atomic<bool> over = false;
  std::vector<std::thread> pushers, poppers;
  for (int who = 0; who < 3; ++who) {
    pushers.emplace_back([&, who] {
      for (int i = 0; i < kEach; ++i) {
        if (!queue.push(who * kEach + i)) over = true;
        if (queue.size() > 4) over = true;
      }
    });
    poppers.emplace_back([&] {
      while (const std::optional<int> item = queue.pop()) {
        sum += *item;
        ++count;
      }
    });
  }
  for (std::thread& thread : pushers) thread.join();
  queue.close();
  for (std::thread& thread : poppers) thread.join();
  CHECK_FALSE(over);
  CHECK(count == 3 * kEach);
  CHECK(sum == int64_t{3 * kEach} * (3 * kEach - 1) / 2);
}
