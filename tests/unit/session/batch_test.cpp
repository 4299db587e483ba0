// The script beside a batch, and the options that a replay takes from the batch.
#include <catch2/catch.hpp>

#include "libproto/batch_head.h"
#include "libsync/report/reporter.h"
#include "libsync/session/batch.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

std::string script(std::vector<std::string> words, std::vector<std::string> operands,
                   const std::vector<std::string>& rules = {}, bool modern = true, bool from0 = false) {
  Options options;
  options.command_line = std::move(words);
  options.operands = std::move(operands);
  options.from0 = from0;
  auto text = replay_script(options, rules, modern);
  return text ? *text : "ERROR " + text.error().text;
}

}  // namespace

TEST_CASE("batch script: the words as typed, without sources, with the destination as a parameter") {
  CHECK(script({"/usr/bin/rsync", "-av", "--write-batch=b", "src/", "dst/"}, {"src/", "dst/"}) ==
        "'/usr/bin/rsync' '-av' --read-batch='b' ${1:-'dst/'}\n");
  CHECK(script({"rsync", "-av", "--only-write-batch", "b", "a", "h:d e"}, {"a", "h:d e"}) ==
        "'rsync' '-av' --read-batch 'b' ${1:-'d e'}\n");
  CHECK(script({"rsync", "--files-from=x", "-f", "- y", "--exclude", "z", "--write-batch=b", "s", "d"}, {"s", "d"}) ==
        "'rsync' --read-batch='b' ${1:-'d'}\n");
}

TEST_CASE("batch script: nothing in it reaches the shell unquoted") {
  CHECK(script({"rsync", "--suffix=it's", "--a`b=c", "-x=$(y)", "--write-batch=$(z)", "s", "d;e"}, {"s", "d;e"}) ==
        "'rsync' --suffix='it'\\''s' '--a`b=c' -x='$(y)' --read-batch='$(z)' ${1:-'d;e'}\n");
}

TEST_CASE("batch script: rules follow in a here-document that they cannot end") {
  CHECK(script({"rsync", "--write-batch=b", "s", "d"}, {"s", "d"}, {"- *.o", "+ x/"}) ==
        "'rsync' --filter='._-' --read-batch='b' ${1:-'d'} <<'#E#'\n- *.o\n+ x/\n#E#\n");
  CHECK(script({"rsync", "--write-batch=b", "s", "d"}, {"s", "d"}, {"- *.o"}, false) ==
        "'rsync' --exclude-from='-' --read-batch='b' ${1:-'d'} <<'#E#'\n- *.o\n#E#\n");
  CHECK(script({"rsync", "-0", "--write-batch=b", "s", "d"}, {"s", "d"}, {"- a"}, true, true) ==
        std::string("'rsync' --filter='._-' '-0' --read-batch='b' ${1:-'d'} <<'#E#'\n- a") + '\0' + ";\n#E#\n");
  CHECK(script({"rsync", "--write-batch=b", "s", "d"}, {"s", "d"}, {"- a\n#E#\nrm -rf ~"})
            .starts_with("ERROR cannot write a filter rule"));
}

TEST_CASE("batch flags: a replay takes over what shaped the stream") {
  Options typed;
  typed.links = true;
  typed.hard_links = 2;
  typed.append = AppendMode::kAppend;
  Reporter reporter(typed);
  const auto options = adopt_stream_flags(
      typed, proto::kStreamRecurse | proto::kStreamDirs | proto::kStreamXattrs | proto::kStreamHardLinks, 32, reporter);
  REQUIRE(options);
  CHECK(options->recurse);
  CHECK(options->dirs);
  CHECK(options->xattrs == 1);
  CHECK(options->hard_links == 1);
  CHECK_FALSE(options->links);
  CHECK(options->append == AppendMode::kNone);
  // Version 28 knows neither dirs nor what came later: dirs follow from recursion.
  const auto old = adopt_stream_flags(typed, proto::kStreamRecurse, 28, reporter);
  REQUIRE(old);
  CHECK(old->dirs);
  CHECK(old->append == AppendMode::kAppend);
  const auto converted = adopt_stream_flags(typed, proto::kStreamIconv, 30, reporter);
  REQUIRE_FALSE(converted);
  CHECK(converted.error().fault == Fault::kUsage);
}
