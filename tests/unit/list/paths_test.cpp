// Paths as text: cleaning, and which symlinks lead out of the tree.
#include "libsync/list/paths.h"

#include <catch2/catch.hpp>

using namespace ocsync::sync;

TEST_CASE("paths: cleaning takes away what means nothing") {
  CHECK(clean_path("") == ".");
  CHECK(clean_path(".") == ".");
  CHECK(clean_path("./") == ".");
  CHECK(clean_path("././.") == ".");
  CHECK(clean_path("/") == "/");
  CHECK(clean_path("//") == "/");
  CHECK(clean_path("a//b") == "a/b");
  CHECK(clean_path("./a/./b/.") == "a/b");
  CHECK(clean_path("a/b/") == "a/b");
  CHECK(clean_path("/a/./b//") == "/a/b");
  CHECK(clean_path("a/../b") == "a/../b");  // what ".." means only the disk knows
  CHECK(clean_path("a/b/", true) == "a/b/");
  CHECK(clean_path("a/b/.", true) == "a/b/");
  CHECK(clean_path("a/b", true) == "a/b");
  CHECK(clean_path("a/b/.", false, false) == "a/b/.");
}

TEST_CASE("paths: joining") {
  CHECK(join_path("", "a") == "a");
  CHECK(join_path(".", "a") == "a");
  CHECK(join_path("a", "b") == "a/b");
  CHECK(join_path("a/", "b") == "a/b");
  CHECK(join_path("/", "b") == "/b");
}

TEST_CASE("paths: a component that climbs") {
  for (const char* bad : {"..", "../a", "a/..", "a/../b", "/.."}) CHECK(has_dotdot(bad));
  for (const char* good : {"", "a", "...", "..a", "a..", "a/..b", "a../b", "a/.../b"}) CHECK_FALSE(has_dotdot(good));
}

TEST_CASE("paths: below a directory") {
  CHECK(is_below("a/b", "a"));
  CHECK(is_below("a/b/c", "a"));
  CHECK(is_below("/m/x", "/m"));
  for (const char* not_below : {"a", "ab", "ab/c", "b/a", "", "."}) CHECK_FALSE(is_below(not_below, "a"));
}

TEST_CASE("paths: directory and leaf") {
  CHECK(dir_of_path("a/b/c") == "a/b");
  CHECK(dir_of_path("a") == "");
  CHECK(dir_of_path("/a") == "/");
  CHECK(leaf_of_path("a/b/c") == "c");
  CHECK(leaf_of_path("a") == "a");
}

namespace {
struct Case {
  const char* target;
  const char* path;
  bool unsafe;
};
}  // namespace

// Facts gathered from rsync's own table of cases and its behaviour: the target counts from the link's directory, ".."
// may stand at the start only, and a path that once climbed is worth nothing.
TEST_CASE("paths: symlinks that lead out of the tree") {
  const Case cases[] = {
      {"file", "dir/link", false},
      {"dir/file", "link", false},
      {"./file", "dir/link", false},
      {"", "link", true},
      {"/", "link", true},
      {"/etc/passwd", "dir/link", true},
      {"..", "link", true},
      {"../", "link", true},
      {"../file", "link", true},
      {"../file", "dir/link", false},
      {"..", "dir/link", false},
      {"../..", "dir/link", true},
      {"../../file", "dir/link", true},
      {"../../file", "a/b/link", false},
      {"../../../file", "a/b/link", true},
      {"a/../b", "dir/link", true},  // could cross another link
      {"a/..", "dir/link", true},
      {"a/b/../c", "x/y/link", true},
      {"../a/../b", "x/y/link", true},
      {"..a", "link", false},
      {"a..", "link", false},
      {"...", "link", false},
      {"../dir/link", "dir/../link", true},  // the path itself climbs: its depth starts anew
      {"../x", "a/./b/link", false},
      {".//./file", "dir/link", false},
      {"dir/./file", "link", false},
      {"dir/.", "link", false},
      {"dir/", "link", false},
      {"//../etc/passwd", "link", true},
      {"./../file", "a/b/link", true},
      {".//../file", "link", true},
      {"..//../file", "dir/link", true},
      {"..//../file", "a/b/link", false},  // slashes between the climbing ones do not matter
      {"..//..", "a//link", true},
      {"../x", "a//link", false},
      {"../../x", "a//link", true},
      {"../../x/y", "/top/dir/link", false},
  };
  for (const Case& c : cases) {
    INFO(c.path << " -> " << c.target);
    CHECK(symlink_is_unsafe(c.target, c.path) == c.unsafe);
  }
}
