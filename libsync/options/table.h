// The rows: one per option, read by the parser, help, the manual check and the daemon's refusals.
//
// Constant data. A spelling is one way to write a row: its name, an alias, or a negative form ("no-perms").
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libsync/options/draft.h"

namespace ocsync::sync {

enum class Takes : uint8_t { kNothing, kText, kNumber };

// Flip kNotYet to kYes (delete the mark) when the engine does what the option says. kNever: this platform cannot.
enum class Support : uint8_t { kYes, kNotYet, kNever };

// What seeing a spelling does to the draft.
struct Effect {
  enum class Kind : uint8_t { kNone, kFlag, kTri, kNumber, kCount, kText, kCall, kHelp, kServer, kSender, kDaemon };
  Kind kind = Kind::kNone;
  bool Draft::* flag = nullptr;
  std::optional<bool> Draft::* tri = nullptr;
  int Draft::* number = nullptr;
  std::string Draft::* text = nullptr;
  bool Draft::* given = nullptr;  // remembers that the row was seen
  int value = 0;                  // for kFlag, kTri (0 or 1) and kNumber (unless the option takes a number)
  Status (*call)(Draft&, std::string_view value) = nullptr;
};

struct Row {
  const char* name = nullptr;  // without "--"; null: a letter only
  char letter = 0;
  Takes takes = Takes::kNothing;
  Effect set;
  const char* aliases = "";  // other names with the same effect, separated by spaces
  const char* no = "";       // names that undo it
  Effect unset;              // for `no`; kNone: the opposite of `set`
  Support support = Support::kYes;
  bool exact_refusal = false;  // a wildcard in "refuse options" does not reach it
  const char* value_name = nullptr;
  const char* help = nullptr;  // null: not shown by --help
};

std::span<const Row> rows();

struct Spelling {
  const char* name;  // null: a letter only
  char letter;       // 0: none
  const Row* row;
  bool negative;
};
// Every spelling in the order of the table. Index + 1 is what popt reports.
const std::vector<Spelling>& spellings();

// Applies one spelling to the draft. kHelp, kServer, kSender and kDaemon are the parser's business and do nothing here.
Status apply(const Spelling& spelling, Draft& draft, std::string_view text, int number);

// Sizes as options take them: digits, fraction, one of bKMGTP, then "B" for powers of 1000 or "iB"; "+1" or "-1".
struct SizeRule {
  char default_unit = 'b';
  int64_t min = 0;
  int64_t max = -1;  // negative: no bound of its own
  bool zero_unlimited = false;
};
Result<int64_t> parse_size(std::string_view text, std::string_view option, const SizeRule& rule);

// The time that --stop-at names: [[y]y-]m-d]T]h:m with parts left out. Negative: it makes no sense.
int64_t parse_time_of_day(std::string_view text, int64_t now_wall_s);

}  // namespace ocsync::sync
