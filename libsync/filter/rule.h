// One filter rule: its text taken apart, and its text for the far side. The grammar is section 9.2 of the protocol
// notes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libio/base/result.h"
#include "libproto/agreement.h"
#include "libsync/filter/pattern.h"

namespace ocsync::sync {

enum RuleFlag : uint32_t {
  kRuleInclude = 1u << 0,
  kRuleDirsOnly = 1u << 1,
  kRuleNegated = 1u << 2,
  kRuleFullPath = 1u << 3,  // modifier '/'
  kRuleXattr = 1u << 4,
  kRulePerishable = 1u << 5,
  kRuleSenderSide = 1u << 6,
  kRuleReceiverSide = 1u << 7,
  kRuleMerge = 1u << 8,         // names a file of rules
  kRulePerDirectory = 1u << 9,  // that is looked for in every directory
  kRuleNoPrefixes = 1u << 10,
  kRuleWordSplit = 1u << 11,
  kRuleNoInherit = 1u << 12,
  kRuleExcludeSelf = 1u << 13,
  kRuleCvs = 1u << 14,
  kRuleClear = 1u << 15,
  kRuleFromFile = 1u << 16,   // its text stood in a file and must not be shown
  kRuleAutomatic = 1u << 17,  // nobody wrote it: -C
  kRuleVersioned = 1u << 18,  // perishable only if the agreed version knows that
};
inline constexpr uint32_t kRuleSides = kRuleSenderSide | kRuleReceiverSide;
// What the rules inside a merge file take over from the rule that names the file (besides its sides).
inline constexpr uint32_t kRuleFromContainer =
    kRuleFullPath | kRuleInclude | kRuleDirsOnly | kRuleNegated | kRulePerishable;

// Where text stands that is being parsed, for messages. The far side may choose which file is merged, so what a file
// says never appears in a message: only where it stands does.
struct RulePlace {
  bool in_file = false;
  std::string file;      // empty: its name stood in a file itself
  std::string named_at;  // then, where that was
  int line = -1;         // -1: words, not lines

  std::string where() const;
  // The text, or where it stands if it must not be shown.
  std::string shown(std::string_view text, bool from_file = false) const;
};

// How text is read.
struct RuleStyle {
  uint32_t defaults = 0;      // flags of the rule that named the file
  bool old_prefixes = false;  // only "+ ", "- " and "!" are special
  bool delete_excluded = false;
};

struct ParsedRule {
  uint32_t flags = 0;
  std::string_view argument;
};
// Takes the next rule off `text`; nothing if there is none left. kUsage with rsync's words.
Result<std::optional<ParsedRule>> take_rule(std::string_view& text, const RuleStyle& style, const RulePlace& place);

// A rule in a list.
struct Rule {
  Pattern pattern;  // of merge rules: the file's name
  uint32_t flags = 0;
  uint32_t merge = 0;  // per-directory merges: which
  uint8_t off = 0;     // sides that do not use it: bit 0 the sender, bit 1 the receiving side

  bool is(uint32_t flag) const { return (flags & flag) != 0; }
};

// The rule as it travels. Fails with kProtocol if the version cannot express it.
Result<std::string> wire_text(const Rule& rule, bool client_sends, bool delete_excluded,
                              const proto::Agreement& agreed);

}  // namespace ocsync::sync
