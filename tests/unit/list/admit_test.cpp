// Which names a client lets into its list: those it asked for, in the forms that shells and senders turn them into.
#include "libsync/list/admit.h"

#include <catch2/catch.hpp>

#include "tests/support/terms.h"

using namespace ocsync;
using namespace ocsync::sync;
using namespace ocsync::sync::test;
using Answer = RequestedNames::Answer;

namespace {

struct Asked {
  Asked(const std::string& line, std::vector<std::string> arguments) : options(options_of(line)), names(options) {
    for (const std::string& argument : arguments) names.add(argument);
  }
  bool yes(const char* path, bool is_dir = false) const { return names.covers(path, is_dir) == Answer::kYes; }
  bool parent(const char* path) const { return names.covers(path, true) == Answer::kParentOnly; }
  bool no(const char* path, bool is_dir = false) const { return names.covers(path, is_dir) == Answer::kNo; }
  Options options;
  RequestedNames names;
};

std::string refusal(const AdmitEntry& admit, const char* path, bool is_dir = false) {
  const auto answer = admit(path, is_dir);
  if (answer) return "";
  CHECK(answer.error().fault == Fault::kUnsupported);
  return answer.error().text;
}

std::shared_ptr<const RequestedNames> asked_for(const Options& options, std::vector<std::string> arguments) {
  auto names = std::make_shared<RequestedNames>(options);
  for (const std::string& argument : arguments) names->add(argument);
  return names;
}

}  // namespace

TEST_CASE("admit: a plain name is itself, by its last component") {
  const Asked asked("-t", {"/home/me/file", "other"});
  CHECK(asked.yes("file"));
  CHECK(asked.yes("other"));
  CHECK(asked.no("fil"));
  CHECK(asked.no("file2"));
  CHECK(asked.no("file/below"));
  CHECK(asked.no("me", true));
  CHECK(asked.no(".ssh/authorized_keys"));
}

TEST_CASE("admit: with -r all below it, with -d one level") {
  const Asked deep("-r", {"dir"});
  CHECK(deep.yes("dir", true));
  CHECK(deep.yes("dir/a/b/c"));
  CHECK(deep.no("dirt"));
  CHECK(deep.no("x/dir"));
  const Asked flat("-d", {"dir"});
  CHECK(flat.yes("dir/a"));
  CHECK(flat.no("dir/a/b"));
}

TEST_CASE("admit: the content of a directory is everything there") {
  for (const char* argument : {"dir/", "dir/.", ".", "", "dir/..", "..", "./"}) {
    INFO(argument);
    const Asked deep("-r", {argument});
    CHECK(deep.yes("a/b/c"));
    CHECK(deep.yes(".", true));
    const Asked flat("-d", {argument});
    CHECK(flat.yes("a"));
    CHECK(flat.no("a/b"));
  }
}

TEST_CASE("admit: without recursion, an argument that names all of a source is compared with nothing") {
  CHECK(Asked("-t", {"dir/"}).yes("a/b"));
  CHECK(Asked("-t", {"dir/", "other"}).no("a"));
}

TEST_CASE("admit: the root is nobody's content unless it was asked for") {
  const Asked asked("-r", {"dir"});
  CHECK(asked.parent("."));
}

TEST_CASE("admit: wildcards, also those that matched nothing at the far side") {
  const Asked asked("-r", {"logs/*.txt", "c[ab]"});
  CHECK(asked.yes("x.txt"));
  CHECK(asked.yes("x.txt/below/it"));
  CHECK(asked.no("x.log"));
  CHECK(asked.no("sub/x.txt"));
  CHECK(asked.yes("ca"));
  CHECK(asked.yes("cb/x"));
  CHECK(asked.no("cc"));
  CHECK(asked.yes("c[ab]"));
  CHECK(asked.yes("c[ab]/x"));
}

TEST_CASE("admit: backslashes as shells take them") {
  CHECK(Asked("-t", {"a\\*b"}).yes("a*b"));
  CHECK(Asked("-t", {"a\\*b"}).no("axb"));
  CHECK(Asked("-t", {"a\\[1\\]"}).yes("a[1]"));
  CHECK(Asked("-t", {"a\\b"}).yes("a\\b"));
  CHECK(Asked("-t", {"a\\b*"}).yes("a\\bc"));
}

TEST_CASE("admit: -R keeps the path, and its parents as directories only") {
  const Asked asked("-rR", {"/srv/./a/b/c", "x/y"});
  CHECK(asked.yes("a/b/c"));
  CHECK(asked.yes("a/b/c/d"));
  CHECK(asked.parent("a"));
  CHECK(asked.parent("a/b"));
  CHECK(asked.no("a"));  // as a file
  CHECK(asked.no("a/other"));
  CHECK(asked.no("srv", true));
  CHECK(asked.parent("x"));
  CHECK(asked.yes("x/y"));
  const Asked absolute("-rR", {"/etc/x"});
  CHECK(absolute.yes("/etc/x"));
  CHECK(absolute.parent("/etc"));
  CHECK(absolute.no("/etc/passwd"));
  const Asked wild("-R", {"a*/[bc]/f?"});
  CHECK(wild.yes("ab/c/f1"));
  CHECK(wild.parent("ab"));
  CHECK(wild.parent("ab/b"));
  CHECK(wild.no("b", true));
  CHECK(wild.yes("aa/[bc]/fx"));
}

TEST_CASE("admit: many names are not looked through one by one") {
  Options options = options_of("-R");
  RequestedNames names(options);
  for (int i = 0; i < 100'000; ++i) names.add("d" + std::to_string(i % 100) + "/f" + std::to_string(i));
  for (int i = 0; i < 100'000; ++i)
    REQUIRE(names.covers("d" + std::to_string(i % 100) + "/f" + std::to_string(i), false) == Answer::kYes);
  CHECK(names.covers("d1/f2", false) == Answer::kNo);
}

TEST_CASE("admit: what is said of a name that has no business here") {
  const Options options = options_of("-r --exclude=*.secret --exclude=/top");
  const auto filters =
      FilterRules::from_options(options, [](const std::string&) -> Result<std::string> { return std::string(); });
  REQUIRE(filters);
  const AdmitEntry admit = admission(options, *filters, asked_for(options, {"dir/"}));
  CHECK(refusal(admit, "fine") == "");
  CHECK(refusal(admit, ".", true) == "");
  CHECK(refusal(admit, "a/b.secret") == "ERROR: rejecting excluded file-list name: a/b.secret");
  CHECK(refusal(admit, "top", true) == "ERROR: rejecting excluded file-list name: top");
  const AdmitEntry narrow = admission(options, *filters, asked_for(options, {"dir/one"}));
  CHECK(refusal(narrow, "one") == "");
  CHECK(refusal(narrow, "two") == "ERROR: rejecting unrequested file-list name: two");
  CHECK(refusal(narrow, "top", true) == "ERROR: rejecting excluded file-list name: top");  // the rules come first
}

TEST_CASE("admit: who trusts the sender, and in what") {
  const auto filters_for = [](const Options& options) {
    return *FilterRules::from_options(options, [](const std::string&) -> Result<std::string> { return std::string(); });
  };
  const auto check = [&](const std::string& line) {
    const Options options = options_of(line);
    const FilterRules filters = filters_for(options);
    const AdmitEntry admit = admission(options, filters, asked_for(options, {"one"}));
    if (!admit) return std::string("trusted");
    return refusal(admit, "two") + "|" + refusal(admit, "one.x");
  };
  const std::string unrequested = "ERROR: rejecting unrequested file-list name: ";
  CHECK(check("-t") == unrequested + "two|" + unrequested + "one.x");
  CHECK(check("-t --trust-sender --exclude=*.x") == "trusted");
  CHECK(check("-t --old-args") == "trusted");
  CHECK(check("-t --old-args --exclude=*.x") == "|ERROR: rejecting excluded file-list name: one.x");
  // Rules of directories are the sender's to read.
  CHECK(check("-t -F --exclude=*.x") == unrequested + "two|" + unrequested + "one.x");
}
