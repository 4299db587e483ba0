// From options and from the wire to lists of rules, and back to the wire.
#include "libsync/filter/rules.h"

#include <poll.h>

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "libio/os/identity.h"
#include "libio/os/sys.h"
#include "libsync/filter/rule_list.h"
#include "libsync/list/named_dir.h"

namespace ocsync::sync {
namespace {

Status too_large() { return fail(Fault::kMemory, "file of filter rules is too large"); }

// All that a descriptor of any kind gives.
Result<std::string> read_all(int fd) {
  std::string content;
  char piece[64 * 1024];
  while (true) {
    pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
    const auto ready = io::sys::poll(&wait, 1, -1);
    if (!ready && ready.error().sys != EINTR) return std::unexpected(ready.error());
    const auto bytes = io::sys::read(fd, std::as_writable_bytes(std::span(piece)));
    if (!bytes) {
      if (bytes.error().sys == EAGAIN || bytes.error().sys == EINTR) continue;
      // A directory has no lines.
      if (bytes.error().sys == EISDIR) return std::string();
      return std::unexpected(bytes.error());
    }
    if (*bytes == 0) return content;
    content.append(piece, *bytes);
    if (content.size() > kMaxRuleFile) TRY(too_large());
  }
}

// Which sides do without a rule of the client's. The far side gets what it needs (to_wire); a rule that is only for the
// far side still counts when we check what a sender lists.
uint8_t unused_by(uint32_t flags, bool delete_excluded) {
  const uint32_t sides = flags & kRuleSides;
  const uint8_t sender = side_bit(Side::kSender), receiver = side_bit(Side::kReceiver);
  if (sides == kRuleSides) return 0;
  if (sides == kRuleReceiverSide) return sender;
  if (sides == kRuleSenderSide) return receiver;
  const bool only_patterns = (flags & kRulePerDirectory) == 0 || (flags & kRuleNoPrefixes) != 0;
  return delete_excluded && only_patterns ? receiver : 0;
}

void sort_out_sides(RuleBlock& block, bool delete_excluded) {
  for (Rule& rule : block.rules) rule.off = unused_by(rule.flags, delete_excluded);
}

// The automatic rules of -C; what the user wrote is no less a "-C", but travels in another way.
Status add_cvs(RuleLoader& loader, RuleBlock& to, bool per_directory, bool global) {
  if (per_directory) TRY(loader.add_text(to, ":C", 0, 0));
  if (global) TRY(loader.add_text(to, "-C", 0, 0));
  return {};
}

RuleFacts facts_of(const Options& options, RuleWorld world) {
  RuleFacts facts;
  facts.world = std::move(world);
  facts.server = options.server;
  facts.client = !options.server;
  facts.delete_excluded = options.delete_excluded;
  facts.from0 = options.from0;
  facts.cvs_perishable = proto::Agreement::from(options.protocol, 0).perishable_rules;
  return facts;
}

Status add_argument(RuleLoader& loader, RuleBlock& to, const FilterArgument& argument, int& short_count) {
  loader.end_rules_with_nul(argument.nulls);
  switch (argument.kind) {
    case FilterArgument::Kind::kFilter: return loader.add_text(to, argument.text, 0, 0);
    case FilterArgument::Kind::kInclude:
      return loader.add_text(to, argument.text, kRuleInclude, RuleLoader::kOldPrefixes);
    case FilterArgument::Kind::kExclude: return loader.add_text(to, argument.text, 0, RuleLoader::kOldPrefixes);
    case FilterArgument::Kind::kIncludeFrom:
      return loader.add_file(to, argument.text, kRuleInclude, RuleLoader::kOldPrefixes | RuleLoader::kFatal);
    case FilterArgument::Kind::kExcludeFrom:
      return loader.add_file(to, argument.text, 0, RuleLoader::kOldPrefixes | RuleLoader::kFatal);
    case FilterArgument::Kind::kCvs: return loader.add_text(to, "-C", 0, 0);
    case FilterArgument::Kind::kPerDirShort:
      ++short_count;
      if (short_count == 1) return loader.add_text(to, ": /.rsync-filter", 0, 0);
      if (short_count == 2) return loader.add_text(to, "- .rsync-filter", 0, 0);
      return {};
  }
  return {};
}

}  // namespace

Result<std::string> read_rule_file(const io::File& file) {
  const io::FileInfo info = TRY(file.info());
  if (!info.is_regular()) return std::string();
  if (info.size > kMaxRuleFile) TRY(too_large());
  return read_all(file.fd());
}

// What decides about where files may be.
static Options where_of(const Options& options) {
  Options where;
  where.server = options.server;
  where.insecure_links = options.insecure_links;
  where.module_root = options.module_root;
  where.module_fd = options.module_fd;
  return where;
}

ReadRuleFile standard_rule_reader(const Options& options, bool confined) {
  Options where = where_of(options);
  if (confined) where.confine_root = options.confine_root;
  return [where = std::move(where)](const std::string& path) -> Result<std::string> {
    if (path == "-" && !where.server) return read_all(0);
    const io::File file = TRY(open_named_file(path, where));
    // What a daemon's client names may be anything that lies in the module.
    return where.module_fd >= 0 ? read_rule_file(file) : read_all(file.fd());
  };
}

RuleWorld RuleWorld::of_process(const Options& options) {
  RuleWorld world;
  if (options.module_fd >= 0) world.module_path = options.module_root;
  world.read = standard_rule_reader(options);
  if (!options.confine_root.empty()) world.read_confined = standard_rule_reader(options, true);
  if (options.confine_root.empty() && !options.insecure_links)
    world.way_to = [where = where_of(options)](const std::string& dir) -> Status {
      TRY(open_named_dir(dir, where));
      return {};
    };
  world.variable = [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  return world;
}

FilterRules::FilterRules() : list_(std::make_shared<List>()) {}
FilterRules::~FilterRules() = default;
FilterRules::FilterRules(FilterRules&&) noexcept = default;
FilterRules& FilterRules::operator=(FilterRules&&) noexcept = default;

FilterRules FilterRules::copy() const {
  FilterRules out;
  *out.list_ = *list_;
  return out;
}

Result<FilterRules> FilterRules::from_options(const Options& options, const ReadRuleFile& read) {
  RuleWorld world = RuleWorld::of_process(options);
  if (read) world.read = read;
  return from_options(options, std::move(world));
}

Result<FilterRules> FilterRules::from_options(const Options& options, RuleWorld world) {
  FilterRules built;
  List& list = *built.list_;
  list.facts = facts_of(options, std::move(world));
  RuleLoader loader(list.facts, list.set);
  int short_count = 0;
  for (const FilterArgument& argument : options.filters) TRY(add_argument(loader, list.rules, argument, short_count));
  if (options.old_dirs) TRY(loader.add_text(list.rules, "- /*/*", 0, 0));
  if (options.backup && options.backup_dir.empty() && options.delete_any && !options.delete_excluded && !options.server)
    TRY(loader.add_text(list.rules, "P *" + options.backup_suffix, 0, 0));
  if (!options.partial_dir.empty() && !options.partial_dir.starts_with('/')) {
    const uint32_t flags = kRuleNoPrefixes | kRuleDirsOnly | kRulePerishable;
    TRY(loader.add_text(list.rules, options.partial_dir, flags, 0));
    list.rules.rules.back().flags |= kRuleVersioned;
  }
  if (options.cvs_exclude) {
    const size_t before = list.rules.rules.size();
    const bool loaded = list.set.cvs != nullptr;
    TRY(add_cvs(loader, list.rules, true, true));
    for (size_t i = before; i < list.rules.rules.size(); ++i) list.rules.rules[i].flags |= kRuleAutomatic;
    if (!loaded) {
      auto cvs = std::make_shared<RuleBlock>(*list.set.cvs);
      for (Rule& rule : cvs->rules) {
        if (rule.is(kRulePerishable)) rule.flags |= kRuleVersioned;
      }
      list.set.cvs = cvs;
    }
  }
  sort_out_sides(list.rules, options.delete_excluded);
  if (list.set.cvs) {
    auto cvs = std::make_shared<RuleBlock>(*list.set.cvs);
    sort_out_sides(*cvs, options.delete_excluded);
    list.set.cvs = cvs;
  }
  return built;
}

Result<FilterRules> FilterRules::from_wire(const std::vector<std::string>& rules, const Options& options,
                                           const proto::Agreement& agreed) {
  return from_wire(rules, options, agreed, RuleWorld::of_process(options));
}

Result<FilterRules> FilterRules::from_wire(const std::vector<std::string>& rules, const Options& options,
                                           const proto::Agreement& agreed, RuleWorld world) {
  FilterRules built;
  List& list = *built.list_;
  list.facts = facts_of(options, std::move(world));
  list.facts.client = false;
  list.facts.cvs_perishable = agreed.perishable_rules;
  RuleLoader loader(list.facts, list.set);
  const unsigned manner = agreed.full_filter_prefixes ? 0u : RuleLoader::kOldPrefixes;
  for (const std::string& rule : rules) TRY(loader.add_text(list.rules, rule, 0, manner));
  return built;
}

Result<FilterRules> FilterRules::for_module(const ModuleFilterTexts& texts, const Options& options, RuleWorld world) {
  FilterRules built;
  List& list = *built.list_;
  // The administrator's files may be anywhere.
  world.module_path.clear();
  list.facts = facts_of(options, std::move(world));
  RuleLoader loader(list.facts, list.set);
  loader.where = {.root = "", .dir = "/", .side = Side::kReceiver};
  const unsigned modern = RuleLoader::kModule;
  const unsigned old = modern | RuleLoader::kOldPrefixes;
  TRY(loader.add_text(list.rules, texts.filter, kRuleWordSplit, modern));
  TRY(loader.add_file(list.rules, texts.include_from, kRuleInclude, old | RuleLoader::kFatal));
  TRY(loader.add_text(list.rules, texts.include, kRuleInclude | kRuleWordSplit, old));
  TRY(loader.add_file(list.rules, texts.exclude_from, 0, old | RuleLoader::kFatal));
  TRY(loader.add_text(list.rules, texts.exclude, kRuleWordSplit, old));
  return built;
}

void FilterRules::guard_with(FilterRules module) {
  List& own = *list_;
  List& other = *module.list_;
  const auto shift = static_cast<uint32_t>(own.set.merges.size());
  for (Rule& rule : other.rules.rules) rule.merge += shift;
  own.guard = std::move(other.rules);
  own.set.merges.insert(own.set.merges.end(), other.set.merges.begin(), other.set.merges.end());
  own.set.needs_full_path |= other.set.needs_full_path;
  own.set.saw_xattr |= other.set.saw_xattr;
}

void FilterRules::settle(const Options& options, const proto::Agreement& agreed, bool local) {
  List& list = *list_;
  const auto cvs = list.set.cvs ? std::make_shared<RuleBlock>(*list.set.cvs) : nullptr;
  const auto drop_perishable = [](RuleBlock& block) {
    for (Rule& rule : block.rules) {
      if (rule.is(kRuleVersioned)) rule.flags &= ~kRulePerishable;
    }
  };
  // The partial directory's rule is the client's own when it receives: perishable in every version.
  if (!agreed.perishable_rules && options.sender) drop_perishable(list.rules);
  if (!cvs) return;
  if (!agreed.perishable_rules) drop_perishable(*cvs);
  // A client that receives adds -C after the rules were sorted by sides, so that with --delete-excluded these patterns
  // protect what they exclude.
  bool automatic = false;
  for (const Rule& rule : list.rules.rules) automatic |= rule.is(kRuleAutomatic);
  if (!local && !options.sender && automatic) {
    for (Rule& rule : cvs->rules) rule.off = 0;
  }
  list.set.cvs = cvs;
}

Status FilterRules::add_server_rules(const Options& options, const proto::Agreement& agreed) {
  if (!options.cvs_exclude) return {};
  RuleLoader loader(list_->facts, list_->set);
  return add_cvs(loader, list_->rules, options.sender || !agreed.full_filter_prefixes, options.sender);
}

bool FilterRules::travels(const Options& options, const proto::Agreement& agreed) {
  if (options.server == options.sender) return true;  // the client receives
  return options.prune_empty_dirs || (options.delete_any && (!options.delete_excluded || agreed.full_filter_prefixes));
}

Result<std::vector<std::string>> FilterRules::to_wire(const Options& options, const proto::Agreement& agreed) const {
  const bool sends = options.sender;
  const uint8_t far = side_bit(sends ? Side::kReceiver : Side::kSender);
  std::vector<std::string> texts;
  const auto add = [&](const Rule& rule) -> Status {
    std::string text = TRY(wire_text(rule, sends, options.delete_excluded, agreed));
    if (!text.empty()) texts.push_back(std::move(text));
    return {};
  };
  for (const Rule& rule : list_->rules.rules) {
    // What the far side adds by itself: everything on a pull, the per-directory file where versions cannot name it.
    if (rule.is(kRuleAutomatic) && (!sends || (rule.is(kRulePerDirectory) && !agreed.full_filter_prefixes))) continue;
    if ((unused_by(rule.flags, options.delete_excluded) & far) != 0) continue;
    if (rule.is(kRuleCvs) && !rule.is(kRuleMerge) && (sends || !agreed.full_filter_prefixes)) {
      for (const Rule& pattern : list_->set.cvs->rules) {
        if ((unused_by(pattern.flags, options.delete_excluded) & far) == 0) TRY(add(pattern));
      }
      continue;
    }
    TRY(add(rule));
  }
  return texts;
}

std::vector<std::string> FilterRules::to_text() const {
  const proto::Agreement newest = proto::Agreement::from(proto::kNewestVersion, 0);
  std::vector<std::string> texts;
  for (const Rule& rule : list_->rules.rules) {
    if (rule.is(kRuleAutomatic)) continue;
    // The newest version can express every rule.
    if (auto text = wire_text(rule, true, false, newest)) texts.push_back(std::move(*text));
  }
  return texts;
}

bool FilterRules::empty() const { return list_->rules.rules.empty() && list_->guard.rules.empty(); }
bool FilterRules::has_per_directory() const { return list_->set.saw_per_directory; }
bool FilterRules::has_xattr_rules() const { return list_->set.saw_xattr; }

Verdict FilterRules::xattr_verdict(std::string_view name, Side side) const {
  const Lookup what{.name = MatchName::of(name, false), .side = side_bit(side), .xattr = true};
  if (look_up(list_->guard, list_->set, what) == Verdict::kExclude) return Verdict::kExclude;
  return look_up(list_->rules, list_->set, what);
}

bool FilterRules::sender_had_to_hide(std::string_view path, bool is_dir) const {
  if (list_->set.saw_per_directory) return false;
  const Lookup what{.name = MatchName::of(path, is_dir), .side = side_bit(Side::kSender), .elsewhere = true};
  return !what.name.path.empty() && look_up(list_->rules, list_->set, what) == Verdict::kExclude;
}

bool FilterRules::module_hides(std::string_view path, bool is_dir) const {
  const Lookup what{.name = MatchName::of(path, is_dir), .side = side_bit(Side::kReceiver)};
  return !what.name.path.empty() && look_up(list_->rules, list_->set, what) == Verdict::kExclude;
}

}  // namespace ocsync::sync
