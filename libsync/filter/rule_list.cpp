// Reading rule texts and files, and searching what they gave.
#include "libsync/filter/rule_list.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "libproto/limits.h"
#include "libsync/list/paths.h"

namespace ocsync::sync {
namespace {

constexpr std::string_view kCvsPatterns =
    "RCS SCCS CVS CVS.adm RCSLOG cvslog.* tags TAGS .make.state .nse_depinfo *~ #* .#* ,* _$* *$ *.old *.bak *.BAK "
    "*.orig *.rej .del-* *.a *.olb *.o *.obj *.so *.exe *.Z *.elc *.ln core .svn/ .git/ .hg/ .bzr/";
constexpr std::string_view kCvsFile = ".cvsignore";

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view last_component(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// Rules of a file, one call of `take` each: lines, or words where the file is split at white space.
Status each_line(std::string_view content, bool words, bool from0,
                 const std::function<Status(std::string_view text, int line)>& take) {
  size_t at = 0;
  for (int line = 1; at < content.size(); ++line) {
    size_t end = at;
    while (end < content.size() && !(words && is_blank(content[end])) &&
           !(from0 ? content[end] == '\0' : content[end] == '\n' || content[end] == '\r'))
      ++end;
    TRY(take(content.substr(at, end - at), words ? -1 : line));
    const bool pair = !from0 && content.substr(end, 2) == "\r\n";
    at = end + (pair ? 2 : 1);
  }
  return {};
}

}  // namespace

Verdict look_up(const RuleBlock& block, const RuleSet& set, const Lookup& what, DecidedBy* by) {
  for (const Rule& rule : block.rules) {
    if (what.ignore_perishable && rule.is(kRulePerishable)) continue;
    if (rule.is(kRulePerDirectory)) {
      for (const RuleBlock* part = set.merges[rule.merge].head.get(); part != nullptr; part = part->inherited.get()) {
        const Verdict verdict = look_up(*part, set, what, by);
        if (verdict == Verdict::kNoMatch) continue;
        if (by && !by->merge) by->merge = &set.merges[rule.merge];
        return verdict;
      }
      continue;
    }
    if (rule.is(kRuleCvs)) {
      const Verdict verdict = set.cvs ? look_up(*set.cvs, set, what, by) : Verdict::kNoMatch;
      if (verdict == Verdict::kNoMatch) continue;
      if (by) by->cvs = true;
      return verdict;
    }
    if ((rule.off & what.side) != 0 || rule.is(kRuleXattr) != what.xattr) continue;
    if (what.elsewhere && rule.is(kRuleFullPath)) {
      if (rule.is(kRuleInclude) || rule.is(kRuleNegated)) return Verdict::kNoMatch;
      continue;
    }
    const bool matches = (!rule.is(kRuleDirsOnly) || what.name.is_dir) && rule.pattern.matches(what.name);
    if (matches == rule.is(kRuleNegated)) continue;
    if (by) by->rule = &rule;
    return rule.is(kRuleInclude) ? Verdict::kInclude : Verdict::kExclude;
  }
  return Verdict::kNoMatch;
}

void RuleLoader::complain(const std::string& line) const {
  if (facts_.world.complain) facts_.world.complain(line);
}

void RuleLoader::clear(RuleBlock& block) {
  for (const Rule& rule : block.rules) {
    if (rule.is(kRulePerDirectory)) set_.merges[rule.merge].active = false;
  }
  block.rules.clear();
  block.inherited.reset();
}

std::optional<std::string> RuleLoader::resolved(const std::string& name, bool from_file) const {
  std::string full;
  if (name.starts_with('/')) {
    full = collapsed_path(name);
  } else if (!where.above && name.find('/', 1) == std::string::npos) {
    return name;
  } else {
    full = collapsed_path(where.dir + name);
  }
  if (full.size() < proto::kMaxPath) return full;
  complain("merge-file name overflows: " + place_.shown(name, from_file));
  return std::nullopt;
}

std::string RuleLoader::path_of(const std::string& name) const {
  return name.starts_with('/') || where.dir.empty() ? name : where.root + "/" + name;
}

Result<std::string> RuleLoader::read(const std::string& name) const {
  const std::string path = path_of(name);
  if (facts_.world.module_path.empty()) {
    const bool by_operator = where.dir.empty() && !facts_.server;
    const ReadRuleFile& read =
        by_operator || !facts_.world.read_confined ? facts_.world.read : facts_.world.read_confined;
    if (!read) return fail(Fault::kUnsupported, "no rule files here");
    return read(path);
  }
  // Absolute and clean, it cannot climb out; nor do links lead out of the module.
  return facts_.world.read(facts_.world.on_disk(collapsed_path("/" + path)));
}

Status RuleLoader::add_text(RuleBlock& to, std::string_view text, uint32_t defaults, unsigned manner) {
  const RuleStyle style{
      .defaults = defaults, .old_prefixes = (manner & kOldPrefixes) != 0, .delete_excluded = facts_.delete_excluded};
  // Rules are C strings for rsync: what follows a zero byte never existed.
  text = text.substr(0, text.find('\0'));
  while (true) {
    const std::optional<ParsedRule> rule = TRY(take_rule(text, style, place_));
    if (!rule) return {};
    uint32_t flags = rule->flags;
    std::string_view argument = rule->argument;
    if (argument.size() >= proto::kMaxPath) {
      complain("discarding over-long filter: " + place_.shown(argument));
      continue;
    }
    if ((flags & kRuleClear) != 0) {
      clear(to);
      continue;
    }
    if ((flags & kRuleXattr) != 0) set_.saw_xattr = true;
    if ((flags & kRuleMerge) == 0) {
      TRY(add_rule(to, flags, argument, manner));
      if ((flags & kRuleCvs) != 0) TRY(load_cvs(flags));
      continue;
    }
    if (argument.empty()) argument = kCvsFile;
    if ((flags & kRuleExcludeSelf) != 0) {
      // "name/" has no last component; an empty pattern would match nothing and no far side would take it.
      const std::string_view self = last_component(argument);
      if (!self.empty()) TRY(add_rule(to, flags & kRuleFromFile, self, 0));
      flags &= ~kRuleExcludeSelf;
    }
    const bool from_file = (flags & kRuleFromFile) != 0;
    if ((flags & kRulePerDirectory) == 0) {
      const std::optional<std::string> name = resolved(std::string(argument), from_file);
      // Not read as a per-directory file, even inside one: its patterns are anchored like the user's own.
      if (name) TRY(add_file(to, *name, flags, kFatal));
      continue;
    }
    set_.saw_per_directory = true;
    if (where.above) {
      const std::optional<std::string> name = resolved(std::string(argument), from_file);
      if (name) TRY(add_rule(to, flags, *name, 0));
    } else {
      TRY(add_rule(to, flags, argument, manner));
    }
  }
}

Status RuleLoader::add_rule(RuleBlock& to, uint32_t flags, std::string_view argument, unsigned manner) {
  const uint32_t other_side = where.side == Side::kSender ? kRuleReceiverSide : kRuleSenderSide;
  if ((manner & (kInDirectory | kModule)) != 0 && (flags & kRuleSides) == other_side) return {};
  if (argument.size() > 1 && argument.ends_with('/')) {
    argument.remove_suffix(1);
    flags |= kRuleDirsOnly;
  }
  std::string pattern(argument);
  // Nobody sees such an end, and few mean it. Only of text the user wrote: what stands in files is not shown.
  const bool caution = argument.ends_with(' ') || argument.ends_with('\t');
  if (facts_.world.explain && (flags & kRuleFromFile) == 0 && (caution || facts_.world.explains_all))
    facts_.world.explain(fmt::format("[{}] add_rule({}{} {}{}){}", facts_.client ? "client" : "server",
                                     (flags & kRulePerDirectory) != 0 ? ':'
                                     : (flags & kRuleInclude) != 0    ? '+'
                                                                      : '-',
                                     (flags & kRulePerishable) != 0 ? "p" : "", argument,
                                     (flags & kRuleDirsOnly) != 0 ? "/" : "",
                                     caution ? " -- CAUTION: trailing whitespace!" : ""));
  if ((flags & kRulePerDirectory) != 0) return add_merge_kind(to, flags, std::move(pattern));
  size_t skip = 0;
  const bool anchored = argument.starts_with('/');
  if ((flags & kRuleFullPath) == 0 && (((manner & (kInDirectory | kModule)) != 0 && anchored) ||
                                       ((manner & kModule) != 0 && argument.find('/') != std::string_view::npos))) {
    flags |= kRuleFullPath;
    if (anchored && !where.dir.empty()) skip = where.dir.size() - 1;
  }
  if ((manner & kModule) != 0 && (flags & kRuleDirsOnly) != 0 && (flags & kRuleInclude) == 0) {
    // Nothing below a hidden directory may be named by a client, either.
    flags &= ~kRuleDirsOnly;
    pattern += "/***";
  }
  to.rules.push_back({.pattern = Pattern(std::move(pattern), (flags & kRuleFullPath) != 0, skip), .flags = flags});
  if (to.rules.back().pattern.needs_full_path()) set_.needs_full_path = true;
  return {};
}

Status RuleLoader::add_merge_kind(RuleBlock& to, uint32_t flags, std::string name) {
  const std::string_view leaf = last_component(name);
  for (const MergeKind& kind : set_.merges) {
    if (kind.active && last_component(kind.name) == leaf) return {};
  }
  if (set_.merges.size() >= kMaxMergeKinds) return fail(Fault::kMemory, "too many kinds of per-directory merge files");
  const auto index = static_cast<uint32_t>(set_.merges.size());
  to.rules.push_back({.pattern = Pattern(name), .flags = flags, .merge = index});
  set_.merges.push_back({.name = std::move(name), .flags = flags});
  return {};
}

Status RuleLoader::load_cvs(uint32_t flags) {
  if (set_.cvs) return {};
  auto block = std::make_shared<RuleBlock>();
  set_.cvs = block;  // a "-C" inside is no reason to start again
  const RulePlace outer = std::exchange(place_, {});
  const uint32_t builtin = flags | (facts_.cvs_perishable ? kRulePerishable : 0u);
  TRY(add_text(*block, kCvsPatterns, builtin, 0));
  const auto variable = [this](const char* name) {
    return facts_.world.variable ? facts_.world.variable(name) : std::nullopt;
  };
  const std::optional<std::string> home = facts_.world.module_in_chroot ? "/" : variable("HOME");
  if (home && !home->empty() && facts_.world.read) {
    const std::string name = *home + (home->ends_with('/') ? "" : "/") + std::string(kCvsFile);
    const Result<std::string> content = facts_.world.read(name);
    if (content) TRY(add_content(*block, *content, name, flags, 0));
  }
  if (const auto words = variable("CVSIGNORE")) TRY(add_text(*block, *words, flags, 0));
  place_ = outer;
  return {};
}

Status RuleLoader::add_file(RuleBlock& to, const std::string& name, uint32_t defaults, unsigned manner) {
  if (name.empty()) return {};
  const bool hide_name = (defaults & kRuleFromFile) != 0;
  if (depth_ >= kMaxMergeDepth) {
    const std::string text = fmt::format("merge-file include depth limit ({}) exceeded at {}", kMaxMergeDepth,
                                         place_.shown(name, hide_name));
    if ((manner & kFatal) != 0) return fail(Fault::kFileIo, text);
    complain(text);
    return {};
  }
  if (facts_.world.hides(collapsed_path(path_of(name)))) return {};
  const Result<std::string> content = read(name);
  if (content) return add_content(to, *content, name, defaults, manner);
  if ((manner & kFatal) == 0) return {};
  const std::string text = fmt::format("failed to open {}clude file {}", (defaults & kRuleInclude) != 0 ? "in" : "ex",
                                       place_.shown(name, hide_name));
  // Where the name must not be shown, neither must be whether it exists.
  return fail(Fault::kFileIo, text, place_.in_file || hide_name ? 0 : content.error().sys);
}

Status RuleLoader::add_content(RuleBlock& to, std::string_view content, const std::string& name, uint32_t defaults,
                               unsigned manner) {
  const RulePlace outer = place_;
  const bool words = (defaults & kRuleWordSplit) != 0;
  const bool hide_name = outer.in_file || (defaults & kRuleFromFile) != 0;
  place_.in_file = true;
  place_.file = hide_name ? "" : name;
  if (hide_name) place_.named_at = outer.in_file ? outer.where() : "";
  ++depth_;
  const Status done = each_line(content, words, nulls_, [&](std::string_view text, int line) -> Status {
    place_.line = line;
    if (text.size() >= proto::kBigPath) {
      complain("discarding over-long filter: " + place_.shown(text));
      return {};
    }
    if (text.empty() || (!words && (text[0] == ';' || text[0] == '#'))) return {};
    return add_text(to, text, defaults, manner);
  });
  --depth_;
  place_ = outer;
  return done;
}

}  // namespace ocsync::sync
