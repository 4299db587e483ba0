// The table of info and debug words, and how -v, --info and --debug act on levels.
#include "libsync/report/verbosity.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

namespace ocsync::sync {
namespace {

// Where a category says something; a far side is told only about those that matter to it.
// kOurs: rsync does not know the word, so "ALL" leaves it alone.
enum Where : uint8_t { kClient = 1, kServer = 2, kSending = 4, kReceiving = 8, kOurs = 16 };

constexpr int kMaxLevel = 4;      // of one word
constexpr int kMaxVerbosity = 5;  // more -v change nothing

struct Word {
  std::string_view name;
  uint8_t where;
  std::string_view by_verbosity;  // digit n: the level that the n-th -v sets; 0: no change there
  const char* help;
};

constexpr Word kInfoWords[] = {
    {"BACKUP", kReceiving, "001", "files that were backed up"},
    {"COPY", kReceiving, "01", "files copied locally on the receiving side"},
    {"DEL", kReceiving, "01", "deletions on the receiving side"},
    {"FLIST", kClient, "01", "exchange of the file list (levels 1-2)"},
    {"MISC", kSending | kReceiving, "012", "various remarks (levels 1-2)"},
    {"MOUNT", kSending | kReceiving, "001", "mount points found or skipped"},
    {"NAME", kSending | kReceiving, "012", "1) updated names, 2) unchanged names, too"},
    {"NONREG", kReceiving, "1", "skipped special files (on by default, 0 turns it off)"},
    {"PROGRESS", kClient, "", "1) progress of each file or 2) of the whole transfer"},
    {"REMOVE", kSending, "001", "files removed on the sending side"},
    {"SKIP", kReceiving, "001", "files that options made us skip (levels 1-2)"},
    {"STATS", kClient | kServer, "01", "statistics at the end (levels 1-3)"},
    {"SYMSAFE", kSending | kReceiving, "01", "symlinks that are not safe"},
    {"IO", kOurs, "", "what the I/O layer did: 1) lines, 2) JSON (ocsync only)"},
};
static_assert(std::size(kInfoWords) == static_cast<size_t>(Info::kCount));

constexpr uint8_t kEnds = kClient | kServer, kRoles = kSending | kReceiving;
constexpr Word kDebugWords[] = {
    {"ACL", kRoles, "0001", "ACLs"},
    {"BACKUP", kReceiving, "0001", "making of backups (levels 1-2)"},
    {"BIND", kClient, "001", "binding of sockets"},
    {"CHDIR", kEnds, "000001", "changes of the current directory"},
    {"CONNECT", kClient, "0012", "connecting (levels 1-2)"},
    {"CMD", kClient, "00102", "commands and options that are issued (levels 1-2)"},
    {"DEL", kReceiving, "00123", "deletions (levels 1-3)"},
    {"DELTASUM", kRoles, "001234", "block matching (levels 1-4)"},
    {"DUP", kReceiving, "001", "dropping of duplicate names"},
    {"EXIT", kEnds, "00012", "the way out (levels 1-3)"},
    {"FILTER", kRoles, "0012", "filters (levels 1-3)"},
    {"FLIST", kRoles, "001234", "the file list (levels 1-4)"},
    {"FUZZY", kReceiving, "000102", "scores of similar files (levels 1-2)"},
    {"GENR", kReceiving, "0001", "the generator"},
    {"HASH", kRoles, "000001", "hash tables"},
    {"HLINK", kRoles, "000001", "hard links (levels 1-3)"},
    {"ICONV", kEnds, "00102", "conversion of names (levels 1-2)"},
    {"IO", kEnds, "", "input and output (levels 1-4)"},
    {"NSTR", kEnds, "", "negotiated strings"},
    {"OWN", kReceiving, "00012", "changes of owner and group (levels 1-2)"},
    {"PROTO", kEnds, "00001", "the protocol"},
    {"RECV", kReceiving, "0001", "the receiver"},
    {"SEND", kSending, "0001", "the sender"},
    {"TIME", kReceiving, "00012", "setting of times (levels 1-2)"},
};
static_assert(std::size(kDebugWords) == static_cast<size_t>(Debug::kCount));

// One of the two families with the levels it acts on.
struct Family {
  std::span<const Word> words;
  std::span<uint8_t> levels;
  uint32_t& given;
  const char* option;
};
Family info_of(Verbosity& v) { return {kInfoWords, v.info, v.info_given, "--info"}; }
Family debug_of(Verbosity& v) { return {kDebugWords, v.debug, v.debug_given, "--debug"}; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool same_word(std::string_view a, std::string_view upper) {
  return a.size() == upper.size() && std::equal(a.begin(), a.end(), upper.begin(), [](char x, char y) {
           return (x >= 'a' && x <= 'z' ? x - 'a' + 'A' : x) == y;
         });
}

// Calls `use(name, level)` for each word of a list; a name keeps its case.
template <class Use>
Status each_word(std::string_view list, Use use) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    std::string_view word = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    if (word.empty()) continue;
    size_t end = word.size();
    if (!is_digit(word[0])) {
      while (is_digit(word[end - 1])) --end;
    }
    int level = 1;
    if (end < word.size()) {
      level = 0;
      for (const char c : word.substr(end)) level = std::min(level * 10 + (c - '0'), kMaxLevel + 1);
    }
    TRY(use(word.substr(0, end), std::min(level, kMaxLevel)));
  }
  return {};
}

Status apply_words(const Family& family, std::string_view list, bool lenient) {
  return each_word(list, [&](std::string_view name, int level) -> Status {
    const bool none = same_word(name, "NONE");
    const bool every = none || same_word(name, "ALL");
    bool found = every;
    for (size_t i = 0; i < family.words.size(); ++i) {
      if (every ? (family.words[i].where & kOurs) != 0 && !none : !same_word(name, family.words[i].name)) continue;
      family.levels[i] = static_cast<uint8_t>(none ? 0 : level);
      family.given |= uint32_t{1} << i;
      found = true;
    }
    if (found || lenient) return {};
    return fail(Fault::kUsage, fmt::format("Unknown {} item: \"{}\"", family.option, name));
  });
}

int level_at(const Word& word, int verbosity) {
  int level = 0;
  for (size_t i = 0; i < word.by_verbosity.size() && static_cast<int>(i) <= verbosity; ++i)
    level = std::max(level, word.by_verbosity[i] - '0');
  return level;
}

void apply_level(const Family& family, int verbosity) {
  for (size_t i = 0; i < family.words.size(); ++i) {
    const int level = level_at(family.words[i], verbosity);
    if (level > 0 && !(family.given >> i & 1)) family.levels[i] = static_cast<uint8_t>(level);
  }
}

void limit_level(const Family& family, int verbosity) {
  for (size_t i = 0; i < family.words.size(); ++i)
    family.levels[i] = std::min(family.levels[i], static_cast<uint8_t>(level_at(family.words[i], verbosity)));
}

std::string help_for(std::span<const Word> words, std::string_view option) {
  std::string text = "OPT or OPT1 asks for level 1 of a word, OPT2 for level 2 and so on; OPT0 turns it off.\n\n";
  for (const Word& word : words) text += fmt::format("{:<10} {}\n", word.name, word.help);
  text += fmt::format("\n{:<10} all words of {} at once (ALL{} is the most)\n", "ALL", option, kMaxLevel);
  text += fmt::format("{:<10} none of them (same as ALL0)\n", "NONE");
  text += fmt::format("{:<10} this text\n", "HELP");
  text += "\nWhat each further -v adds:\n";
  for (int verbosity = 0; verbosity <= kMaxVerbosity; ++verbosity) {
    std::string line;
    for (const Word& word : words) {
      const int level = level_at(word, verbosity);
      if (level == 0 || (verbosity > 0 && level == level_at(word, verbosity - 1))) continue;
      if (!line.empty()) line += ',';
      line += word.name;
      if (level > 1) line += std::to_string(level);
    }
    if (!line.empty()) text += fmt::format("{}) {}\n", verbosity, line);
  }
  return text;
}

}  // namespace

Status apply_info(Verbosity& verbosity, std::string_view words, bool lenient) {
  return apply_words(info_of(verbosity), words, lenient);
}

Status apply_debug(Verbosity& verbosity, std::string_view words, bool lenient) {
  return apply_words(debug_of(verbosity), words, lenient);
}

bool asks_for_help(std::string_view words) {
  bool asked = false;
  (void)each_word(words, [&](std::string_view name, int) -> Status {
    asked = asked || same_word(name, "HELP");
    return {};
  });
  return asked;
}

std::string info_help_text() { return help_for(kInfoWords, "--info"); }
std::string debug_help_text() { return help_for(kDebugWords, "--debug"); }

void apply_verbose_level(Verbosity& verbosity, int level) {
  apply_level(info_of(verbosity), level);
  apply_level(debug_of(verbosity), level);
}

void imply(Verbosity& verbosity, Info what, int level) {
  const auto i = static_cast<size_t>(what);
  if (!(verbosity.info_given >> i & 1)) verbosity.info[i] = static_cast<uint8_t>(level);
}

void limit_verbose_level(Verbosity& verbosity, int level) {
  if (level > kMaxVerbosity) return;
  limit_level(info_of(verbosity), level);
  limit_level(debug_of(verbosity), level);
}

std::string far_info_argument(const Verbosity& verbosity, bool far_is_receiver) {
  const uint8_t far = kServer | (far_is_receiver ? kReceiving : kSending);
  // Five or more words of one level, all given by name, are written as ALLn or NONE; the others follow.
  std::array<int, kMaxLevel + 1> per_level{};
  bool all_given = true;
  bool any = false;
  for (size_t i = 0; i < std::size(kInfoWords); ++i) {
    if (!(kInfoWords[i].where & far)) continue;
    if (verbosity.info_given >> i & 1) {
      any = true;
      ++per_level[verbosity.info[i]];
    } else {
      all_given = false;
    }
  }
  if (!any) return {};
  const auto most = std::max_element(per_level.begin(), per_level.end());
  const int common = all_given && *most >= 5 ? static_cast<int>(most - per_level.begin()) : -1;
  std::string words;
  if (common == 0) words = "NONE";
  if (common > 0) words = common == 1 ? "ALL" : "ALL" + std::to_string(common);
  for (size_t i = 0; i < std::size(kInfoWords); ++i) {
    const int level = verbosity.info[i];
    if (!(kInfoWords[i].where & far) || !(verbosity.info_given >> i & 1) || level == common) continue;
    if (!words.empty()) words += ',';
    words += kInfoWords[i].name;
    if (level != 1) words += static_cast<char>('0' + level);
  }
  return "--info=" + words;
}

}  // namespace ocsync::sync
