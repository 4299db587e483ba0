// The words of "refuse options", applied to every spelling of the table.
#include "libsync/options/refuse.h"

#include <fnmatch.h>

#include <fmt/format.h>

#include "libsync/options/table.h"

namespace ocsync::sync {
namespace {

// The state of one spelling while rules are applied.
struct Mark {
  bool refused = false;
  bool exact = false;  // wildcards do not reach it
};

bool matches(const std::string& pattern, const Spelling& spelling) {
  if (spelling.name && fnmatch(pattern.c_str(), spelling.name, 0) == 0) return true;
  const char letter[2] = {spelling.letter, '\0'};
  return spelling.letter && fnmatch(pattern.c_str(), letter, 0) == 0;
}

// Other rows with the very same effect: a rule about one of them is about the capability, not the word.
bool same_effect(const Spelling& a, const Spelling& b) {
  if (a.negative != b.negative) return false;
  if (a.row == b.row) return true;
  const Effect& x = a.row->set;
  const Effect& y = b.row->set;
  return x.kind == y.kind && x.kind == Effect::Kind::kText && x.text == y.text;
}

// Returns false if the word matches nothing.
bool apply_word(std::string_view word, bool allow, std::vector<Mark>& marks) {
  const std::string pattern = word == "a" || word == "archive" ? "[ardlptgoD]" : std::string(word);
  const bool wild = pattern.find_first_of("*?[") != std::string::npos;
  bool found = false;
  for (size_t i = 0; i < marks.size(); ++i) {
    const Spelling& spelling = spellings()[i];
    if (!matches(pattern, spelling)) continue;
    found = true;
    if (!marks[i].exact || !wild) marks[i].refused = !allow;
    if (wild) continue;
    for (size_t j = 0; j < marks.size(); ++j)
      if (same_effect(spelling, spellings()[j])) marks[j].refused = !allow;
    break;
  }
  return found;
}

}  // namespace

Refusals Refusals::for_daemon(std::string_view rules, bool has_charset) {
  std::vector<Mark> marks(spellings().size());
  for (size_t i = 0; i < marks.size(); ++i) marks[i].exact = spellings()[i].row->exact_refusal;
  // Reading or writing devices is for those whose administrator says so.
  apply_word("copy-devices", false, marks);
  apply_word("write-devices", false, marks);

  Refusals result;
  while (!rules.empty()) {
    const size_t space = rules.find(' ');
    std::string_view word = rules.substr(0, space);
    rules = space == std::string_view::npos ? std::string_view() : rules.substr(space + 1);
    if (word.empty()) continue;
    const bool allow = word.size() > 1 && word[0] == '!';
    if (allow) word.remove_prefix(1);
    if (!apply_word(word, allow, marks)) result.unmatched_.emplace_back(word);
  }
  // Whatever the configuration says: no conversion without a charset, no log files by clients, and no client may turn
  // off the confinement of symlinks.
  if (!has_charset) apply_word("iconv", false, marks);
  apply_word("log-file*", false, marks);
  apply_word("insecure-links", false, marks);

  result.refused_.reserve(marks.size());
  for (const Mark& mark : marks) result.refused_.push_back(mark.refused);
  return result;
}

bool Refusals::refuses_long(std::string_view long_name) const {
  for (size_t i = 0; i < refused_.size(); ++i) {
    const Spelling& spelling = spellings()[i];
    if (spelling.name && spelling.name == long_name) return refused_[i];
  }
  return false;
}

std::string refusal_text(const char* name, char letter, const Draft& draft) {
  const char* who = draft.daemon_child ? "The server is configured to refuse"
                    : draft.server     ? "The server does not support"
                                       : "This rsync does not support";
  if (!name) return fmt::format("{} -{}", who, letter);
  std::string text = fmt::format("{} --{}", who, name);
  for (const Spelling& spelling : spellings())
    if (!letter && spelling.name && std::string_view(name) == spelling.name) letter = spelling.letter;
  if (letter) text += fmt::format(" (-{})", letter);
  return text;
}

}  // namespace ocsync::sync
