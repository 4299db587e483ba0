// Stable addresses, little overhead.
#include "libio/base/arena.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

using namespace ocsync;

TEST_CASE("arena: what was stored stays where it is, while blocks come and go") {
  Arena arena(64);
  std::vector<std::pair<const char*, std::string>> stored;
  for (size_t i = 0; i < 20000; ++i) {
    const std::string text(i % 301, static_cast<char>('a' + i % 26));
    stored.emplace_back(arena.store(text), text);
  }
  size_t wrong = 0;
  for (const auto& [at, text] : stored) wrong += std::string_view(at) != text;
  CHECK(wrong == 0);
  const Arena moved = std::move(arena);
  for (const auto& [at, text] : stored) wrong += std::string_view(at) != text;
  CHECK(wrong == 0);
}

TEST_CASE("arena: texts may be empty or hold any byte") {
  Arena arena;
  const char* empty = arena.store("");
  CHECK(*empty == '\0');
  const char* odd = arena.store(std::string_view("a\0b", 3));
  CHECK(std::string_view(odd, 4) == std::string_view("a\0b\0", 4));
}

TEST_CASE("arena: memory is aligned as asked") {
  Arena arena;
  for (const size_t align : {1UL, 2UL, 4UL, 8UL, 16UL}) {
    for (int i = 0; i < 100; ++i) {
      arena.allocate(1, 1);
      CHECK(reinterpret_cast<uintptr_t>(arena.allocate(3, align)) % align == 0);
    }
  }
  struct Pair {
    int64_t a;
    char b;
  };
  const Pair* pair = arena.make<Pair>(7, 'x');
  CHECK(pair->a == 7);
  CHECK(reinterpret_cast<uintptr_t>(pair) % alignof(Pair) == 0);
}

TEST_CASE("arena: overhead on names is a NUL each and the rest of the last block") {
  Arena arena;
  constexpr size_t kNames = 200000;
  constexpr size_t kLength = 24;
  for (size_t i = 0; i < kNames; ++i) arena.store(std::string_view("twenty-four characters..", kLength));
  CHECK(arena.used() == kNames * (kLength + 1));
  CHECK(arena.bytes() - arena.used() < Arena::kLargestBlock + 100 * Arena::kFirstBlock / 32);
}

TEST_CASE("arena: a first block is small, and a piece larger than a block leaves the present block in use") {
  Arena arena;
  arena.store("x");
  CHECK(arena.bytes() == Arena::kFirstBlock);
  Arena tiny(256);
  tiny.store("x");
  CHECK(tiny.bytes() == 256);

  const char* before = arena.store("before");
  arena.allocate(5 * Arena::kLargestBlock);
  CHECK(arena.bytes() >= Arena::kFirstBlock + 5 * Arena::kLargestBlock);
  CHECK(arena.store("after") == before + sizeof "before");
}
