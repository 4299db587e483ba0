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

// kNever: this platform cannot; the option is refused in rsync's words.
enum class Support : uint8_t { kYes, kNever };

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

// What a client whose ssh key is restricted (ocsync-restrict) may say of a row. Nothing said: it is no option that a
// client writes to a server.
enum : uint16_t {
  kLetter = 1 << 0,       // the letter passes, among others; with digits if the row takes a value
  kNoLetter = 1 << 1,     // the letter is refused by name
  kNotBelow = 1 << 2,     // refused by name wherever the restricted directory is not "/"
  kPath = 1 << 3,         // its value is a path: checked always
  kArrivalPath = 1 << 4,  // its value is a path: checked where files arrive, of no meaning where they leave
  kDeletes = 1 << 5,      // refused by -no-del
  kReplaces = 1 << 6,     // refused by -no-overwrite
  kWritesLog = 1 << 7,    // refused by -ro
};
struct Limited {
  const char* names = "";   // the long spellings that pass, separated by spaces
  const char* banned = "";  // those that are refused by name
  uint16_t limits = 0;
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
  Limited limited;
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
