// Owners by name and by rule, from tables instead of this machine's users.
#include "libsync/list/ids.h"

#include <map>

#include <catch2/catch.hpp>

using namespace ocsync;
using namespace ocsync::sync;

namespace {

struct Table final : NameService {
  std::map<std::string, uint32_t> users{{"root", 0}, {"ann", 500}, {"bob", 501}}, groups{{"wheel", 10}, {"staff", 20}};
  int asked = 0;
  static std::optional<std::string> name_in(const std::map<std::string, uint32_t>& table, uint32_t id) {
    for (const auto& [name, known] : table) {
      if (known == id) return name;
    }
    return std::nullopt;
  }
  static std::optional<uint32_t> id_in(const std::map<std::string, uint32_t>& table, const std::string& name) {
    const auto found = table.find(name);
    return found == table.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::string> user_name(uint32_t uid) override { return ++asked, name_in(users, uid); }
  std::optional<std::string> group_name(uint32_t gid) override { return ++asked, name_in(groups, gid); }
  std::optional<uint32_t> user_id(const std::string& name) override { return ++asked, id_in(users, name); }
  std::optional<uint32_t> group_id(const std::string& name) override { return ++asked, id_in(groups, name); }
};

IdMap map_of(NameService& names, const std::string& usermap, const std::string& groupmap = "",
             IdMap::Setup setup = {.privileged = true}) {
  Options options;
  options.usermap = usermap;
  options.groupmap = groupmap;
  auto map = IdMap::from_options(options, std::move(setup), names);
  REQUIRE(map);
  return *std::move(map);
}

std::string refusal(const std::string& usermap) {
  Table names;
  Options options;
  options.usermap = usermap;
  const auto map = IdMap::from_options(options, {.privileged = true}, names);
  REQUIRE_FALSE(map);
  CHECK(map.error().fault == Fault::kUsage);
  return map.error().text;
}

}  // namespace

TEST_CASE("ids: a name that exists here decides, else the number stays") {
  Table names;
  IdMap map = map_of(names, "");
  CHECK(map.map_user(1000, "ann") == 500);
  CHECK(map.map_user(1001, "nobody-here") == 1001);
  CHECK(map.map_user(1002) == 1002);
  const int asked = names.asked;
  CHECK(map.map_user(1000) == 500);
  CHECK(map.map_user(1000, "bob") == 500);
  CHECK(names.asked == asked);
}

TEST_CASE("ids: 0 is never mapped by its name, but a rule may") {
  Table names;
  names.users["toor"] = 7;
  IdMap map = map_of(names, "");
  CHECK(map.map_user(0, "toor") == 0);
  IdMap ruled = map_of(names, "root:bob");
  CHECK(ruled.map_user(0, "root") == 501);
}

TEST_CASE("ids: the first rule that fits decides, by name, wildcard, number, range or no name at all") {
  Table names;
  IdMap map = map_of(names, "ann:7,a*:8,100-200:9,300:10,:11,*:12");
  CHECK(map.map_user(1, "ann") == 7);
  CHECK(map.map_user(2, "amy") == 8);
  CHECK(map.map_user(100, "zoe") == 9);
  CHECK(map.map_user(200) == 9);
  CHECK(map.map_user(300, "zoe") == 10);
  CHECK(map.map_user(201) == 11);
  CHECK(map.map_user(202, "zoe") == 12);
}

TEST_CASE("ids: rules take 0 for root where its name does not travel") {
  Table names;
  IdMap map = map_of(names, "root:ann", "", {.privileged = true, .id0_names = false});
  CHECK(map.map_user(0) == 500);
  IdMap other = map_of(names, "root:ann", "", {.privileged = true, .id0_names = true});
  CHECK(other.map_user(0) == 0);
}

TEST_CASE("ids: an unknown target drops its rule with a line") {
  Table names;
  std::vector<std::string> lines;
  IdMap map = map_of(names, "1:nobody-here,1:ann", "2:nobody-here",
                     {.privileged = true, .complain = [&](std::string_view line) { lines.emplace_back(line); }});
  CHECK(map.map_user(1) == 500);
  CHECK(lines == std::vector<std::string>{"Unknown --usermap name on receiver: nobody-here",
                                          "Unknown --groupmap name on receiver: nobody-here"});
}

TEST_CASE("ids: malformed maps are refused, the last mistake first") {
  CHECK(refusal("ann") == "No colon found in --usermap: ann");
  CHECK(refusal("x,ann") == "No colon found in --usermap: ann");
  CHECK(refusal("ann:") == "No name found after colon --usermap: ann:");
  CHECK(refusal("1-2-3:ann") == "Invalid number in --usermap: 1-2-3");
  CHECK(refusal("1x:ann") == "Invalid number in --usermap: 1x");
  CHECK(refusal("1-:ann") == "Invalid number in --usermap: 1-");
  CHECK(refusal("99999999999:ann") == "Invalid ID number: 99999999999");
  CHECK(refusal("1:99999999999") == "Invalid ID number: 99999999999");
}

TEST_CASE("ids: groups of others are not settable for who is not privileged") {
  Table names;
  IdMap map = map_of(names, "", "40:20", {.own_groups = {20, 1000}});
  CHECK(map.map_group(5, "staff").gid == 20);
  CHECK(map.map_group(5).settable);
  CHECK(map.map_group(6, "wheel").gid == 10);
  CHECK_FALSE(map.map_group(6).settable);
  CHECK(map.map_group(40).gid == 20);
  CHECK(map.map_group(40).settable);
  CHECK(map.map_group(1000).settable);
  CHECK(map.maps_groups());
}

TEST_CASE("ids: names of a list count unless numeric ids were forced on us") {
  Table names;
  const proto::IdList list{.names = {{1000, "ann"}}, .zero = "root"};
  IdMap map = map_of(names, "");
  map.learn_users(list);
  CHECK(map.map_user(1000) == 500);
  IdMap forced = map_of(names, "", "", {.privileged = true, .ignore_names = true});
  forced.learn_users(list);
  CHECK(forced.map_user(1000) == 1000);
}

TEST_CASE("ids: the sender names each id once") {
  Table names;
  IdNames sent(names);
  CHECK(sent.first_use_of_user(500));
  CHECK_FALSE(sent.first_use_of_user(500));
  CHECK(sent.first_use_of_user(0));
  CHECK(sent.first_use_of_user(77));
  CHECK_FALSE(sent.first_use_of_user(500));
  CHECK(sent.user_name(500) == "ann");
  CHECK(sent.user_name(77).empty());
  CHECK(sent.first_use_of_group(10));
  const int asked = names.asked;
  CHECK(sent.user_list() == proto::IdList{.names = {{500, "ann"}}, .zero = "root"});
  CHECK(names.asked == asked);
  CHECK(sent.group_list().names == std::vector<proto::IdName>{{10, "wheel"}});
}

TEST_CASE("ids: a name that does not fit its length byte is cut") {
  Table names;
  names.users[std::string(300, 'x')] = 9;
  IdNames sent(names);
  CHECK(sent.user_name(9).size() == 255);
}
