// The rule language as text: parsing, complaints, what travels in which version.
#include "libsync/filter/rules.h"

#include <map>

#include <catch2/catch.hpp>

#include "libsync/filter/rule_list.h"

using namespace ocsync;
using namespace ocsync::sync;
using Kind = FilterArgument::Kind;

namespace {

struct World {
  std::map<std::string, std::string> files, variables;
  std::vector<std::string> complaints;

  RuleWorld rule_world() {
    RuleWorld world;
    world.read = [this](const std::string& path) -> Result<std::string> {
      const auto found = files.find(path);
      if (found == files.end()) return fail(Error(ENOENT));
      return found->second;
    };
    world.variable = [this](const char* name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
    world.complain = [this](std::string_view line) { complaints.emplace_back(line); };
    return world;
  }
};

Options with_filters(std::vector<std::string> filters) {
  Options options;
  options.sender = true;
  for (std::string& filter : filters) options.filters.push_back({Kind::kFilter, std::move(filter)});
  return options;
}

FilterRules rules_of(const Options& options, World& world) {
  auto rules = FilterRules::from_options(options, world.rule_world());
  INFO((rules ? "" : rules.error().text));
  REQUIRE(rules);
  return *std::move(rules);
}

std::string refusal(std::vector<std::string> filters, World world = {}) {
  const auto rules = FilterRules::from_options(with_filters(std::move(filters)), world.rule_world());
  REQUIRE_FALSE(rules);
  CHECK(rules.error().fault == Fault::kUsage);
  return rules.error().text;
}

using Texts = std::vector<std::string>;

Texts sent(const Options& options, int version, World world = {}) {
  const auto agreed = proto::Agreement::from(version, 0);
  FilterRules rules = rules_of(options, world);
  rules.settle(options, agreed, false);
  const auto texts = rules.to_wire(options, agreed);
  if (texts) return *texts;
  CHECK(texts.error().fault == Fault::kProtocol);
  return {texts.error().text};
}

// The verdicts of rules without a directory to be in.
bool excluded(const FilterRules& rules, Side side, const char* path, bool is_dir = false, bool removing = false) {
  const auto scope = FilterScope::at_root(rules, side, "/top/src");
  REQUIRE(scope);
  return scope->excluded(path, is_dir, removing);
}

}  // namespace

TEST_CASE("rules: what is wrong is told in rsync's words") {
  CHECK(refusal({"foo"}) == "Unknown filter rule: foo");
  CHECK(refusal({"- "}) == "unexpected end of filter rule: - ");
  CHECK(refusal({"-"}) == "unexpected end of filter rule: -");
  CHECK(refusal({"-c foo"}) == "invalid modifier 'c' at position 1 in filter rule: -c foo");
  CHECK(refusal({"exclude,q foo"}) == "invalid modifier 'q' at position 8 in filter rule: exclude,q foo");
  CHECK(refusal({"excludeq foo"}) == "Unknown filter rule: excludeq foo");
  CHECK(refusal({"! x"}) == "'!' rule has trailing characters: ! x");
  CHECK(refusal({"clear x"}) == "'!' rule has trailing characters: clear x");
  CHECK(refusal({"Hs foo"}) == "invalid modifier 's' at position 1 in filter rule: Hs foo");
  CHECK(refusal({"-e foo"}) == "invalid modifier 'e' at position 1 in filter rule: -e foo");
  CHECK(refusal({".! foo"}) == "invalid modifier '!' at position 1 in filter rule: .! foo");
  CHECK(refusal({":+- foo"}) == "invalid modifier '-' at position 2 in filter rule: :+- foo");
}

TEST_CASE("rules: what a file says never shows in a message") {
  World world;
  world.files["rules"] = "- ok\n\nsecret stuff\n";
  CHECK(refusal({". rules"}, world) == "Unknown filter rule: <rule from rules line 3>");
  world.files["rules"] = "-q secret\n";
  CHECK(refusal({". rules"}, world) == "invalid modifier in filter rule: <rule from rules line 1>");
  world.files["rules"] = "word -q_secret";
  CHECK(refusal({".w rules"}, world) == "Unknown filter rule: <rule from rules>");
  world.files["rules"] = "# one\n. inner\n";
  world.files["inner"] = "secret\n";
  CHECK(refusal({". rules"}, world) == "Unknown filter rule: <rule from a file named at rules line 2>");
  world.files["rules"] = "H secret\n";
  CHECK(refusal({".s rules"}, world) ==
        "specified-side merge file contains specified-side filter: <rule from rules line 1>");
}

TEST_CASE("rules: a merge file that is missing ends the run, without telling what a file named") {
  World world;
  const auto missing = FilterRules::from_options(with_filters({". nowhere"}), world.rule_world());
  REQUIRE_FALSE(missing);
  CHECK(missing.error().fault == Fault::kFileIo);
  CHECK(missing.error().text == "failed to open exclude file nowhere");
  CHECK(missing.error().sys == ENOENT);
  world.files["rules"] = "merge,+ nowhere";
  const auto named = FilterRules::from_options(with_filters({". rules"}), world.rule_world());
  REQUIRE_FALSE(named);
  CHECK(named.error().text == "failed to open include file <rule from rules line 1>");
  CHECK(named.error().sys == 0);
}

TEST_CASE("rules: merge files stop at a depth of 32") {
  World world;
  world.files["loop"] = ". loop\n";
  const auto rules = FilterRules::from_options(with_filters({". loop"}), world.rule_world());
  REQUIRE_FALSE(rules);
  CHECK(rules.error().fault == Fault::kFileIo);
  CHECK(rules.error().text.starts_with("merge-file include depth limit (32) exceeded at <rule from "));
}

TEST_CASE("rules: lines end in LF, CR or both; comments are skipped; over-long lines are dropped with a complaint") {
  World world;
  world.files["rules"] = "- a\r\n;c\n#d\r- b\r\r\n+ e\n- " + std::string(6000, 'x') + "\n- f";
  CHECK(sent(with_filters({". rules"}), 32, world) == Texts{"- a", "- b", "+ e", "- f"});
  Options zeros = with_filters({". rules"});
  for (FilterArgument& filter : zeros.filters) filter.nulls = true;
  world.files["rules"] = std::string("- a\nb\0- c\r\0", 12);
  CHECK(sent(zeros, 32, world) == Texts{"- a\nb", "- c\r"});
  World loud;
  loud.files["rules"] = "- " + std::string(5200, 'x');
  rules_of(with_filters({". rules"}), loud);
  CHECK(loud.complaints == Texts{"discarding over-long filter: <rule from rules line 1>"});
}

TEST_CASE("rules: long and short names, blank or underscore, and old-style options mean the same") {
  CHECK(sent(with_filters(
                 {"exclude a", "include_b", "hide c", "show,! d", "protect e", "risk f", "-,p g", "-  h", "-__i"}),
             32) == Texts{"- a", "+ b", "-r e", "+r f", "-p g", "-  h", "- _i"});
  Options old;
  old.sender = true;
  for (const char* text : {"a", "+ b", "- c", "!x", "- - d"}) old.filters.push_back({Kind::kExclude, text});
  for (const char* text : {"e", "- f", "+ g"}) old.filters.push_back({Kind::kInclude, text});
  CHECK(sent(old, 32) == Texts{"- a", "+ b", "- c", "- !x", "- - d", "+ e", "- f", "+ g"});
}

TEST_CASE("rules: '!' forgets what came before") {
  CHECK(sent(with_filters({"- a", ": .f", "!", "- b", ": .f"}), 32) == Texts{"- b", ": .f"});
  World world;
  world.files["rules"] = "- b\n!\n- c\n";
  CHECK(sent(with_filters({"- a", ". rules", "- d"}), 32, world) == Texts{"- c", "- d"});
}

TEST_CASE("rules: prefixes by version") {
  const Options options =
      with_filters({"- a/", "+ b", "-! c", "-/ /d", ":n- .e", "-x user.f", "-s g", "-r h", "-sr i"});
  CHECK(sent(options, 30) == Texts{"- a/", "+ b", "-! c", "-/ /d", ":n- .e", "-x user.f", "-r h", "-sr i"});
  Options pull = options;
  pull.sender = false;
  CHECK(sent(pull, 29) == Texts{"- a/", "+ b", "-! c", "-/ /d", ":n- .e", "-x user.f", "-s g", "-sr i"});
  CHECK(sent(with_filters({"- a", "+ b/", "- - c", "- + d", "- -e"}), 28) ==
        Texts{"a", "+ b/", "- - c", "- + d", "-e"});
  CHECK(sent(with_filters({"- !", "- !a"}), 28) == Texts{"- !", "!a"});
  const Texts too_modern{"filter rules are too modern for remote rsync."};
  CHECK(sent(with_filters({": .f"}), 28) == too_modern);
  CHECK(sent(with_filters({"-! a"}), 28) == too_modern);
  CHECK(sent(with_filters({"-p a"}), 29) == too_modern);
  CHECK(sent(with_filters({"-p a"}), 30) == Texts{"-p a"});
  Options perishable_pull = with_filters({"-p a"});
  perishable_pull.sender = false;
  CHECK(sent(perishable_pull, 29) == Texts{"- a"});
}

TEST_CASE("rules: with --delete-excluded unmarked rules are the sender's alone") {
  Options options = with_filters({"- a", "P b", ": .f", ":- .g"});
  options.delete_excluded = options.delete_any = true;
  CHECK(sent(options, 32) == Texts{"-r b", ": .f"});
  World world;
  const FilterRules rules = rules_of(options, world);
  CHECK(excluded(rules, Side::kSender, "a"));
  CHECK_FALSE(excluded(rules, Side::kReceiver, "a"));
  CHECK(excluded(rules, Side::kReceiver, "b"));
  CHECK_FALSE(excluded(rules, Side::kSender, "b"));
}

TEST_CASE("rules: automatic rules follow the user's") {
  Options options = with_filters({"- a"});
  options.backup = options.delete_any = options.old_dirs = true;
  options.backup_suffix = ".old";
  options.partial_dir = ".part";
  CHECK(sent(options, 32) == Texts{"- a", "- /*/*", "-r *.old", "-p .part/"});
  CHECK(sent(options, 29) == Texts{"- a", "- /*/*", "-r *.old", "- .part/"});
  options.partial_dir = "/abs";
  options.backup_dir = "b";
  CHECK(sent(options, 32) == Texts{"- a", "- /*/*"});
}

TEST_CASE("rules: -F once, twice, and never more") {
  Options options;
  options.sender = true;
  options.filters.assign(3, {Kind::kPerDirShort, ""});
  CHECK(sent(options, 32) == Texts{": /.rsync-filter", "- .rsync-filter"});
}

TEST_CASE("rules: -C travels on a push as the version allows, never on a pull") {
  World world;
  world.variables["HOME"] = "/home/x";
  world.variables["CVSIGNORE"] = "last  one";
  world.files["/home/x/.cvsignore"] = "mine !\ntwo";
  Options options = with_filters({"- a"});
  options.cvs_exclude = true;
  const Texts push = sent(options, 32, world);
  // The lone "!" of the file drops what came before it.
  CHECK(push == Texts{"- a", ":C .cvsignore", "- two", "- last", "- one"});
  world.files.clear();
  const Texts builtin = sent(options, 32, world);
  REQUIRE(builtin.size() == 40);
  CHECK(builtin[2] == "-p RCS");
  CHECK(builtin[37] == "-p .bzr/");
  CHECK(builtin[39] == "- one");
  const Texts older = sent(options, 29, world);
  REQUIRE(older.size() == 40);
  CHECK(older[2] == "- RCS");
  const Texts oldest = sent(options, 28, world);
  REQUIRE(oldest.size() == 39);
  CHECK(oldest[1] == "RCS");
  options.sender = false;
  CHECK(sent(options, 32, world) == Texts{"- a"});
  // What the user writes is another matter.
  Options written = with_filters({"-C", ":C"});
  written.sender = false;
  CHECK(sent(written, 32, world) == Texts{"-C ", ":C .cvsignore"});
}

TEST_CASE("rules: a merge rule's modifiers are defaults for the rules inside") {
  World world;
  world.files["rules"] = "+ a\nb\n";
  CHECK(sent(with_filters({".- rules"}), 32, world) == Texts{"- + a", "- b"});
  CHECK(sent(with_filters({".+ rules"}), 32, world) == Texts{"+ + a", "+ b"});
  world.files["rules"] = "- a\n+ b\n";
  CHECK(sent(with_filters({".rp/ rules"}), 32, world) == Texts{"-/rp a", "+/rp b"});
  CHECK(sent(with_filters({".e dir/rules"}), 32, World{{{"dir/rules", "- x"}}, {}, {}}) == Texts{"- rules", "- x"});
  world.files["rules"] = "a !  b\tc\n";
  CHECK(sent(with_filters({"- x", ".C rules"}), 32, world) == Texts{"- b", "- c"});
}

TEST_CASE("rules: the same per-directory file is only named once") {
  CHECK(sent(with_filters({": .f", ":n .f", ": /x/.f", ": .g"}), 32) == Texts{": .f", ": .g"});
}

TEST_CASE("rules: a server takes rules as they come, whatever their side") {
  const auto agreed = proto::Agreement::from(32, 0);
  Options options;
  options.server = true;
  World world;
  auto rules = FilterRules::from_wire({"-s a", "- b", "-r c", "-p d"}, options, agreed, world.rule_world());
  REQUIRE(rules);
  for (const char* name : {"a", "b", "c", "d"}) CHECK(excluded(*rules, Side::kReceiver, name));
  CHECK_FALSE(excluded(*rules, Side::kReceiver, "d", false, true));
  const auto old = proto::Agreement::from(28, 0);
  auto bare = FilterRules::from_wire({"a", "+ b", "- b", "- - c", ": .f", "!", "z"}, options, old, world.rule_world());
  REQUIRE(bare);
  CHECK_FALSE(excluded(*bare, Side::kReceiver, "a"));
  CHECK(excluded(*bare, Side::kReceiver, "z"));
  CHECK_FALSE(bare->has_per_directory());
  CHECK_FALSE(FilterRules::from_wire({"nonsense"}, options, agreed, world.rule_world()));
}

TEST_CASE("rules: a server with -C adds what the client did not send") {
  World world;
  Options options;
  options.server = options.cvs_exclude = true;
  options.sender = true;
  const auto agreed = proto::Agreement::from(32, 0);
  auto sending = FilterRules::from_wire({}, options, agreed, world.rule_world());
  REQUIRE(sending);
  REQUIRE(sending->add_server_rules(options, agreed));
  CHECK(excluded(*sending, Side::kSender, "a/core"));
  CHECK(sending->has_per_directory());
  options.sender = false;
  auto receiving = FilterRules::from_wire({}, options, agreed, world.rule_world());
  REQUIRE(receiving->add_server_rules(options, agreed));
  CHECK(receiving->empty());
}

TEST_CASE("rules: a client that pulls with -C --delete-excluded still protects what -C names") {
  World world;
  Options options;
  options.cvs_exclude = options.delete_excluded = options.delete_any = true;
  FilterRules local = rules_of(options, world);
  local.settle(options, proto::Agreement::from(32, 0), true);
  CHECK_FALSE(excluded(local, Side::kReceiver, "core"));
  FilterRules pulling = rules_of(options, world);
  pulling.settle(options, proto::Agreement::from(32, 0), false);
  CHECK(excluded(pulling, Side::kReceiver, "core"));
}

TEST_CASE("rules: when a list travels") {
  Options options;
  const auto agreed = proto::Agreement::from(32, 0), old = proto::Agreement::from(28, 0);
  CHECK(FilterRules::travels(options, agreed));
  options.sender = true;
  CHECK_FALSE(FilterRules::travels(options, agreed));
  options.delete_any = true;
  CHECK(FilterRules::travels(options, old));
  options.delete_excluded = true;
  CHECK(FilterRules::travels(options, agreed));
  CHECK_FALSE(FilterRules::travels(options, old));
  options.prune_empty_dirs = true;
  CHECK(FilterRules::travels(options, old));
}

TEST_CASE("rules: negation, sides, perishable rules and attribute names") {
  World world;
  const FilterRules rules = rules_of(with_filters({"-x user.*", "-! *.c", "+ x"}), world);
  CHECK(rules.has_xattr_rules());
  CHECK(rules.xattr_verdict("user.a", Side::kSender) == Verdict::kExclude);
  CHECK(rules.xattr_verdict("trusted.a", Side::kSender) == Verdict::kNoMatch);
  CHECK_FALSE(excluded(rules, Side::kSender, "a.c"));
  CHECK(excluded(rules, Side::kSender, "user.a"));
  // Upstream's odd corner: a negated rule about directories hits whatever is none.
  const FilterRules odd = rules_of(with_filters({"-! d/"}), world);
  CHECK(excluded(odd, Side::kSender, "d", false));
  CHECK_FALSE(excluded(odd, Side::kSender, "d", true));
  CHECK_FALSE(excluded(odd, Side::kSender, ""));
  CHECK_FALSE(excluded(odd, Side::kSender, "."));
}

TEST_CASE("rules: the '/' modifier starts at the file system's root, or the module's") {
  World world;
  const FilterRules rules = rules_of(with_filters({"-/ /top/src/a", "-/ src/b", "- /c"}), world);
  CHECK(excluded(rules, Side::kSender, "a"));
  CHECK_FALSE(excluded(rules, Side::kSender, "x/a"));
  CHECK(excluded(rules, Side::kSender, "b"));
  CHECK(excluded(rules, Side::kSender, "c"));
  CHECK_FALSE(excluded(rules, Side::kSender, "x/c"));
  CHECK(excluded(rules, Side::kSender, "/top/src/a"));
  Options server;
  server.server = true;
  RuleWorld in_module = world.rule_world();
  in_module.module_path = "/top";
  const auto served = FilterRules::from_wire({"-/ /src/a"}, server, proto::Agreement::from(32, 0), in_module);
  REQUIRE(served);
  CHECK(excluded(*served, Side::kSender, "a"));
}

TEST_CASE("rules: a client knows what a sender had to hide") {
  World world;
  Options options = with_filters({"-s a", "-r b", "- c"});
  options.sender = false;
  const FilterRules rules = rules_of(options, world);
  CHECK(rules.sender_had_to_hide("x/a", false));
  CHECK_FALSE(rules.sender_had_to_hide("b", false));
  CHECK(rules.sender_had_to_hide("c", true));
  options.filters.push_back({Kind::kFilter, ": .f"});
  CHECK_FALSE(rules_of(options, world).sender_had_to_hide("a", false));
}

TEST_CASE("rules: a module hides names, and what is below hidden directories, from everybody") {
  World world;
  world.files["/etc/hidden"] = "*.key\n";
  const ModuleFilterTexts texts{
      .filter = "- /top", .include = "/sec/open", .exclude_from = "/etc/hidden", .exclude = "sec/ a/b"};
  Options options;
  options.server = true;
  auto module = FilterRules::for_module(texts, options, world.rule_world());
  REQUIRE(module);
  CHECK(module->module_hides("top", false));
  CHECK_FALSE(module->module_hides("x/top", false));
  CHECK(module->module_hides("x/y.key", false));
  CHECK(module->module_hides("sec", true));
  CHECK(module->module_hides("sec/other", false));
  CHECK_FALSE(module->module_hides("sec/open", false));
  CHECK(module->module_hides("x/a/b", false));
  CHECK_FALSE(module->module_hides("b", false));

  RuleWorld in_module = world.rule_world();
  in_module.module_path = "/top";
  auto rules = FilterRules::from_wire({"+ *.key", "- z"}, options, proto::Agreement::from(32, 0), in_module);
  REQUIRE(rules);
  rules->guard_with(*std::move(module));
  CHECK(excluded(*rules, Side::kSender, "x.key"));
  CHECK(excluded(*rules, Side::kSender, "z"));
  CHECK_FALSE(excluded(*rules, Side::kSender, "y"));
  const auto scope = FilterScope::at_root(*rules, Side::kSender, "/top/src");
  CHECK(scope->hidden_by_module("x.key", false));
  CHECK_FALSE(scope->hidden_by_module("z", false));
}
