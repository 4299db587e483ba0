// The daemon's configuration: grammar, every parameter, variables.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "libsync/daemon/config.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

// Files of a test: path to content; a path that is a prefix with '/' of others is a directory.
ConfigFiles files_of(std::map<std::string, std::string> all) {
  ConfigFiles files;
  files.read = [all](const std::string& path) -> Result<std::string> {
    const auto at = all.find(path);
    if (at == all.end()) return fail(Error(ENOENT));
    return at->second;
  };
  files.list = [all](const std::string& path) -> Result<std::vector<std::string>> {
    std::vector<std::string> names;
    for (const auto& [name, text] : all)
      if (name.starts_with(path + "/")) names.push_back(name.substr(path.size() + 1));
    if (names.empty()) return fail(Error(ENOTDIR));
    return names;
  };
  return files;
}

Config parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return read_config("c", overrides, files_of({{"c", text}}));
}

}  // namespace

TEST_CASE("config: all 59 parameters of 3.5.0 have a row each, in the order of their enum") {
  std::set<std::string> names;
  for (size_t i = 0; i < parameters().size(); ++i) {
    CHECK(static_cast<size_t>(parameters()[i].param) == i);
    names.insert(parameters()[i].name);
  }
  CHECK(names.size() == parameters().size());
  CHECK(parameters().size() == 59);
  CHECK(find_parameter("Bind Address") == find_parameter("address"));
  CHECK(find_parameter("rsyncport") == find_parameter("port"));
  CHECK(find_parameter("-x") == nullptr);
  CHECK(find_parameter("nonsense") == nullptr);
}

TEST_CASE("config: names ignore case and blanks, values keep their inner blanks") {
  const Config config = parse("  MOTD  file =  a b  \n[ my   mod ]\n path = /x/y// \n");
  CHECK(config.globals.text(Param::kMotdFile) == "a b");
  REQUIRE(config.modules.size() == 1);
  CHECK(config.modules[0].name == "my mod");
  CHECK(config.modules[0].text(Param::kPath) == "/x/y");
  CHECK(config.find("my mod") != nullptr);
  CHECK(config.find("My Mod") == nullptr);
}

TEST_CASE("config: comments, continuation lines and carriage returns") {
  const Config config = parse("# comment \\\n; another\nmotd file = a\\\nb\r\n\n[m]\npath=/p\\\n/q\n");
  CHECK(config.complaints.empty());
  CHECK(config.globals.text(Param::kMotdFile) == "ab");
  CHECK(config.modules.at(0).text(Param::kPath) == "/p/q");
}

TEST_CASE("config: a module starts with the defaults in force at its header") {
  const Config config = parse("read only = no\n[a]\npath=/a\n[global]\nread only = yes\n[b]\npath=/b\n[a]\nlist=no\n");
  REQUIRE(config.modules.size() == 2);
  CHECK_FALSE(config.find("a")->flag(Param::kReadOnly));
  CHECK_FALSE(config.find("a")->flag(Param::kList));
  CHECK(config.find("b")->flag(Param::kReadOnly));
}

TEST_CASE("config: a module may have another name than its section") {
  const Config config = parse("name = ignored\n[one]\npath = /1\nname = two\n[three]\npath = /3\n");
  REQUIRE(config.modules.size() == 2);
  CHECK(config.find("one") == nullptr);
  REQUIRE(config.find("two") != nullptr);
  CHECK(config.find("two")->text(Param::kPath) == "/1");
  CHECK(config.find("three") != nullptr);
}

TEST_CASE("config: three-state values, numbers and facilities; what makes no sense changes nothing") {
  const Config config = parse(
      "use chroot = unset\nnumeric ids = TRUE\nlist = maybe\nsyslog facility = local3\n[m]\nmax connections = 12x\n");
  CHECK(config.globals.state(Param::kUseChroot) == -1);
  CHECK(config.globals.state(Param::kNumericIds) == 1);
  CHECK(config.globals.flag(Param::kList));
  CHECK(config.globals.facility() == (19 << 3));
  CHECK(config.modules.at(0).number(Param::kMaxConnections) == 12);
  CHECK(config.complaints.size() == 2);
  CHECK_FALSE(config.broken());
}

TEST_CASE("config: a global parameter within a module, and unknown names, are told with their line and ignored") {
  const Config config = parse("[m]\nport = 1\nfoo = 2\nno equals sign\n");
  REQUIRE(config.complaints.size() == 3);
  CHECK(config.complaints[0].line == 2);
  CHECK(config.complaints[1].line == 3);
  CHECK(config.complaints[2].line == 4);
  CHECK_FALSE(config.broken());
  CHECK(config.globals.number(Param::kPort) == 0);
}

TEST_CASE("config: what cannot be understood is fatal") {
  for (const char* text : {"[m\n", "[]\n", "[a/b]\n", "&nonsense x\n", "= value\n", "&include missing\n"}) {
    INFO(text);
    CHECK(parse(text).broken());
  }
  CHECK(read_config("absent", {}, files_of({})).broken());
}

TEST_CASE("config: &include forgets the defaults it changed, &merge does not") {
  const auto files = files_of({{"c", "&include d\n&merge one\n[z]\npath=/z\n"},
                               {"d/b.conf", "read only = no\n[b]\npath=/b\n"},
                               {"d/a.conf", "[a]\npath=/a\n"},
                               {"d/c.txt", "[never]\n"},
                               {"one", "list = no\n"}});
  const Config config = read_config("c", {}, files);
  REQUIRE_FALSE(config.broken());
  REQUIRE(config.modules.size() == 3);
  CHECK(config.modules[0].name == "a");
  CHECK_FALSE(config.find("b")->flag(Param::kReadOnly));
  CHECK(config.find("a")->flag(Param::kReadOnly));
  CHECK(config.find("z")->flag(Param::kReadOnly));
  CHECK_FALSE(config.find("z")->flag(Param::kList));
}

TEST_CASE("config: files that include each other come to an end") {
  CHECK(read_config("c", {}, files_of({{"c", "&include c\n"}})).broken());
}

TEST_CASE("config: --dparam ends the global part") {
  const Config config = parse("port = 1\nread only = yes\n[m]\npath=/m\n", {"port=2", "readonly= no"});
  CHECK(config.globals.number(Param::kPort) == 2);
  CHECK_FALSE(config.modules.at(0).flag(Param::kReadOnly));
}

TEST_CASE("config: %NAME% is replaced if it is known") {
  const LookUpVariable variable = [](const std::string& name) -> std::optional<std::string> {
    if (name == "HOME") return "/h";
    if (name == "RSYNC_USER_NAME") return "joe";
    if (name == "RSYNC_BAD") return "x;y";
    return std::nullopt;
  };
  CHECK(expand_variables("%HOME%/x %NONE% %h 100%", variable) == "/h/x %NONE% %h 100%");
  CHECK(expand_variables("%%HOME%%", variable) == "%/h%");
  CHECK(expand_for_shell("echo %RSYNC_USER_NAME%", variable).value() == "echo 'joe'");
  CHECK(expand_for_shell("echo '%RSYNC_USER_NAME%'", variable).value() == "echo 'joe'");
  CHECK(expand_for_shell("%HOME%/run", variable).value() == "/h/run");
  CHECK_FALSE(expand_for_shell("echo %RSYNC_BAD%", variable).has_value());
}

TEST_CASE("config: lists split at blanks and commas, or at commas alone") {
  using Words = std::vector<std::string>;
  CHECK(list_words("a b,c\td", true) == Words{"a", "b", "c", "d"});
  CHECK(list_words(",a b , c", true) == Words{"a b", "c"});
  CHECK(list_words(" ", true).empty());
}
