// Walking: which rules hold in a directory, and what they say about a name.
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "libsync/filter/rule_list.h"
#include "libsync/filter/rules.h"
#include "libsync/list/named_dir.h"
#include "libsync/list/paths.h"

namespace ocsync::sync {
namespace {

// A copy of a path with something in front, without allocation for every path that can exist.
class JoinedPath {
 public:
  JoinedPath(std::string_view front, std::string_view path) : bytes_(front.size() + path.size()) {
    char* to = fixed_;
    if (bytes_ > sizeof fixed_) {
      long_.resize(bytes_);
      to = long_.data();
    }
    std::memcpy(to, front.data(), front.size());
    if (!path.empty()) std::memcpy(to + front.size(), path.data(), path.size());
  }
  std::string_view view() const { return {bytes_ > sizeof fixed_ ? long_.data() : fixed_, bytes_}; }

 private:
  size_t bytes_;
  char fixed_[8192];
  std::string long_;
};

// A path of the file system as one inside the module.
std::string inside(const std::string& path, const std::string& module) {
  if (!module.empty() && module != "/" && (path == module || is_below(path, module))) return path.substr(module.size());
  return path;
}

// The merge files of one directory, which is held open (if it can be) and whose path is `path` (absolute, with a final
// slash).
class MergeFiles {
 public:
  MergeFiles(const io::Dir* dir, const std::string& path, const RuleWorld& world)
      : dir_(dir), path_(path), world_(world) {}

  // What is in the file; nothing if there is none or it may not be read.
  std::optional<std::string> read(const std::string& name) {
    const auto leaf = io::Leaf::check(name);
    if (!dir_ || !leaf || world_.hides(path_ + name)) return std::nullopt;
    if (world_.read_confined) return taken(world_.read_confined(path_ + name));
    if (!reached()) return std::nullopt;
    const auto file = dir_->open_read(*leaf);
    if (file) return taken(read_rule_file(*file));
    // People link these files. A symlink is followed if somebody placed it who may anyway decide what we read.
    if (file.error().sys != ELOOP || !world_.read) return std::nullopt;
    const auto target = dir_->info_following(*leaf);
    if (target && !target->is_regular()) return std::nullopt;
    return taken(world_.read(world_.on_disk(path_ + name)));
  }

 private:
  // Was the directory reached by links that count? Its own handle does not know.
  bool reached() {
    if (!world_.way_to) return true;
    if (!way_) way_ = world_.way_to(world_.on_disk(path_));
    if (*way_) return true;
    complain(way_->error());
    return false;
  }
  std::optional<std::string> taken(Result<std::string> content) const {
    if (content) return *std::move(content);
    complain(content.error());
    return std::nullopt;
  }
  void complain(const Error& error) const {
    if (is_link_of_others(error) && world_.complain) world_.complain(kRefusesLink);
  }

  const io::Dir* dir_;
  const std::string& path_;
  const RuleWorld& world_;
  std::optional<Status> way_;
};

// A block without rules of its own is what it inherits (nothing, after a "!").
std::shared_ptr<const RuleBlock> in_force(std::shared_ptr<RuleBlock> block) {
  if (block->rules.empty()) return block->inherited;
  return block;
}

}  // namespace

struct FilterScope::State {
  std::shared_ptr<const FilterRules::List> list;
  RuleSet set;
  Side side = Side::kSender;
  std::string root;   // without a final slash ("" is "/"), inside the module if there is one
  std::string front;  // what stands before a path in MatchName::full

  Lookup lookup(std::string_view path, bool is_dir, bool ignore_perishable) const {
    return {.name = MatchName::of(path, is_dir), .side = side_bit(side), .ignore_perishable = ignore_perishable};
  }
  // The verdict of `ask` on what is to be looked up, once the full path is at hand if a rule wants it.
  template <class Ask>
  Verdict with_full_path(Lookup& what, Ask ask) const {
    if (!set.needs_full_path || what.name.from_root || front.empty()) return ask();
    const JoinedPath full(front, what.name.path);
    what.name.full = full.view();
    return ask();
  }

  // The verdict of the user's rules, explained if somebody wants to know. Text from files is never shown (RulePlace).
  Verdict judge(const Lookup& what) const {
    const RuleWorld& world = list->facts.world;
    if (!world.explain) return look_up(list->rules, set, what);
    DecidedBy by;
    const Verdict verdict = look_up(list->rules, set, what, &by);
    if (verdict == Verdict::kNoMatch || !by.rule) return verdict;
    const bool sends = side == Side::kSender, shows = verdict == Verdict::kInclude;
    const std::string_view act = sends ? (shows ? "showing" : "hiding") : (shows ? "risking" : "protecting");
    const std::string_view kind = what.xattr ? "xattr" : what.name.is_dir ? "directory" : "file";
    const std::string pattern = by.rule->is(kRuleFromFile)
                                    ? "<rule from a file read earlier>"
                                    : by.rule->pattern.text() + (by.rule->is(kRuleDirsOnly) ? "/" : "");
    const std::string source = by.cvs ? " [global CVS]"
                               : by.merge && (by.merge->flags & kRuleFromFile) == 0
                                   ? " [per-dir " + by.merge->name + "]"
                                   : "";
    world.explain(fmt::format("[{}] {} {} {} because of pattern {}{}", sends ? "sender" : "generator", act, kind,
                              what.name.path, pattern, source));
    return verdict;
  }

  // The directories from the one that the kind's name tells down to the parent of where.dir, if it is one of those.
  Status look_above(size_t index, RuleLoader& loader);
};

Status FilterScope::State::look_above(size_t index, RuleLoader& loader) {
  MergeKind kind = set.merges[index];
  const std::optional<std::string> name = loader.resolved(kind.name, (kind.flags & kRuleFromFile) != 0);
  if (!name || !name->starts_with('/')) return {};
  const size_t slash = name->rfind('/');
  const std::string leaf = name->substr(slash + 1);
  const std::string base = name->substr(0, slash + 1);
  set.merges[index].name = leaf;
  const RuleLoader::Where here = loader.where;
  if (!here.dir.starts_with(base)) return {};
  loader.where.above = true;
  Status done;
  for (size_t end = base.size(); done && end < here.dir.size(); end = here.dir.find('/', end) + 1) {
    loader.where.dir = here.dir.substr(0, end);
    auto block = std::make_shared<RuleBlock>();
    block->inherited = set.merges[index].head;
    done = loader.add_file(*block, loader.where.dir + leaf, kind.flags, RuleLoader::kInDirectory);
    if ((kind.flags & kRuleNoInherit) != 0) {
      // Kinds that the dropped rules introduced go with them.
      for (const Rule& rule : block->rules) {
        if (rule.is(kRulePerDirectory)) set.merges[rule.merge].active = false;
      }
    } else {
      set.merges[index].head = in_force(std::move(block));
    }
  }
  loader.where = here;
  return done;
}

Result<FilterScope> FilterScope::at_root(const FilterRules& rules, Side side, const std::string& root_path) {
  auto state = std::make_shared<State>();
  state->list = rules.list_;
  state->set = rules.list_->set;
  state->side = side;
  const std::string root = inside(collapsed_path(root_path), rules.list_->facts.world.module_path);
  state->root = root == "/" ? "" : root;
  if (!state->root.empty()) state->front = state->root.substr(1) + "/";
  FilterScope scope;
  scope.state_ = std::move(state);
  return scope;
}

Result<FilterScope> FilterScope::enter(const std::string& path, const io::Dir* dir) const {
  if (state_->set.merges.empty()) return *this;
  auto state = std::make_shared<State>(*state_);
  RuleLoader loader(state->list->facts, state->set);
  const std::string here = collapsed_path(path.starts_with('/') ? path : state->root + "/" + path);
  loader.where = {.root = state->root, .dir = here == "/" ? here : here + "/", .side = state->side};
  MergeFiles files(dir, loader.where.dir, state->list->facts.world);
  // Reading may add kinds, which are then read here as well.
  for (size_t i = 0; i < state->set.merges.size(); ++i) {
    if (!state->set.merges[i].active) continue;
    const uint32_t flags = state->set.merges[i].flags;
    if ((flags & kRuleNoInherit) != 0) state->set.merges[i].head = nullptr;
    if (state->set.merges[i].looks_above) {
      state->set.merges[i].looks_above = false;
      TRY(state->look_above(i, loader));
    }
    const std::string name = state->set.merges[i].name;
    const std::optional<std::string> content = files.read(name);
    if (!content) continue;
    auto block = std::make_shared<RuleBlock>();
    block->inherited = state->set.merges[i].head;
    TRY(loader.add_content(*block, *content, loader.where.dir + name, flags, RuleLoader::kInDirectory));
    state->set.merges[i].head = in_force(std::move(block));
  }
  FilterScope scope;
  scope.state_ = std::move(state);
  return scope;
}

FilterScope FilterScope::moved_to(const FilterScope& root) const {
  if (state_->root == root.state_->root) return *this;
  auto state = std::make_shared<State>(*state_);
  state->root = root.state_->root;
  state->front = root.state_->front;
  FilterScope scope;
  scope.state_ = std::move(state);
  return scope;
}

FilterScope FilterScope::settled_as(const FilterScope& entered) const {
  auto state = std::make_shared<State>(*state_);
  for (size_t i = 0; i < state->set.merges.size(); ++i) {
    state->set.merges[i].looks_above = false;
    state->set.merges[i].name = entered.state_->set.merges[i].name;
  }
  FilterScope scope;
  scope.state_ = std::move(state);
  return scope;
}

void FilterScope::look_in_vain(const std::string& path) const {
  const RuleWorld& world = state_->list->facts.world;
  if (state_->set.merges.empty() || world.read_confined || !world.read || !world.way_to || !world.complain) return;
  const std::string here = collapsed_path(path.starts_with('/') ? path : state_->root + "/" + path) + "/";
  const Status way = world.way_to(world.on_disk(here));
  if (way || !is_link_of_others(way.error())) return;
  for (const MergeKind& kind : state_->set.merges)
    if (kind.active && !world.hides(here + kind.name)) world.complain(kRefusesLink);
}

Verdict FilterScope::verdict(std::string_view path, bool is_dir, bool ignore_perishable) const {
  const FilterRules::List& list = *state_->list;
  if (list.rules.rules.empty() && list.guard.rules.empty()) return Verdict::kNoMatch;
  Lookup what = state_->lookup(path, is_dir, ignore_perishable);
  if (what.name.path.empty() || what.name.path == ".") return Verdict::kNoMatch;
  return state_->with_full_path(what, [&] {
    if (!list.guard.rules.empty() && look_up(list.guard, state_->set, what) == Verdict::kExclude)
      return Verdict::kExclude;
    return state_->judge(what);
  });
}

bool FilterScope::hidden_by_module(std::string_view path, bool is_dir) const {
  const FilterRules::List& list = *state_->list;
  if (list.guard.rules.empty()) return false;
  Lookup what = state_->lookup(path, is_dir, false);
  if (what.name.path.empty() || what.name.path == ".") return false;
  return state_->with_full_path(what, [&] { return look_up(list.guard, state_->set, what); }) == Verdict::kExclude;
}

Verdict FilterScope::xattr_verdict(std::string_view name) const {
  const FilterRules::List& list = *state_->list;
  Lookup what = state_->lookup(name, false, false);
  what.xattr = true;
  if (look_up(list.guard, state_->set, what) == Verdict::kExclude) return Verdict::kExclude;
  return state_->judge(what);
}

}  // namespace ocsync::sync
