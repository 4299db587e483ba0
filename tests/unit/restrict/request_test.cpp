// The words of a restricted client against the option table, with no disk in sight.
#include <catch2/catch.hpp>

#include "libsync/options/table.h"
#include "libsync/restrict/request.h"
#include "libsync/restrict/rules.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

const PathChecks kMarks{[](const std::string&, std::string value, bool, bool used) -> Result<std::string> {
                          return used ? "<" + value + ">" : value;
                        },
                        [](const RestrictedRequest&, const std::string& word) -> Result<std::vector<std::string>> {
                          return std::vector<std::string>{word};
                        }};

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
  return all;
}

// The options that a server would get, or the complaint.
std::string said(const std::string& command, const RestrictRules& rules = {}, bool whole_disk = false) {
  const auto request = check_request(command, rules, whole_disk, kMarks);
  return request ? joined(request->options) + " | " + joined(request->arguments) : "! " + request.error().text;
}

RestrictRules rules_of(const std::vector<std::string>& words) {
  const auto rules = parse_restrict_rules(words);
  REQUIRE(rules);
  return *rules;
}

std::string complaint(const std::vector<std::string>& words) {
  const auto rules = parse_restrict_rules(words);
  REQUIRE_FALSE(rules);
  return rules.error().text;
}

}  // namespace

TEST_CASE("restrict: what clients write passes unchanged") {
  CHECK(said("rsync --server -logDtpre.iLsfxCIvu . dir/") == "--server -logDtpre.iLsfxCIvu | dir/");
  CHECK(said("rsync --server --sender -vlHogDtpAXrze.iLsfxCIvu --numeric-ids . a b") ==
        "--server --sender -vlHogDtpAXrze.iLsfxCIvu --numeric-ids | a b");
  CHECK(said("ocsync --server -e31.14 . x") == "--server -e31.14 | x");
  CHECK(said("rsync --server -r .") == "--server -r | .");
  CHECK(said("rsync --server -r -@2 -B700 --bwlimit 7 . x") == "--server -r -@2 -B700 --bwlimit 7 | x");
}

TEST_CASE("restrict: whatever is no option of a client's server is refused") {
  for (const char* word : {"-a",
                           "-P",
                           "-V",
                           "-h",
                           "-F",
                           "-T",
                           "-",
                           "--",
                           "--=x",
                           "--foo",
                           "--no-recursive",
                           "--config=x",
                           "--rsh=x",
                           "-re.i;d",
                           "-e",
                           "-rB5",
                           "-Bx",
                           "--insecure-links",
                           "--confine-root=/",
                           "--copy-as=root",
                           "--rsync-path=x",
                           "stray"})
    CHECK(said(std::string("rsync --server ") + word + " . x") == "! invalid rsync-command syntax or options");
  for (const char* word :
       {"--debug=ALL", "--daemon", "--no-munge-links", "--write-devices", "--copy-devices", "--sender"})
    CHECK(said(std::string("rsync --server -r ") + word + " . x") ==
          "! option " + std::string(word).substr(0, std::string_view(word).find('=')) +
              " has been disabled on this server.");
  CHECK(said("rsync --server -rs .") == "! option -s has been disabled on this server.");
  CHECK(said("sh -c id") == "! SSH_ORIGINAL_COMMAND does not run rsync");
  CHECK(said("rsync -a --server . x") == "! --server option is not the first arg");
  CHECK(said("rsync --server -r") == "! invalid rsync-command syntax or options");
  CHECK(said("rsync --server --bwlimit") == "! invalid rsync-command syntax or options");
}

TEST_CASE("restrict: options that would follow symlinks out are for the whole disk only") {
  for (const char* word : {"-L", "-K", "-k", "--copy-unsafe-links"}) {
    const std::string command = std::string("rsync --server --sender ") + word + " . x";
    CHECK(said(command) == "! option " + std::string(word) + " has been disabled on this server.");
    CHECK(said(command, {}, true) == "--server --sender " + std::string(word) + " | x");
  }
}

TEST_CASE("restrict: the rules of a key") {
  const RestrictRules ro = rules_of({"-ro", "d"});
  CHECK(said("rsync --server -r . x", ro) == "! sending to read-only server is not allowed");
  CHECK(said("rsync --server --sender -r --remove-source-files . x", ro) ==
        "! option --remove-source-files has been disabled on this server.");
  CHECK(said("rsync --server --sender -r --log-file=l . x", ro) ==
        "! option --log-file has been disabled on this server.");
  const RestrictRules wo = rules_of({"-wo", "d"});
  CHECK(said("rsync --server --sender -r . x", wo) == "! reading from write-only server is not allowed");
  CHECK(said("rsync --server -r --files-from=list . x", wo) ==
        "! a write-only server cannot read a remote --files-from path");
  CHECK(said("rsync --server -r --files-from=- . x", wo) == "--server -r --files-from=- | x");
  const RestrictRules keeping = rules_of({"-no-overwrite", "d"});
  for (const char* word : {"--log-file=x", "--partial-dir=x", "--delay-updates", "--backup-dir=x", "-b"})
    CHECK(said(std::string("rsync --server ") + word + " . x", keeping).starts_with("! option "));
  const RestrictRules keep = rules_of({"-no-del", "d"});
  for (const Row& row : rows())
    for (const std::string_view prefix : {"delete", "remove"})
      if (row.name && std::string_view(row.name).starts_with(prefix) && row.limited.names[0])
        CHECK(said(std::string("rsync --server --") + row.name + " . x", keep) ==
              "! option --" + std::string(row.name) + " has been disabled on this server.");
}

TEST_CASE("restrict: every option whose value is a file or directory of the server is checked") {
  for (const char* name : {"backup-dir", "partial-dir", "temp-dir", "link-dest", "copy-dest", "compare-dest"}) {
    const std::string option = std::string("--") + name;
    CHECK(said("rsync --server " + option + "=a\\ b . x") == "--server " + option + "=<a b> | x");
    CHECK(said("rsync --server " + option + " a . x") == "--server " + option + " <a> | x");
    CHECK(said("rsync --server --sender " + option + "=a . x") == "--server --sender " + option + "=a | x");
  }
  for (const char* name : {"files-from", "log-file"}) {
    const std::string option = std::string("--") + name;
    CHECK(said("rsync --server --sender " + option + "=a . x") == "--server --sender " + option + "=<a> | x");
  }
  // Nothing else that passes is a path; a row that becomes one must be marked.
  for (const Row& row : rows()) {
    if (row.takes != Takes::kText || !row.limited.names[0] || !row.value_name) continue;
    const std::string_view value = row.value_name;
    INFO(row.name);
    CHECK((value == "DIR" || value == "FILE") ==
          ((row.limited.limits & (kPath | kArrivalPath)) != 0 || std::string_view(row.name) == "only-write-batch"));
  }
}

TEST_CASE("restrict: -R is known when paths are looked at") {
  bool relative = false;
  PathChecks checks = kMarks;
  checks.argument = [&](const RestrictedRequest& so_far, const std::string& word) -> Result<std::vector<std::string>> {
    relative = so_far.relative;
    return std::vector<std::string>{word};
  };
  REQUIRE(check_request("rsync --server --sender -vRe.iLsfxC . x", {}, false, checks));
  CHECK(relative);
  REQUIRE(check_request("rsync --server --sender -R --no-relative . x", {}, false, checks));
  CHECK_FALSE(relative);
  // A letter among the capabilities is no option.
  REQUIRE(check_request("rsync --server --sender -ve.iRsfxC . x", {}, false, checks));
  CHECK_FALSE(relative);
}

TEST_CASE("restrict: words split where a shell would split them") {
  CHECK(split_words("a  b\\ c \\\\ d\\") == std::vector<std::string>{"a", "b\\ c", "\\\\", "d"});
  CHECK(split_words("").empty());
  CHECK(without_backslashes("b\\ c\\\\d") == "b c\\d");
  CHECK(quoted_word("it's") == "\"it's\"");
  CHECK(quoted_word("a'\"\\\n\x01") == "'a\\'\"\\\\\\n\\x01'");
}

TEST_CASE("restrict: its own command line") {
  CHECK(rules_of({"-ro", "d"}).no_delete);
  CHECK(rules_of({"-ro", "d"}).no_lock);
  CHECK(rules_of({"-mun", "-abs", "d"}).munge);
  CHECK(rules_of({"-program", "/bin/x", "--", "-d"}).program == "/bin/x");
  CHECK(rules_of({"-h"}).help);
  CHECK(complaint({"-ro", "-wo", "d"}) == "argument -wo: not allowed with argument -ro");
  CHECK(complaint({}) == "the following arguments are required: DIR");
  CHECK(complaint({"a", "b"}) == "unrecognized arguments: b");
  CHECK(complaint({"-x", "a"}) == "unrecognized arguments: -x");
  CHECK(complaint({"-no", "a"}) == "ambiguous option: -no could match -no-del, -no-lock, -no-overwrite");
}
