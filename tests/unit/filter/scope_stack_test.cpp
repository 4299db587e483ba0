// Which rules hold when directories are come by that are not below each other.
#include <catch2/catch.hpp>

#include "libsync/filter/scope_stack.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

struct Walk : io::Scratch {
  Walk() {
    for (const char* name : {"src", "src/one", "src/one/in", "src/two", "other"})
      std::filesystem::create_directories(std::filesystem::path(*this / name));
  }
  FilterRules rules(const std::string& filter) {
    Options options;
    options.sender = true;
    options.filters.push_back({FilterArgument::Kind::kFilter, filter});
    return *FilterRules::from_options(options, standard_rule_reader(options));
  }
  FilterScope root(const FilterRules& rules, const std::string& name) {
    return *FilterScope::at_root(rules, Side::kSender, *this / name);
  }
  std::unique_ptr<io::Dir> open(const std::string& name) {
    return std::make_unique<io::Dir>(*io::Dir::open_trusted(*this / name));
  }
};

}  // namespace

TEST_CASE("scope stack: levels") {
  CHECK(level_of(".") == 0);
  CHECK(level_of("") == 0);
  CHECK(level_of("a") == 1);
  CHECK(level_of("a/b") == 2);
  CHECK(level_of("/a/b") == 2);
}

TEST_CASE("scope stack: rules hold until a directory of their level or above is entered") {
  Walk walk;
  walk.write("src/one/.f", "- x\n");
  walk.write("src/one/in/.f", "- y\n");
  const FilterRules rules = walk.rules(": .f");
  const FilterScope root = walk.root(rules, "src"), other = walk.root(rules, "other");
  ScopeStack stack;
  CHECK_FALSE(stack.in_force(root).excluded("x", false));
  REQUIRE(stack.enter(1, "one", walk.open("src/one").get(), root));
  REQUIRE(stack.enter(2, "one/in", walk.open("src/one/in").get(), root));
  CHECK(stack.in_force(root).excluded("one/in/x", false));
  CHECK(stack.in_force(root).excluded("one/in/y", false));

  SECTION("beside the deeper one, below something else, even of another root") {
    REQUIRE(stack.enter(2, "two/deep", walk.open("src/two").get(), other));
    CHECK(stack.in_force(other).excluded("two/deep/x", false));
    CHECK_FALSE(stack.in_force(other).excluded("two/deep/y", false));
  }
  SECTION("beside the upper one") {
    REQUIRE(stack.enter(1, "two", walk.open("src/two").get(), root));
    CHECK_FALSE(stack.in_force(root).excluded("two/x", false));
  }
  SECTION("what is gone into for the moment leaves no trace") {
    const auto inside = stack.inside("two", walk.open("src/two").get(), root);
    REQUIRE(inside);
    CHECK(inside->excluded("two/y", false));
    CHECK(stack.in_force(root).excluded("one/in/y", false));
  }
  SECTION("what cannot be opened leaves the others of its level, too") {
    REQUIRE(stack.enter(1, "file", nullptr, root));
    CHECK_FALSE(stack.in_force(root).excluded("x", false));
  }
}

TEST_CASE("scope stack: directories above are searched once") {
  Walk walk;
  walk.write("src/.f", "- x\n");
  const FilterRules rules = walk.rules(": " + (walk / ".f"));
  const FilterScope root = walk.root(rules, "src");
  ScopeStack stack;
  REQUIRE(stack.enter(1, "one", walk.open("src/one").get(), root));
  CHECK(stack.in_force(root).excluded("one/x", false));
  REQUIRE(stack.enter(1, "two", walk.open("src/two").get(), root));
  CHECK_FALSE(stack.in_force(root).excluded("two/x", false));
}
