// What a daemon's module refuses, and how it says so.
#include "libsync/options/refuse.h"

#include "tests/unit/options/support.h"

using namespace ocsync;
using namespace ocsync::sync;
using namespace ocsync::sync::test;

namespace {

std::string told(const std::string& rules, const std::string& line, bool charset = false) {
  const Refusals refusals = Refusals::for_daemon(rules, charset);
  ParseEnvironment with = environment();
  with.refusals = &refusals;
  with.daemon_child = true;
  const auto command = parse(line, with);
  if (command) return "accepted";
  return command.error().text;
}

std::string refused(const std::string& what) { return "rsync: The server is configured to refuse " + what; }

}  // namespace

TEST_CASE("refuse: one word, in every spelling of the capability") {
  CHECK(told("delete", "--server -r --delete . a") == refused("--delete"));
  CHECK(told("compress", "--server -rz . a") == refused("--compress (-z)"));
  CHECK(told("z", "--server -r --compress . a") == refused("--compress (-z)"));
  CHECK(told("del", "--server -r --delete-during . a") == refused("--delete-during"));
  CHECK(told("ignore-non-existing", "--server -r --existing . a") == refused("--existing"));
  CHECK(told("delete", "--server -r . a") == "accepted");
}

TEST_CASE("refuse: what follows from other options") {
  CHECK(told("delete", "--server -r --delete-before . a") == refused("--delete"));
  CHECK(told("delete", "--server -r --delete-missing-args . a") == refused("--delete"));
  CHECK(told("delete", "--server --sender -r --remove-source-files . a") == refused("--delete"));
  CHECK(told("delete-before delete-during", "--server -r --delete . a") == refused("--delete-before"));
  CHECK(told("delete-before", "--server -r --delete . a") == "accepted");
  CHECK(told("compress", "--server -r --compress-level=3 . a") == refused("--compress (-z)"));
  CHECK(told("inplace", "--server -r --append . a") == refused("--inplace"));
  CHECK(told("partial", "--server -r --inplace . a") == refused("--partial"));
  CHECK(told("links", "--server -a . a") == refused("--links (-l)"));
  CHECK(told("progress", "--server -P . a") == refused("--progress"));
}

TEST_CASE("refuse: wildcards, and what they cannot reach") {
  CHECK(told("*", "--server -r . a") == refused("--recursive (-r)"));
  CHECK(told("delete-*", "--server -r --delete-after . a") == refused("--delete-after"));
  CHECK(told("delete-*", "--server -r --delete . a") == refused("--delete-before"));
  CHECK(told("*", "--server -ne.LsfxCIvu . a") == "accepted");
  CHECK(told("* !r", "--server -re.LsfxCIvu --log-format=X . a") == "accepted");
  CHECK(told("* !a", "--server -logDtpre.LsfxCIvu . a") == "accepted");
  CHECK(told("* !a", "--server -logDtprHe.LsfxCIvu . a") == refused("--hard-links (-H)"));
}

TEST_CASE("refuse: always, without a rule") {
  CHECK(told("", "--server -r --log-file=x . a") == refused("--log-file"));
  CHECK(told("", "--server -r --insecure-links . a") == refused("--insecure-links"));
  CHECK(told("", "--server -r --iconv=utf8 . a") == refused("--iconv"));
  CHECK(told("", "--server -r --iconv=utf8 . a", true) == "accepted");
  CHECK(told("", "--server -r --copy-devices . a") == refused("--copy-devices"));
  CHECK(told("!insecure-links", "--server -r --insecure-links . a") == refused("--insecure-links"));
}

TEST_CASE("refuse: words that match nothing are reported") {
  CHECK(Refusals::for_daemon("delete nonsense !no*such", false).unmatched() ==
        std::vector<std::string>{"nonsense", "no*such"});
}

TEST_CASE("refuse: refusals end with 4") {
  const Refusals refusals = Refusals::for_daemon("delete", false);
  ParseEnvironment with = environment();
  with.refusals = &refusals;
  with.daemon_child = true;
  CHECK(parse("--server -r --delete . a", with).error().fault == Fault::kUnsupported);
}
