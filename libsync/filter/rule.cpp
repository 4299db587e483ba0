// The grammar of rules in both directions.
#include "libsync/filter/rule.h"

#include <fmt/format.h>

namespace ocsync::sync {
namespace {

constexpr size_t kMaxPrefix = 15;

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct Word {
  std::string_view word;
  char letter;
};
constexpr Word kWords[] = {{"clear", '!'}, {"dir-merge", ':'}, {"exclude", '-'}, {"hide", 'H'}, {"include", '+'},
                           {"merge", '.'}, {"protect", 'P'},   {"risk", 'R'},    {"show", 'S'}};

// The letter of the rule's kind; `at` is left on the last byte of the name, or on the comma that separates modifiers. 0
// if there is no such kind.
char take_kind(std::string_view text, size_t& at) {
  for (const Word& word : kWords) {
    if (text[0] != word.word[0]) continue;
    if (!text.starts_with(word.word)) return 0;
    const size_t end = word.word.size();
    if (end == text.size() || is_blank(text[end]) || text[end] == '_') {
      at = end - 1;
      return word.letter;
    }
    at = end;
    return text[end] == ',' ? word.letter : '\0';
  }
  at = text.size() > 1 && text[1] == ',' ? 1 : 0;
  return text[0];
}

// The flags of a kind; false if the letter is none.
bool kind_flags(char letter, uint32_t& flags, bool& side_given) {
  switch (letter) {
    case ':': flags |= kRulePerDirectory | kRuleMerge; return true;
    case '.': flags |= kRuleMerge; return true;
    case '+': flags |= kRuleInclude; return true;
    case '-': return true;
    case 'S': flags |= kRuleInclude | kRuleSenderSide; break;
    case 'H': flags |= kRuleSenderSide; break;
    case 'R': flags |= kRuleInclude | kRuleReceiverSide; break;
    case 'P': flags |= kRuleReceiverSide; break;
    case '!': flags |= kRuleClear; return true;
    default: return false;
  }
  side_given = true;
  return true;
}

// Adds a modifier; false if it is not allowed here.
bool add_modifier(char modifier, uint32_t& flags, bool side_given) {
  const bool merge = (flags & kRuleMerge) != 0;
  switch (modifier) {
    case '-':
    case '+':
      if (!merge || (flags & kRuleNoPrefixes) != 0) return false;
      flags |= kRuleNoPrefixes | (modifier == '+' ? kRuleInclude : 0u);
      return true;
    case '/': flags |= kRuleFullPath; return true;
    case '!':
      if (merge) return false;
      flags |= kRuleNegated;
      return true;
    case 'C':
      if ((flags & kRuleNoPrefixes) != 0 || side_given) return false;
      flags |= kRuleNoPrefixes | kRuleWordSplit | kRuleNoInherit | kRuleCvs;
      return true;
    case 'e':
      if (!merge) return false;
      flags |= kRuleExcludeSelf;
      return true;
    case 'n':
      if (!merge) return false;
      flags |= kRuleNoInherit;
      return true;
    case 'w':
      if (!merge) return false;
      flags |= kRuleWordSplit;
      return true;
    case 'p': flags |= kRulePerishable; return true;
    case 'r':
      if (side_given) return false;
      flags |= kRuleReceiverSide;
      return true;
    case 's':
      if (side_given) return false;
      flags |= kRuleSenderSide;
      return true;
    case 'x': flags |= kRuleXattr; return true;
    default: return false;
  }
}

}  // namespace

std::string RulePlace::where() const {
  if (file.empty()) return named_at.empty() ? "a file read earlier" : "a file named at " + named_at;
  return line < 0 ? file : fmt::format("{} line {}", file, line);
}

std::string RulePlace::shown(std::string_view text, bool from_file) const {
  if (!in_file && !from_file) return std::string(text);
  return fmt::format("<rule from {}>", where());
}

Result<std::optional<ParsedRule>> take_rule(std::string_view& text, const RuleStyle& style, const RulePlace& place) {
  const bool words = (style.defaults & kRuleWordSplit) != 0;
  const bool bare = (style.defaults & kRuleNoPrefixes) != 0;
  const auto refuse = [&](const char* what) {
    return fail(Fault::kUsage, fmt::format("{}: {}", what, place.shown(text)));
  };
  if (words) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  }
  if (text.empty()) return std::nullopt;

  ParsedRule rule;
  rule.flags = style.defaults & kRuleFromContainer;
  if (place.in_file) rule.flags |= kRuleFromFile;
  size_t at = 0;
  if (bare) {
    if (text[0] == '!' && (style.defaults & kRuleCvs) != 0) rule.flags |= kRuleClear;
  } else if (style.old_prefixes) {
    if (text.starts_with("- ")) {
      rule.flags &= ~kRuleInclude;
      at = 2;
    } else if (text.starts_with("+ ")) {
      rule.flags |= kRuleInclude;
      at = 2;
    } else if (text[0] == '!') {
      rule.flags |= kRuleClear;
    }
  } else {
    const char kind = take_kind(text, at);
    bool side_given = false;
    if (!kind_flags(kind, rule.flags, side_given)) return refuse("Unknown filter rule");
    if (kind != '!') {
      for (++at; at < text.size() && text[at] != ' ' && text[at] != '_'; ++at) {
        if (words && is_blank(text[at])) break;
        if (!add_modifier(text[at], rule.flags, side_given)) {
          const std::string detail = place.in_file ? "" : fmt::format(" '{}' at position {}", text[at], at);
          return fail(Fault::kUsage, fmt::format("invalid modifier{} in filter rule: {}", detail, place.shown(text)));
        }
      }
      // A blank that ends a word stays: the argument is empty then.
      if (at < text.size() && (text[at] == ' ' || text[at] == '_' || !words)) ++at;
    } else {
      ++at;
    }
  }
  if ((style.defaults & kRuleSides) != 0) {
    // A one-sided file could not keep what a rule for the other side says.
    if ((rule.flags & kRuleSides) != 0) return refuse("specified-side merge file contains specified-side filter");
    rule.flags |= style.defaults & kRuleSides;
  }

  size_t end = text.size();
  if (words) {
    end = at;
    while (end < text.size() && !is_blank(text[end])) ++end;
  }
  const size_t length = end - at;
  if ((rule.flags & kRuleClear) != 0) {
    if (!bare && !style.old_prefixes && length > 0) return refuse("'!' rule has trailing characters");
    // In files without prefixes "!" alone clears, while "!x" is a pattern.
    if (length > 1) rule.flags &= ~kRuleClear;
  } else if (length == 0 && (rule.flags & kRuleCvs) == 0) {
    return refuse("unexpected end of filter rule");
  }
  if (style.delete_excluded && (rule.flags & (kRuleSides | kRuleMerge)) == 0) rule.flags |= kRuleSenderSide;

  rule.argument = text.substr(at, length);
  text.remove_prefix(end);
  return rule;
}

Result<std::string> wire_text(const Rule& rule, bool client_sends, bool delete_excluded,
                              const proto::Agreement& agreed) {
  const auto too_modern = [] { return fail(Fault::kProtocol, "filter rules are too modern for remote rsync."); };
  const bool modern = agreed.full_filter_prefixes;
  const std::string& pattern = rule.pattern.text();
  std::string prefix;
  size_t most = modern ? kMaxPrefix : 1;
  if (rule.is(kRulePerDirectory)) {
    if (!modern) return too_modern();
    prefix = ":";
  } else if (rule.is(kRuleInclude)) {
    prefix = "+";
  } else if (modern || pattern.starts_with("- ") || pattern.starts_with("+ ") || pattern == "!") {
    // Old versions take a lone "!" for the order to forget all rules; rsync itself sends it bare.
    prefix = "-";
  } else {
    most = 0;
  }
  if (rule.is(kRuleFullPath)) prefix += '/';
  if (rule.is(kRuleNegated)) prefix += '!';
  if (rule.is(kRuleCvs)) {
    prefix += 'C';
  } else {
    if (rule.is(kRuleNoInherit)) prefix += 'n';
    if (rule.is(kRuleWordSplit)) prefix += 'w';
    if (rule.is(kRuleNoPrefixes)) prefix += rule.is(kRuleInclude) ? '+' : '-';
  }
  if (rule.is(kRuleExcludeSelf)) prefix += 'e';
  if (rule.is(kRuleXattr)) prefix += 'x';
  if (rule.is(kRuleSenderSide) && modern) prefix += 's';
  if (rule.is(kRuleReceiverSide) && (modern || (delete_excluded && client_sends))) prefix += 'r';
  if (rule.is(kRulePerishable)) {
    const bool automatic = rule.is(kRuleVersioned) && client_sends;
    if (agreed.perishable_rules) {
      prefix += 'p';
    } else if (client_sends && !automatic) {
      return too_modern();
    }
  }
  if (prefix.size() > most) return too_modern();
  if (most > 0) prefix += ' ';
  return prefix + pattern + (rule.is(kRuleDirsOnly) ? "/" : "");
}

}  // namespace ocsync::sync
