// Mapping rules, and caches around the look-ups.
#include "libsync/list/ids.h"

#include <algorithm>

#include <fmt/format.h>

#include "libio/os/identity.h"
#include "libproto/limits.h"
#include "libsync/filter/pattern.h"

namespace ocsync::sync {
namespace {

class SystemNames final : public NameService {
 public:
  std::optional<std::string> user_name(uint32_t uid) override { return io::user_name(uid); }
  std::optional<std::string> group_name(uint32_t gid) override { return io::group_name(gid); }
  std::optional<uint32_t> user_id(const std::string& name) override { return io::user_id(name); }
  std::optional<uint32_t> group_id(const std::string& name) override { return io::group_id(name); }
};

bool all_digits(std::string_view text) { return text.find_first_not_of("0123456789") == std::string_view::npos; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

Result<uint32_t> parse_id(std::string_view digits) {
  uint64_t id = 0;
  for (const char c : digits) {
    id = id * 10 + static_cast<uint64_t>(c - '0');
    if (id > UINT32_MAX) return fail(Fault::kUsage, fmt::format("Invalid ID number: {}", digits));
  }
  return static_cast<uint32_t>(id);
}

}  // namespace

std::unique_ptr<NameService> system_names() { return std::make_unique<SystemNames>(); }

IdMap::Setup IdMap::Setup::of_process(const Options& options, bool id0_names) {
  Setup setup;
  setup.ignore_names = options.ignore_names;
  setup.privileged = options.fake_super || options.super.value_or(io::is_root());
  setup.id0_names = id0_names;
  if (!setup.privileged) setup.own_groups = io::own_groups().value_or(std::vector<uint32_t>{io::effective_group()});
  return setup;
}

Status IdMap::parse_from(std::string_view from, std::string_view option, Rule& rule) {
  if (!from.empty() && is_digit(from[0])) {
    rule.by = Rule::By::kRange;
    const size_t dash = from.find('-');
    const bool pair = dash != std::string_view::npos;
    if (from.find_first_not_of("0123456789-") != std::string_view::npos ||
        (pair && (dash + 1 == from.size() || from.find('-', dash + 1) != std::string_view::npos)))
      return fail(Fault::kUsage, fmt::format("Invalid number in {}: {}", option, from));
    const uint32_t high = pair ? TRY(parse_id(from.substr(dash + 1))) : 0;
    rule.low = TRY(parse_id(from.substr(0, dash)));
    // rsync takes an upper bound of 0 for none.
    rule.high = high != 0 ? high : rule.low;
    return {};
  }
  rule.by = is_wild(from) ? Rule::By::kWildName : Rule::By::kName;
  rule.name = from;
  return {};
}

Status IdMap::parse_map(const std::string& text, bool users, std::vector<Rule>& rules) const {
  const std::string_view option = users ? "--usermap" : "--groupmap";
  std::string_view rest = text;
  // From the end, as rsync complains about the last mistake first.
  while (true) {
    const size_t comma = rest.rfind(',');
    const std::string_view item = comma == std::string_view::npos ? rest : rest.substr(comma + 1);
    const size_t colon = item.find(':');
    if (colon == std::string_view::npos)
      return fail(Fault::kUsage, fmt::format("No colon found in {}: {}", option, item));
    const std::string to(item.substr(colon + 1));
    if (to.empty()) return fail(Fault::kUsage, fmt::format("No name found after colon {}: {}", option, item));
    Rule rule;
    TRY(parse_from(item.substr(0, colon), option, rule));
    std::optional<uint32_t> id;
    if (all_digits(to)) {
      id = TRY(parse_id(to));
    } else {
      id = users ? names_->user_id(to) : names_->group_id(to);
    }
    if (id) {
      rule.to = *id;
      rules.push_back(std::move(rule));
    } else if (setup_.complain) {
      setup_.complain(fmt::format("Unknown {} name on receiver: {}", option, to));
    }
    if (comma == std::string_view::npos) break;
    rest = rest.substr(0, comma);
  }
  std::reverse(rules.begin(), rules.end());
  return {};
}

Result<IdMap> IdMap::from_options(const Options& options, Setup setup, NameService& names) {
  IdMap map;
  map.setup_ = std::move(setup);
  map.names_ = &names;
  if (!options.usermap.empty()) TRY(map.parse_map(options.usermap, true, map.user_rules_));
  if (!options.groupmap.empty()) TRY(map.parse_map(options.groupmap, false, map.group_rules_));
  map.maps_users_ = !options.numeric_ids || !options.usermap.empty();
  map.maps_groups_ = !map.setup_.privileged || !options.numeric_ids || !options.groupmap.empty();
  map.numeric_ids_ = options.numeric_ids;
  if (!map.setup_.id0_names) {
    const std::string_view zero = options.numeric_ids ? "" : "root";
    if (!options.usermap.empty()) map.map_user(0, zero);
    if (!options.groupmap.empty()) map.map_group(0, zero);
  }
  return map;
}

std::optional<uint32_t> IdMap::by_rule(const std::vector<Rule>& rules, uint32_t id, std::string_view name) {
  for (const Rule& rule : rules) {
    const bool matches = rule.by == Rule::By::kRange  ? id >= rule.low && id <= rule.high
                         : rule.by == Rule::By::kName ? name == rule.name
                                                      : wild_match(rule.name, name);
    if (matches) return rule.to;
  }
  return std::nullopt;
}

uint32_t IdMap::map_user(uint32_t uid, std::string_view name_from_wire) {
  const auto [found, is_new] = users_.try_emplace(uid, uid);
  if (!is_new) return found->second;
  const std::string name(setup_.ignore_names ? std::string_view() : name_from_wire);
  if (const auto id = by_rule(user_rules_, uid, name)) {
    found->second = *id;
  } else if (!name.empty() && uid != 0) {
    found->second = names_->user_id(name).value_or(uid);
  }
  if (setup_.explain) setup_.explain(fmt::format("uid {}({}) maps to {}", uid, name, found->second));
  return found->second;
}

bool IdMap::own_group(uint32_t gid) const {
  return std::find(setup_.own_groups.begin(), setup_.own_groups.end(), gid) != setup_.own_groups.end();
}

IdMap::MappedGroup IdMap::map_group(uint32_t gid, std::string_view name_from_wire) {
  const auto [found, is_new] = groups_.try_emplace(gid, MappedGroup{gid, true});
  if (!is_new) return found->second;
  const std::string name(setup_.ignore_names ? std::string_view() : name_from_wire);
  MappedGroup& mapped = found->second;
  if (const auto id = by_rule(group_rules_, gid, name)) {
    mapped.gid = *id;
  } else if (!name.empty() && gid != 0) {
    mapped.gid = names_->group_id(name).value_or(gid);
  }
  mapped.settable = setup_.privileged || own_group(mapped.gid);
  if (setup_.explain) setup_.explain(fmt::format("gid {}({}) maps to {}", gid, name, mapped.gid));
  return mapped;
}

uint32_t IdMap::map_own_user(uint32_t uid) {
  if (user_rules_.empty() || numeric_ids_) return map_user(uid);
  if (const auto known = users_.find(uid); known != users_.end()) return known->second;
  return map_user(uid, names_->user_name(uid).value_or(""));
}

IdMap::MappedGroup IdMap::map_own_group(uint32_t gid) {
  if (group_rules_.empty() || numeric_ids_) return map_group(gid);
  if (const auto known = groups_.find(gid); known != groups_.end()) return known->second;
  return map_group(gid, names_->group_name(gid).value_or(""));
}

void IdMap::learn_users(const proto::IdList& list) {
  for (const proto::IdName& entry : list.names) map_user(entry.id, entry.name);
  if (setup_.id0_names) map_user(0, list.zero);
}

void IdMap::learn_groups(const proto::IdList& list) {
  for (const proto::IdName& entry : list.names) map_group(entry.id, entry.name);
  if (setup_.id0_names) map_group(0, list.zero);
}

IdNames::Known& IdNames::ask(Table& table, uint32_t id, bool user) {
  const auto [found, is_new] = table.known.try_emplace(id);
  if (is_new) {
    found->second.name = (user ? names_->user_name(id) : names_->group_name(id)).value_or("");
    if (found->second.name.size() > proto::kMaxIdName) found->second.name.resize(proto::kMaxIdName);
  }
  return found->second;
}

bool IdNames::note(Table& table, uint32_t id, bool user) {
  // Almost every entry has the owner of the one before.
  if (!table.used.empty() && table.used.back() == id) return false;
  Known& known = ask(table, id, user);
  if (known.used) return false;
  known.used = true;
  table.used.push_back(id);
  return true;
}

std::string_view IdNames::user_name(uint32_t uid) { return ask(users_, uid, true).name; }
std::string_view IdNames::group_name(uint32_t gid) { return ask(groups_, gid, false).name; }

proto::IdList IdNames::list_of(Table& table, bool user) {
  proto::IdList list;
  // The latest first, as rsync does.
  for (auto id = table.used.rbegin(); id != table.used.rend(); ++id) {
    const Known& known = ask(table, *id, user);
    if (*id != 0 && !known.name.empty()) list.names.push_back({*id, known.name});
  }
  list.zero = ask(table, 0, user).name;
  return list;
}

proto::IdList IdNames::user_list() { return list_of(users_, true); }
proto::IdList IdNames::group_list() { return list_of(groups_, false); }

}  // namespace ocsync::sync
