// Buffers are sized, aligned, reused and bounded.
#include "libio/base/buffer_pool.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <thread>
#include <vector>

using namespace ocsync;

TEST_CASE("buffer pool: the smallest sufficient size, aligned to pages or huge pages") {
  BufferPool pool;
  CHECK(pool.acquire(0).size() == 64 * 1024);
  CHECK(pool.acquire(64 * 1024).size() == 64 * 1024);
  CHECK(pool.acquire(64 * 1024 + 1).size() == 256 * 1024);
  CHECK(pool.acquire(256 * 1024 + 1).size() == 1024 * 1024);
  CHECK(pool.acquire(4 * 1024 * 1024).size() == 4 * 1024 * 1024);
  CHECK(pool.acquire(5 * 1024 * 1024).size() == 16 * 1024 * 1024);
  const Buffer huge = pool.acquire(16 * 1024 * 1024 + 1);
  CHECK(huge.size() == 16 * 1024 * 1024 + 1);
  CHECK(reinterpret_cast<uintptr_t>(pool.acquire(1).data()) % 4096 == 0);
  CHECK(reinterpret_cast<uintptr_t>(pool.acquire(4 * 1024 * 1024).data()) % (2 * 1024 * 1024) == 0);
}

TEST_CASE("buffer pool: a buffer that came back is used again") {
  BufferPool pool;
  std::byte* first = nullptr;
  {
    const Buffer buffer = pool.acquire(1);
    first = buffer.data();
    std::memset(buffer.data(), 7, buffer.size());
  }
  const Buffer again = pool.acquire(1);
  CHECK(again.data() == first);
  CHECK(pool.stats().hits == 1);
  CHECK(pool.stats().misses == 1);
  CHECK(pool.stats().bytes_created == 64 * 1024);
  CHECK(pool.stats().bytes_idle == 0);
}

TEST_CASE("buffer pool: idle buffers are bounded, very large ones are not kept, trim gives up all") {
  BufferPool pool;
  {
    std::vector<Buffer> many;
    for (size_t i = 0; i < BufferPool::kIdle[0] + 10; ++i) many.push_back(pool.acquire(1));
    const Buffer huge = pool.acquire(17 * 1024 * 1024);
  }
  CHECK(pool.stats().bytes_idle == BufferPool::kIdle[0] * BufferPool::kSizes[0]);
  pool.trim();
  CHECK(pool.stats().bytes_idle == 0);
  const Buffer fresh = pool.acquire(1);
  CHECK(pool.stats().hits == 0);
}

TEST_CASE("buffer pool: a buffer moves and is given back once") {
  BufferPool pool;
  {
    Buffer a = pool.acquire(1);
    Buffer b = std::move(a);
    CHECK_FALSE(a);
    CHECK(a.size() == 0);
    CHECK(b);
    CHECK(b.bytes().size() == 64 * 1024);
    b = pool.acquire(1);  // the old one goes back with the temporary
    CHECK(pool.stats().bytes_idle == 64 * 1024);
    Buffer none;
    CHECK_FALSE(none);
    none = std::move(b);
    CHECK(none);
  }
  CHECK(pool.stats().bytes_idle == 2 * 64 * 1024);
}

TEST_CASE("buffer pool: threads never share a buffer") {
  BufferPool pool;
  std::atomic<int> collisions = 0;
  std::vector<std::thread> threads;
  for (int who = 1; who <= 4; ++who) {
    threads.emplace_back([&, who] {
      for (int i = 0; i < 2000; ++i) {
        const Buffer a = pool.acquire(1), b = pool.acquire(1);
        a.data()[0] = std::byte(who);
        b.data()[0] = std::byte(who + 100);
        if (i % 16 == 0) std::this_thread::yield();
        if (a.data()[0] != std::byte(who) || b.data()[0] != std::byte(who + 100)) ++collisions;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(collisions == 0);
  const BufferPool::Stats stats = pool.stats();
  CHECK(stats.hits + stats.misses == 4 * 2000 * 2);
}
