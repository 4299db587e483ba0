// Names a client gives, reduced to the module.
#include <catch2/catch.hpp>

#include "libsync/daemon/confine.h"
#include "libsync/list/paths.h"

using namespace ocsync;
using namespace ocsync::sync;

TEST_CASE("confine: no path leads above the module") {
  const auto inside = [](std::string_view path) { return sanitized_path(path, "", 0, false); };
  CHECK(inside("/a/b") == "a/b");
  CHECK(inside("../../etc/passwd") == "etc/passwd");
  CHECK(inside("a/../../b") == "b");
  CHECK(inside("a//./b/") == "a/b/");
  CHECK(inside("/") == ".");
  CHECK(inside("") == ".");
  CHECK(inside("..") == ".");
  CHECK(inside("a/b/..") == "a/");
  CHECK(inside("a/.") == "a/");
  CHECK(inside("a/b") == "a/b");
  CHECK(inside("./a/./") == "a/");
}

TEST_CASE("confine: a root stands for the slash, and climbing is counted") {
  CHECK(sanitized_path("/tmp", "/module", 0, false) == "/module/tmp");
  CHECK(sanitized_path("/../tmp", "/module", 3, false) == "/module/tmp");
  CHECK(sanitized_path("../x", "/module", 1, false) == "../x");
  CHECK(sanitized_path("../../x", "/module", 1, false) == "../x");
  CHECK(sanitized_path("a/../../x", "/module", 1, false) == "../x");
}

TEST_CASE("confine: the dot of -R is kept where it has a meaning") {
  CHECK(sanitized_path("/a/./b", "", 0, true) == "a/./b");
  CHECK(sanitized_path("a/./../../b", "", 0, true) == "b");
}

TEST_CASE("confine: the module's root with and without chroot") {
  const auto never = [] { return false; };
  const auto always = [] { return true; };
  const ModuleRoot plain = module_root("/srv//m/./x", 0, never);
  CHECK(plain.root == "/srv/m/x");
  CHECK(plain.outer.empty());
  CHECK(plain.inner());
  const ModuleRoot jailed = module_root("/srv/m", -1, always);
  CHECK(jailed.outer == "/srv/m");
  CHECK_FALSE(jailed.inner());
  const ModuleRoot inner = module_root("/srv/./m", -1, never);
  CHECK(inner.use_chroot);
  CHECK(inner.outer == "/srv");
  CHECK(inner.root == "/m");
  CHECK(inner.inner());
  CHECK_FALSE(module_root("/srv/m", -1, never).use_chroot);
}
