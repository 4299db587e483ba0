// The order of lists against a naive one that splits names into components.
#include "libsync/list/order.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "libsync/list/segment.h"

using namespace ocsync::sync;

namespace {

struct Name {
  std::string path;
  bool is_dir;
};

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> all;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    all.emplace_back(path.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

int sign(int n) { return n < 0 ? -1 : n > 0 ? 1 : 0; }

int bytes(const std::string& a, const std::string& b) { return sign(a.compare(b)); }

// Files of a directory come before its directories; directories (and all on the way) compare with a slash behind; the
// transfer root is before everything else.
int naive(const Name& a, const Name& b) {
  const bool a_root = a.path == "." && a.is_dir, b_root = b.path == "." && b.is_dir;
  if (a_root || b_root) return a_root && b_root ? 0 : a_root ? -1 : 1;
  const auto x = components(a.path), y = components(b.path);
  for (size_t i = 0;; ++i) {
    if (i == x.size() && i == y.size()) return 0;
    if (i == x.size()) return -1;
    if (i == y.size()) return 1;
    const bool x_dir = i + 1 < x.size() || a.is_dir, y_dir = i + 1 < y.size() || b.is_dir;
    if (x_dir != y_dir) return x_dir ? 1 : -1;
    const std::string slash = x_dir ? "/" : "";
    if (const int c = bytes(x[i] + slash, y[i] + slash); c != 0) return c;
  }
}

std::string random_path(std::mt19937& random) {
  // Bytes on both sides of '/', and above 127.
  static const std::string kBytes = "ab-.0\xc3 ";
  std::string path;
  const int depth = 1 + static_cast<int>(random() % 4);
  for (int i = 0; i < depth; ++i) {
    if (i > 0) path += '/';
    std::string part;
    const int length = 1 + static_cast<int>(random() % 3);
    for (int j = 0; j < length; ++j) part += kBytes[random() % kBytes.size()];
    if (part == "." || part == "..") part = "a";
    path += part;
  }
  return path;
}

Name random_name(std::mt19937& random) {
  if (random() % 50 == 0) return {".", true};
  return {random_path(random), random() % 2 == 0};
}

Entry& add(Segment& segment, const Name& name) {
  Entry& entry = segment.add(name.path);
  entry.mode = name.is_dir ? S_IFDIR | 0755 : S_IFREG | 0644;
  return entry;
}

}  // namespace

TEST_CASE("order: components, against a naive comparison") {
  std::mt19937 random(1);
  int equal = 0;
  for (int i = 0; i < 100'000; ++i) {
    const Name a = random_name(random),
               b = random() % 8 == 0 ? Name{a.path, random() % 2 == 0 || a.path == "."} : random_name(random);
    const int expected = naive(a, b);
    equal += expected == 0;
    Segment segment(0);
    const Entry x = add(segment, a), y = add(segment, b);
    INFO('"' << a.path << "\" " << a.is_dir << " \"" << b.path << "\" " << b.is_dir);
    REQUIRE(sign(compare_entries(x, y, Order::kComponents)) == expected);
    REQUIRE(sign(compare_entries(y, x, Order::kComponents)) == -expected);
    REQUIRE(sign(compare_paths(a.path, a.is_dir, b.path, b.is_dir, Order::kComponents)) == expected);
  }
  CHECK(equal > 1000);
}

TEST_CASE("order: plain bytes of the path, whatever the kind") {
  std::mt19937 random(2);
  for (int i = 0; i < 100'000; ++i) {
    const Name a = random_name(random), b = random() % 8 == 0 ? Name{a.path, random() % 2 == 0} : random_name(random);
    Segment segment(0);
    const Entry x = add(segment, a), y = add(segment, b);
    INFO('"' << a.path << "\" \"" << b.path << '"');
    REQUIRE(sign(compare_entries(x, y, Order::kPlainBytes)) == bytes(a.path, b.path));
    REQUIRE(sign(compare_paths(a.path, a.is_dir, b.path, b.is_dir, Order::kPlainBytes)) == bytes(a.path, b.path));
  }
}

TEST_CASE("order: it is a strict weak order") {
  std::mt19937 random(3);
  for (int i = 0; i < 20'000; ++i) {
    Segment segment(0);
    std::vector<Entry> three;
    for (int j = 0; j < 3; ++j) three.push_back(add(segment, random_name(random)));
    for (const Order order : {Order::kComponents, Order::kPlainBytes})
      if (compare_entries(three[0], three[1], order) <= 0 && compare_entries(three[1], three[2], order) <= 0)
        REQUIRE(compare_entries(three[0], three[2], order) <= 0);
  }
}

TEST_CASE("order: the examples everybody trips over") {
  const auto before = [](const char* a, bool a_dir, const char* b, bool b_dir) {
    return compare_paths(a, a_dir, b, b_dir, Order::kComponents) < 0;
  };
  CHECK(before(".", true, "a", false));
  CHECK(before("z", false, "a", true));     // files before directories
  CHECK(before("a.b", true, "a", true));    // with its slash "a/" is behind "a.b/"
  CHECK(before("a", false, "a.b", false));  // files compare without one
  CHECK(before("a", true, "a/x", false));   // a directory before what is in it
  CHECK(before("a-b/x", false, "a/x", false));
  CHECK(compare_paths("a", true, "a", false, Order::kComponents) > 0);
  CHECK(compare_paths("a", true, "a", false, Order::kPlainBytes) == 0);
}

TEST_CASE("segment: find, indexes and sealing") {
  std::mt19937 random(4);
  for (const Order order : {Order::kComponents, Order::kPlainBytes}) {
    Segment segment(7, 3);
    for (int i = 0; i < 3000; ++i) add(segment, random_name(random));
    segment.seal(order);
    REQUIRE(segment.count() == 3000);
    CHECK(segment.first_ndx() == 7);
    CHECK(segment.end_ndx() == 3007);
    CHECK(segment.parent_dir() == 3);
    CHECK_FALSE(segment.holds(6));
    CHECK(segment.holds(7));
    CHECK_FALSE(segment.holds(3007));
    for (int32_t i = 0; i < segment.count(); ++i) {
      Entry& entry = segment.sorted(i);
      REQUIRE(segment.ndx_of_sorted(i) == 7 + i);
      REQUIRE(&segment.by_ndx(7 + i) == &entry);
      if (i > 0) REQUIRE(compare_entries(segment.sorted(i - 1), entry, order) <= 0);
      const int32_t found = segment.find(entry.path(), entry.is_dir(), order);
      REQUIRE(found >= 0);
      REQUIRE(found <= i);
      REQUIRE(segment.sorted(found).path() == entry.path());
      REQUIRE(std::string(entry.leaf()) == entry.leaf_view());  // NUL-terminated
    }
    CHECK(segment.find("no such name", false, order) == -1);
    CHECK(segment.find("zzzz/zzzz", true, order) == -1);
    CHECK_FALSE(segment.has_any("zzzz", order));
  }
}

TEST_CASE("segment: cleared entries are not found") {
  Segment segment(0);
  add(segment, {"a", false});
  add(segment, {"b", false});
  segment.seal(Order::kComponents);
  REQUIRE(segment.find("a", false, Order::kComponents) == 0);
  segment.sorted(0).set(kCleared);
  CHECK(segment.find("a", false, Order::kComponents) == -1);
  CHECK(segment.find("b", false, Order::kComponents) == 1);
}

TEST_CASE("segment: with converted names, indexes follow the order of sending") {
  Segment segment(10);
  add(segment, {"b", false});
  add(segment, {"a", false});
  segment.seal(Order::kComponents, true);
  CHECK(segment.sorted(0).path() == "a");
  CHECK(segment.ndx_of_sorted(0) == 11);
  CHECK(segment.by_ndx(10).path() == "b");
}

TEST_CASE("segment: paths come apart and together again") {
  Segment segment(0);
  for (const char* path : {".", "a", "a/b", "a/b/c", "/", "/etc", "/etc/x"}) CHECK(segment.add(path).path() == path);
  std::string reused = "something else";
  segment.added(3).path_into(reused);
  CHECK(reused == "a/b/c");
}
