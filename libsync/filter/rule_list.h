// Lists of rules as they are searched, and the reading of rule texts and files into them.
//
// A list is built by one thread and never changes afterwards; scopes share it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libsync/filter/rule.h"
#include "libsync/filter/rules.h"

namespace ocsync::sync {

// Merge files inside merge files.
inline constexpr int kMaxMergeDepth = 32;
// Files of the far side's tree can name further per-directory files; nobody needs more kinds of them than this.
inline constexpr size_t kMaxMergeKinds = 1000;
// One file of rules.
inline constexpr size_t kMaxRuleFile = size_t{64} << 20;

// Rules that one source gave, in order; then those that were in force above.
struct RuleBlock {
  std::vector<Rule> rules;
  std::shared_ptr<const RuleBlock> inherited;
};

// One kind of per-directory file and the rules it gives where we are.
struct MergeKind {
  std::string name;         // as written; without its path once the directories above were read
  uint32_t flags = 0;       // of the rule that introduced it
  bool active = true;       // false: that rule was cleared
  bool looks_above = true;  // the name may have a path that tells where to start
  std::shared_ptr<const RuleBlock> head;
};

// All of an open rule file; an empty one for what is no file that ends.
Result<std::string> read_rule_file(const io::File& file);

// What is known before the first rule is read.
struct RuleFacts {
  RuleWorld world;
  bool client = true;  // rules know the side they are for; those that travelled were sorted out by their sender
  bool server = false;
  bool delete_excluded = false;
  bool from0 = false;
  bool cvs_perishable = true;  // the version knows perishable rules
};

// What reading rules adds to, besides the block they go to. Copied into each scope, since files of a directory may add
// kinds of files.
struct RuleSet {
  std::vector<MergeKind> merges;
  std::shared_ptr<const RuleBlock> cvs;  // what each "-C" stands for; null until the first one
  bool saw_per_directory = false;
  bool saw_xattr = false;
  bool needs_full_path = false;
};

struct FilterRules::List {
  RuleFacts facts;
  RuleSet set;
  RuleBlock rules;
  RuleBlock guard;  // what a module hides
};

// What is looked up in lists of rules.
struct Lookup {
  MatchName name;
  uint8_t side = 0;  // bit as in Rule::off
  bool xattr = false;
  bool ignore_perishable = false;
  // name.full is not known: it lies elsewhere. A rule about it then excludes nothing, and if it might do anything else,
  // those behind it decide nothing.
  bool elsewhere = false;
};
inline uint8_t side_bit(Side side) { return side == Side::kSender ? 1 : 2; }
// What decided, for --debug=filter.
struct DecidedBy {
  const Rule* rule = nullptr;
  const MergeKind* merge = nullptr;  // the innermost kind of per-directory file it stands in
  bool cvs = false;
};
Verdict look_up(const RuleBlock& block, const RuleSet& set, const Lookup& what, DecidedBy* by = nullptr);

// Reads rules into a block. Borrows everything; lives for one reading.
class RuleLoader {
 public:
  enum Manner : unsigned {
    kOldPrefixes = 1,
    kFatal = 2,        // a file that cannot be read ends the run
    kInDirectory = 4,  // a per-directory file: anchored at its directory, rules for the other side are dropped
    kModule = 8,       // parameters of a module: patterns with slashes are anchored at its root
  };
  // Where we are, as paths inside the module if there is one, else in the file system. Empty while options are read.
  struct Where {
    std::string root;    // of the transfer, without a final slash ("" is "/")
    std::string dir;     // the present directory, with a final slash
    bool above = false;  // directories above the transfer are being read
    Side side = Side::kReceiver;
  };

  RuleLoader(const RuleFacts& facts, RuleSet& set) : facts_(facts), set_(set), nulls_(facts.from0) {}
  // How rules in files end from here on, where that is not as the facts say: options count in their order.
  void end_rules_with_nul(bool nulls) { nulls_ = nulls; }

  Status add_text(RuleBlock& to, std::string_view text, uint32_t defaults, unsigned manner);
  // A file by its absolute name, or by the one the user typed.
  Status add_file(RuleBlock& to, const std::string& name, uint32_t defaults, unsigned manner);
  // What such a file contains; `name` is for messages.
  Status add_content(RuleBlock& to, std::string_view content, const std::string& name, uint32_t defaults,
                     unsigned manner);
  // The absolute name of a file from a rule that stands in where.dir; a name without a path is returned as it is.
  // Nothing (and a complaint) if it is too long.
  std::optional<std::string> resolved(const std::string& name, bool from_file) const;

  Where where;

 private:
  Status add_rule(RuleBlock& to, uint32_t flags, std::string_view argument, unsigned manner);
  Status add_merge_kind(RuleBlock& to, uint32_t flags, std::string name);
  Status load_cvs(uint32_t flags);
  void clear(RuleBlock& block);
  std::string path_of(const std::string& name) const;
  Result<std::string> read(const std::string& name) const;
  void complain(const std::string& line) const;

  const RuleFacts& facts_;
  RuleSet& set_;
  bool nulls_;
  RulePlace place_;
  int depth_ = 0;
};

}  // namespace ocsync::sync
