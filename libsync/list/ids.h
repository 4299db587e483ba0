// Owners between systems: names of ids on the sending side, ids of names on the receiving side, --usermap, --groupmap.
//
// Each object belongs to one thread. Look-ups in the system's databases may be slow and are asked once per id or name.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libio/base/result.h"
#include "libproto/ids_wire.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

// Where names and ids are looked up: the system's databases, a daemon's name converter, or a test's table.
class NameService {
 public:
  virtual ~NameService() = default;
  virtual std::optional<std::string> user_name(uint32_t uid) = 0;
  virtual std::optional<std::string> group_name(uint32_t gid) = 0;
  virtual std::optional<uint32_t> user_id(const std::string& name) = 0;
  virtual std::optional<uint32_t> group_id(const std::string& name) = 0;
};
std::unique_ptr<NameService> system_names();

// The receiving side: which local id stands for an id that travelled.
class IdMap {
 public:
  struct Setup {
    bool privileged = false;           // may set any group (root, --super or --fake-super)
    bool id0_names = true;             // Agreement::id0_names; without it rules take id 0 for "root"
    bool ignore_names = false;         // a daemon's numeric ids: names travel all the same and count for nothing
    std::vector<uint32_t> own_groups;  // for who is not privileged
    // A line about a rule that is dropped ("Unknown --usermap name on receiver: X"); an error message that does not
    // count.
    std::function<void(std::string_view line)> complain;
    std::function<void(std::string_view line)> explain;  // (--debug=own2) what became of an id; empty: nobody asks
    static Setup of_process(const Options& options, bool id0_names);
  };
  // kUsage with rsync's text if a map is malformed. `names` must outlive this.
  static Result<IdMap> from_options(const Options& options, Setup setup, NameService& names);

  // The first call for an id decides; later calls may leave the name empty. `name_from_wire` is empty if none came.
  uint32_t map_user(uint32_t uid, std::string_view name_from_wire = {});
  struct MappedGroup {
    uint32_t gid;
    bool settable;  // false: we are not a member; neither set nor reported
  };
  MappedGroup map_group(uint32_t gid, std::string_view name_from_wire = {});
  // The same for ids of this machine (a local run), whose names no wire brought: rules look them up.
  uint32_t map_own_user(uint32_t uid);
  MappedGroup map_own_group(uint32_t gid);
  // The names of a whole list, as they follow a file list that is not incremental.
  void learn_users(const proto::IdList& list);
  void learn_groups(const proto::IdList& list);
  // False if every id stands for itself (and, for groups, may be set), so that nobody needs to ask.
  bool maps_users() const { return maps_users_; }
  bool maps_groups() const { return maps_groups_; }

 private:
  struct Rule {
    enum class By : uint8_t { kName, kWildName, kRange } by = By::kName;
    std::string name;
    uint32_t low = 0, high = 0;
    uint32_t to = 0;
  };
  Status parse_map(const std::string& text, bool users, std::vector<Rule>& rules) const;
  static Status parse_from(std::string_view from, std::string_view option, Rule& rule);
  static std::optional<uint32_t> by_rule(const std::vector<Rule>& rules, uint32_t id, std::string_view name);
  bool own_group(uint32_t gid) const;

  Setup setup_;
  NameService* names_ = nullptr;
  bool maps_users_ = true, maps_groups_ = true;
  bool numeric_ids_ = false;
  std::vector<Rule> user_rules_, group_rules_;
  std::unordered_map<uint32_t, uint32_t> users_;
  std::unordered_map<uint32_t, MappedGroup> groups_;
};

// The sending side: names of the ids that occur in a list, and which of them the far side has not heard yet.
class IdNames {
 public:
  // `names` must outlive this.
  explicit IdNames(NameService& names) : names_(&names) {}

  // Notes that an id occurs. True exactly once per id: then (in an incremental list) its name travels with the entry.
  bool first_use_of_user(uint32_t uid) { return note(users_, uid, true); }
  bool first_use_of_group(uint32_t gid) { return note(groups_, gid, false); }
  // Empty if the id has no name here. At most kMaxIdName bytes.
  std::string_view user_name(uint32_t uid);
  std::string_view group_name(uint32_t gid);
  // All noted ids with names, for a list that is not incremental; `zero` is the name of id 0, noted or not.
  proto::IdList user_list();
  proto::IdList group_list();

 private:
  struct Known {
    std::string name;
    bool used = false;
  };
  struct Table {
    std::unordered_map<uint32_t, Known> known;
    std::vector<uint32_t> used;  // in order of first use
  };
  bool note(Table& table, uint32_t id, bool user);
  Known& ask(Table& table, uint32_t id, bool user);
  proto::IdList list_of(Table& table, bool user);

  NameService* names_;
  Table users_, groups_;
};

}  // namespace ocsync::sync
