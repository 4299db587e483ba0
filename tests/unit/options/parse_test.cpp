// Words to options: grammar, special outcomes, servers, daemons, secluded arguments.
#include "libsync/options/parse.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "libsync/options/table.h"
#include "tests/unit/options/support.h"

using namespace ocsync;
using namespace ocsync::sync;
using namespace ocsync::sync::test;

using What = ParsedCommand::What;

namespace {

Options options(const std::string& line, const ParseEnvironment& with = environment()) {
  const auto command = parse(line, with);
  INFO(line << ": " << (command ? "" : command.error().text));
  REQUIRE(command.has_value());
  REQUIRE(command->what == What::kRun);
  return command->options;
}

}  // namespace

TEST_CASE("table: each spelling and each letter exists once") {
  std::set<std::string> names;
  std::set<char> letters;
  for (const Spelling& spelling : spellings()) {
    if (spelling.name) CHECK(names.insert(spelling.name).second);
    if (spelling.letter) CHECK(letters.insert(spelling.letter).second);
    CHECK((spelling.name || spelling.letter));
  }
  // What 3.5.0's table has, and "use-qsort", which it sends but does not know.
  CHECK(spellings().size() == 258 + 1);
}

TEST_CASE("parse: letters and long options mix, operands may come between") {
  const Options o = options("-rt src --links -pv dst");
  CHECK(o.recurse);
  CHECK(o.times);
  CHECK(o.links);
  CHECK(o.perms);
  CHECK(o.verbose == 1);
  CHECK(o.operands == std::vector<std::string>{"src", "dst"});
}

TEST_CASE("parse: the last of opposite options wins") {
  CHECK_FALSE(options("-a --no-perms a b").perms);
  CHECK(options("--no-p -a a b").perms);
  CHECK_FALSE(options("-a --no-D a b").devices);
  CHECK(options("--no-from0 --from0 a b").from0);
  CHECK(options("--super --no-super a b").super == false);
  CHECK(options("--no-super --super a b").super == true);
  CHECK_FALSE(options("a b").super.has_value());
  CHECK_FALSE(options("-zz --no-z a b").compress);
  CHECK(options("--no-whole-file a b").whole_file == false);
}

TEST_CASE("parse: what ends a run before it begins") {
  CHECK(parse("--help")->what == What::kPrint);
  CHECK(parse("-h")->text.find("Usage: rsync") != std::string::npos);
  CHECK(parse("-h a b")->what == What::kRun);
  CHECK(parse("-V")->text.starts_with("rsync  version 3.5.0  protocol version 32\n"));
  CHECK(parse("-VV")->text.starts_with("{"));
  CHECK(parse("--info=help a b")->text.find("SYMSAFE") != std::string::npos);
  CHECK(parse("--debug=name,help")->text.find("DELTASUM") != std::string::npos);
}

TEST_CASE("parse: no words, no operands and a sender without server end in usage") {
  for (const char* line : {"", "-v", "--sender a b"}) {
    const auto command = parse(line);
    REQUIRE_FALSE(command.has_value());
    CHECK(command.error().fault == Fault::kUsage);
    CHECK(command.error().text.find("Usage: rsync") != std::string::npos);
  }
}

TEST_CASE("parse: popt's complaints, as rsync words them") {
  CHECK(complaint("--foo a b") == "rsync: --foo: unknown option");
  CHECK(complaint("-Q a b") == "rsync: -Q: unknown option");
  CHECK(complaint("--timeout=x a b") == "rsync: --timeout=x: invalid numeric value");
  CHECK(complaint("--timeout") == "rsync: --timeout: missing argument");
  CHECK(complaint("--recursive=3 a b") == "rsync: --recursive=3: option does not take an argument");
  CHECK(complaint("--server --foo . a") == "rsync: on remote machine: --foo: unknown option");
}

TEST_CASE("parse: an option that Linux cannot carry out is refused") {
  CHECK(complaint("-N a b") == "rsync: This rsync does not support --crtimes (-N)");
  CHECK(complaint("--no-crtimes a b") == "accepted");
}

TEST_CASE("aliases: a client reads the ones made for rsync, a server does not, --server cannot be one") {
  char home[] = "/tmp/ocsync-popt-XXXXXX";
  REQUIRE(mkdtemp(home) != nullptr);
  const std::string file = std::string(home) + "/.popt";
  std::ofstream(file) << "rsync alias --mirror -rt --delete\nrsync alias --server --delete\nrsync exec --never touch\n";
  const char* old_home = std::getenv("HOME");
  const std::string kept = old_home ? old_home : "";
  setenv("HOME", home, 1);
  ParseEnvironment with = environment();
  with.use_aliases = true;
  const auto client = parse("--mirror a b", with);
  const auto server = parse("--server --mirror . b", with);
  setenv("HOME", kept.c_str(), 1);
  unlink(file.c_str());
  rmdir(home);
  REQUIRE(client.has_value());
  CHECK(client->options.recurse);
  CHECK(client->options.deleting());
  REQUIRE_FALSE(server.has_value());
  CHECK(server.error().text == "rsync: on remote machine: --mirror: unknown option");
}

TEST_CASE("server: restarts at --server and reads what a client sends") {
  const Options o = options("--server -vlogDtpre.iLsfxCIvu --delete-during --log-format=%i%I --append --append . dst/");
  CHECK(o.server);
  CHECK_FALSE(o.sender);
  CHECK(o.capabilities == ".iLsfxCIvu");
  CHECK(o.verbose == 1);
  CHECK(o.recurse);
  CHECK(o.delete_mode == DeleteMode::kDuring);
  CHECK(o.far_wants_item);
  CHECK(o.far_wants_item_level == 2);
  CHECK(o.append == AppendMode::kVerify);
  CHECK(o.out_format.empty());
  CHECK(o.shell.empty());
  CHECK(o.operands == std::vector<std::string>{".", "dst/"});
}

TEST_CASE("server: the forms of --log-format") {
  CHECK(options("--server --log-format=%i -r . d").far_wants_item_level == 1);
  CHECK(options("--server --log-format=%o -r . d").far_wants_operation);
  const Options x = options("--server --log-format=X -r . d");
  CHECK(x.log_format_x);
  CHECK_FALSE(x.far_wants_item);
}

TEST_CASE("server: variables of the client's user mean nothing, unknown info words neither") {
  const auto with = environment({{"RSYNC_ICONV", "latin1"}, {"RSYNC_PARTIAL_DIR", "p"}, {"RSYNC_PROTECT_ARGS", "1"}});
  const Options o = options("--server --partial --info=nonsense,name2 -re.LsfxCIvu . d", with);
  CHECK(o.iconv.empty());
  CHECK(o.partial_dir.empty());
  CHECK_FALSE(o.secluded_args);
  CHECK(o.verbosity.shows(Info::kName, 2));
}

TEST_CASE("server: secluded arguments are parsed on top of the letters") {
  const auto first = parse("--server -logDtprse.iLsfxCIvu");
  REQUIRE(first.has_value());
  REQUIRE(first->what == What::kSecluded);
  const std::vector<std::string> then{"rsync", "--delete", "--partial-dir", "a b", ".", "d*"};
  const auto whole = parse_secluded(*first, then, environment());
  REQUIRE(whole.has_value());
  REQUIRE(whole->what == What::kRun);
  CHECK(whole->options.server);
  CHECK(whole->options.recurse);
  CHECK(whole->options.delete_any);
  CHECK(whole->options.partial_dir == "a b");
  CHECK(whole->options.capabilities == ".iLsfxCIvu");
  CHECK(whole->options.operands == std::vector<std::string>{".", "d*"});
}

TEST_CASE("server: a second vector that asks for a third is taken as it is") {
  const auto first = parse("--server -rse.LsfxCIvu");
  REQUIRE(first.has_value());
  const std::vector<std::string> then{"rsync", "-s", "--server", ".", "d"};
  const auto whole = parse_secluded(*first, then, environment());
  REQUIRE(whole.has_value());
  CHECK(whole->what == What::kRun);
}

TEST_CASE("daemon: a command line of its own") {
  const auto command = parse("--daemon --no-detach --port=8873 --config=x.conf -M pidfile=y --address=127.0.0.1 -vv");
  if (!command) {
    // Until the mark is flipped.
    CHECK(command.error().fault == Fault::kUnsupported);
    return;
  }
  REQUIRE(command->what == What::kDaemon);
  CHECK_FALSE(command->daemon.detach);
  CHECK(command->daemon.port == 8873);
  CHECK(command->daemon.config == "x.conf");
  CHECK(command->daemon.parameters == std::vector<std::string>{"pidfile=y"});
  CHECK(command->daemon.verbose == 2);
  CHECK(parse("--server --daemon .")->daemon.server);
  CHECK(complaint("--daemon --foo").starts_with("rsync: --foo: unknown option (in daemon mode)\n"));
  CHECK(complaint("--no-detach").starts_with("Daemon option(s) used without --daemon.\n"));
  CHECK(complaint("--daemon --dparam=x").starts_with("--dparam value is missing an '=': x\n"));
}

TEST_CASE("a daemon's child: never a daemon again") {
  ParseEnvironment with = environment();
  with.daemon_child = true;
  const auto command = parse("--server --daemon .", with);
  REQUIRE_FALSE(command.has_value());
}
