// Per-directory rule files on a real tree: inheritance, anchoring, parents, symlinks.
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "libsync/filter/rules.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

struct Tree : io::Scratch {
  void file(const std::string& name, const std::string& content = "") {
    std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
    write(name, content);
  }

  FilterRules rules(std::vector<std::string> filters) {
    Options options;
    options.sender = true;
    for (std::string& filter : filters) options.filters.push_back({FilterArgument::Kind::kFilter, std::move(filter)});
    auto built = FilterRules::from_options(options, standard_rule_reader(options));
    REQUIRE(built);
    return *std::move(built);
  }

  // Inside `folder` of the root `root`, entered step by step.
  Result<FilterScope> try_in(const FilterRules& rules, const std::string& folder, Side side = Side::kSender,
                             const std::string& root = "") {
    const io::Dir top = *io::Dir::open_trusted(root.empty() ? path : path + "/" + root);
    FilterScope scope = TRY(FilterScope::at_root(rules, side, root.empty() ? path : path + "/" + root));
    scope = TRY(scope.enter("", top));
    for (size_t at = 0; at < folder.size();) {
      at = std::min(folder.find('/', at + 1), folder.size());
      const std::string part = folder.substr(0, at);
      scope = TRY(scope.enter(part, *top.beneath(part)));
    }
    return scope;
  }
  FilterScope in(const FilterRules& rules, const std::string& folder, Side side = Side::kSender,
                 const std::string& root = "") {
    auto scope = try_in(rules, folder, side, root);
    REQUIRE(scope);
    return *std::move(scope);
  }
};

}  // namespace

TEST_CASE("scope: files of a directory come before those of its parents") {
  Tree tree;
  tree.file(".f", "- *.o\n- /top\n");
  tree.file("a/.f", "+ keep.o\n- /b\n");
  const FilterRules rules = tree.rules({": .f"});
  const FilterScope top = tree.in(rules, ""), inside = tree.in(rules, "a");
  CHECK(top.excluded("keep.o", false));
  CHECK_FALSE(inside.excluded("a/keep.o", false));
  CHECK(inside.excluded("a/x.o", false));
  CHECK(top.excluded("top", false));
  CHECK_FALSE(inside.excluded("a/top", false));
  CHECK(inside.excluded("a/b", false));
  CHECK_FALSE(inside.excluded("a/c/b", false));
  CHECK_FALSE(top.excluded("b", false));
}

TEST_CASE("scope: the group stands where its rule stands") {
  Tree tree;
  tree.file(".f", "- x\n+ y\n");
  CHECK_FALSE(tree.in(tree.rules({"+ x", ": .f"}), "").excluded("x", false));
  CHECK(tree.in(tree.rules({": .f", "+ x"}), "").excluded("x", false));
  CHECK_FALSE(tree.in(tree.rules({": .f", "- y"}), "").excluded("y", false));
}

TEST_CASE("scope: what is not inherited holds in its directory only, and '!' forgets the parents") {
  Tree tree;
  tree.file(".f", "- x\n");
  tree.file("a/.f", "- y\n");
  tree.file("b/.f", "!\n- z\n");
  const FilterRules own = tree.rules({":n .f"});
  CHECK(tree.in(own, "").excluded("x", false));
  CHECK_FALSE(tree.in(own, "a").excluded("a/x", false));
  CHECK(tree.in(own, "a").excluded("a/y", false));
  const FilterRules all = tree.rules({": .f"});
  CHECK(tree.in(all, "a").excluded("a/x", false));
  CHECK_FALSE(tree.in(all, "b").excluded("b/x", false));
  CHECK(tree.in(all, "b").excluded("b/z", false));
}

TEST_CASE("scope: files name further files, which hold below") {
  Tree tree;
  tree.file("a/.f", ": .g\n");
  tree.file("a/.g", "- x\n");
  tree.file("a/b/.g", "- y\n");
  tree.file("c/.g", "- x\n");
  const FilterRules rules = tree.rules({": .f"});
  CHECK(tree.in(rules, "a").excluded("a/x", false));
  CHECK(tree.in(rules, "a/b").excluded("a/b/x", false));
  CHECK(tree.in(rules, "a/b").excluded("a/b/y", false));
  CHECK_FALSE(tree.in(rules, "a").excluded("a/y", false));
  tree.file("c/x");
  CHECK_FALSE(tree.in(rules, "c").excluded("c/x", false));
}

TEST_CASE("scope: a name with a path is read from there down, above the transfer, too") {
  Tree tree;
  tree.file(".f", "- x\n- /src/only\n");
  tree.file("src/.f", "- y\n");
  tree.file("src/a/z");
  const FilterRules rules = tree.rules({": " + tree.path + "/.f"});
  const FilterScope inside = tree.in(rules, "a", Side::kSender, "src");
  CHECK(inside.excluded("a/x", false));
  CHECK(inside.excluded("a/y", false));
  CHECK(tree.in(rules, "", Side::kSender, "src").excluded("only", false));
  CHECK_FALSE(inside.excluded("a/only", false));
  CHECK_FALSE(tree.in(tree.rules({": .f"}), "", Side::kSender, "src").excluded("x", false));
  const FilterRules up = tree.rules({": ../.f"});
  CHECK(tree.in(up, "", Side::kSender, "src").excluded("x", false));
}

TEST_CASE("scope: rules for the other side in a directory's file are dropped") {
  Tree tree;
  tree.file(".f", "H h\nP p\n- b\n");
  const FilterRules rules = tree.rules({": .f"});
  CHECK(tree.in(rules, "", Side::kSender).excluded("h", false));
  CHECK_FALSE(tree.in(rules, "", Side::kSender).excluded("p", false));
  CHECK(tree.in(rules, "", Side::kReceiver).excluded("p", false));
  CHECK_FALSE(tree.in(rules, "", Side::kReceiver).excluded("h", false));
  CHECK(tree.in(rules, "", Side::kReceiver).excluded("b", false));
}

TEST_CASE("scope: a bad rule is told by its place") {
  Tree tree;
  tree.file("a/.f", "- ok\nsecret\n");
  const auto scope = tree.try_in(tree.rules({": .f"}), "a");
  REQUIRE_FALSE(scope);
  CHECK(scope.error().text == "Unknown filter rule: <rule from " + tree.path + "/a/.f line 2>");
}

TEST_CASE("scope: our own symlink is followed, a stranger's is not, and what is no file says nothing") {
  Tree tree;
  tree.file("common", "- x\n");
  tree.file("a/y");
  tree.file("b/y");
  REQUIRE(::symlink("../common", (tree / "a/.f").c_str()) == 0);
  REQUIRE(::mkfifo((tree / "b/.f").c_str(), 0600) == 0);
  const FilterRules rules = tree.rules({": .f"});
  CHECK(tree.in(rules, "a").excluded("a/x", false));
  CHECK_FALSE(tree.in(rules, "b").excluded("b/x", false));
  if (::geteuid() != 0) return;
  REQUIRE(::lchown((tree / "a/.f").c_str(), 12345, 12345) == 0);
  CHECK_FALSE(tree.in(rules, "a").excluded("a/x", false));
}

TEST_CASE("scope: a module's rule files stay inside the module") {
  Tree tree;
  tree.file("secret", "- x\n");
  tree.file("mod/.f", ". /secret\n");
  tree.file("mod/in", "- y\n");
  tree.file("mod/d/.g", ". /in\n");
  REQUIRE(::symlink((tree / "secret").c_str(), (tree / "mod/.h").c_str()) == 0);
  Options server;
  server.server = true;
  const io::Dir module = *io::Dir::open_trusted(tree / "mod");
  // A daemon stands in its module.
  struct Standing {
    std::filesystem::path before = std::filesystem::current_path();
    explicit Standing(const std::string& in) { std::filesystem::current_path(in); }
    ~Standing() { std::filesystem::current_path(before); }
  } standing(tree / "mod");
  server.module_root = tree / "mod";
  server.module_fd = module.fd();
  RuleWorld world = RuleWorld::of_process(server);
  const auto agreed = proto::Agreement::from(32, 0);
  const auto rules_of = [&](const char* rule) { return *FilterRules::from_wire({rule}, server, agreed, world); };
  const auto outside = tree.try_in(rules_of(": .f"), "", Side::kSender, "mod");
  REQUIRE_FALSE(outside);
  CHECK(outside.error().text == "failed to open exclude file <rule from /.f line 1>");
  CHECK(tree.in(rules_of(": .g"), "d", Side::kSender, "mod").excluded("d/y", false));
  CHECK_FALSE(tree.in(rules_of(": .h"), "", Side::kSender, "mod").excluded("x", false));
  REQUIRE(::symlink("../in", (tree / "mod/d/.i").c_str()) == 0);
  CHECK(tree.in(rules_of(": .i"), "d", Side::kSender, "mod").excluded("d/y", false));
  // A fifo that nobody writes to holds up nobody.
  REQUIRE(::mkfifo((tree / "mod/pipe").c_str(), 0600) == 0);
  CHECK(FilterRules::from_wire({". pipe"}, server, agreed, world));
  const auto climbing = FilterRules::from_wire({". ../secret"}, server, agreed, world);
  REQUIRE_FALSE(climbing);
  CHECK(climbing.error().fault == Fault::kFileIo);
}

TEST_CASE("scope: without per-directory rules entering reads nothing") {
  Tree tree;
  tree.file(".f", "nonsense");
  const FilterRules rules = tree.rules({"- x"});
  CHECK(tree.in(rules, "").excluded("deep/x", true));
}

TEST_CASE("rule files: standard input is '-' for a client only") {
  Options server;
  server.server = true;
  CHECK_FALSE(standard_rule_reader(server)("-"));
  Tree tree;
  tree.file("rules", "- a\n");
  CHECK(*standard_rule_reader({})(tree / "rules") == "- a\n");
  CHECK(standard_rule_reader({})(tree / "none").error().sys == ENOENT);
}
