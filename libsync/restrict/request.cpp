#include "libsync/restrict/request.h"

#include <cctype>
#include <utility>

#include <fmt/format.h>

#include "libsync/options/table.h"

namespace ocsync::sync {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool lists(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

enum class Verdict : uint8_t { kUnknown, kPasses, kBanned };

class Words {
 public:
  Words(const RestrictRules& rules, bool whole_disk, const PathChecks& checks)
      : rules_(rules), whole_disk_(whole_disk), checks_(checks) {}

  Status read(std::string_view command) {
    request_.sends = command.starts_with("--sender ");  // in exactly the place where a client writes it
    if (rules_.read_only && !request_.sends) return fail(Fault::kUsage, "sending to read-only server is not allowed");
    if (rules_.write_only && request_.sends)
      return fail(Fault::kUsage, "reading from write-only server is not allowed");
    request_.options = {"--server"};
    bool after_dot = false;
    for (const std::string& word : split_words(command)) {
      if (!waiting_.empty()) {
        // Taken out first: a value is never an option.
        const std::string option = std::exchange(waiting_, {});
        std::string value = TRY(checked_value(option, *waiting_row_, word));
        request_.options.push_back(std::move(value));
      } else if (after_dot) {
        // A word that begins with "-" does no harm: the server is told where options end.
        const std::vector<std::string> paths = TRY(checks_.argument(request_, word));
        request_.arguments.insert(request_.arguments.end(), paths.begin(), paths.end());
      } else if (word == ".") {
        after_dot = true;
      } else if (word.starts_with("--") && word.size() > 2 && word[2] != '=') {
        TRY(take_long_option(word));
      } else {
        TRY(take_letters(word));
      }
    }
    if (!after_dot) return unfinished();
    if (request_.arguments.empty()) request_.arguments.emplace_back(".");
    return {};
  }
  RestrictedRequest take() { return std::move(request_); }

 private:
  static Status unfinished() {
    // Formatted, because g++ 12 warns of an imagined overrun where it knows the text.
    return fail(Fault::kUsage, fmt::format("invalid {} syntax or options", "rsync-command"));
  }
  static Status disabled(const std::string& option) {
    return fail(Fault::kUsage, fmt::format("option {} has been disabled on this server.", option));
  }

  bool denied(uint16_t limits) const {
    return ((limits & kNotBelow) && !whole_disk_) || ((limits & kDeletes) && rules_.no_delete) ||
           ((limits & kReplaces) && rules_.no_overwrite) || ((limits & kWritesLog) && rules_.read_only);
  }

  Verdict verdict_of(char letter, bool with_number) const {
    for (const Row& row : rows()) {
      if (row.letter != letter) continue;
      if (row.limited.limits & kNoLetter) return Verdict::kBanned;
      if (!(row.limited.limits & kLetter) || (row.takes != Takes::kNothing) != with_number) return Verdict::kUnknown;
      // A long name's limits are its letter's, but for what a path in its value may do.
      return denied(row.limited.limits) ? Verdict::kBanned : Verdict::kPasses;
    }
    return Verdict::kUnknown;
  }

  Status take_letters(const std::string& word) {
    if (word.size() < 2 || word[0] != '-') return unfinished();
    request_.options.push_back(word);
    if (word.size() > 2 && word.find_first_not_of("0123456789", 2) == word.npos &&
        verdict_of(word[1], true) == Verdict::kPasses)
      return {};
    for (size_t i = 1; i < word.size(); ++i) {
      if (is_capabilities(std::string_view(word).substr(i))) return {};
      switch (verdict_of(word[i], false)) {
        case Verdict::kUnknown: return unfinished();
        case Verdict::kBanned: return disabled(fmt::format("-{}", word[i]));
        case Verdict::kPasses:
          if (word[i] == 'R') request_.relative = true;
      }
    }
    return {};
  }

  // What a client can do, at the end of its letters: "e.iLsfxCIvu" or "e31.14".
  static bool is_capabilities(std::string_view text) {
    if (!text.starts_with('e')) return false;
    size_t i = 1;
    while (i < text.size() && is_digit(text[i])) ++i;
    if (i == text.size() || text[i] != '.') return false;
    for (++i; i < text.size(); ++i)
      if (!std::isalnum(static_cast<unsigned char>(text[i])) && text[i] != '_') return false;
    return true;
  }

  Status take_long_option(const std::string& word) {
    const size_t equals = word.find('=');
    const std::string option = word.substr(0, equals);
    const std::string_view name = std::string_view(option).substr(2);
    const Row* row = nullptr;
    Verdict verdict = Verdict::kUnknown;
    for (const Row& candidate : rows()) {
      row = &candidate;
      if (lists(candidate.limited.banned, name)) {
        verdict = Verdict::kBanned;
      } else if (lists(candidate.limited.names, name)) {
        // Only where the client wrote it first, and the rules looked at it.
        const bool misplaced = candidate.set.kind == Effect::Kind::kSender && !request_.sends;
        verdict = misplaced || denied(candidate.limited.limits) ? Verdict::kBanned : Verdict::kPasses;
      }
      if (verdict != Verdict::kUnknown) break;
    }
    if (verdict == Verdict::kUnknown) return unfinished();
    if (verdict == Verdict::kBanned) return disabled(option);
    if (name == "no-relative") request_.relative = false;
    if (row->takes == Takes::kNothing || name.starts_with("no-")) {
      request_.options.push_back(word);
    } else if (equals != word.npos) {
      const std::string value = TRY(checked_value(option, *row, word.substr(equals + 1)));
      request_.options.push_back(fmt::format("{}={}", option, value));
    } else {
      request_.options.push_back(option);
      waiting_ = option;
      waiting_row_ = row;
    }
    return {};
  }

  Result<std::string> checked_value(const std::string& option, const Row& row, const std::string& word) {
    std::string value = without_backslashes(word);
    if (!(row.limited.limits & (kPath | kArrivalPath))) return value;
    // "-" is the connection, not a name.
    if (option == "--files-from") {
      if (value == "-") return value;
      if (rules_.write_only) return fail(Fault::kUsage, "a write-only server cannot read a remote --files-from path");
    }
    const bool used = (row.limited.limits & kPath) || !request_.sends;
    return checks_.value(option, std::move(value), request_.sends, used);
  }

  const RestrictRules& rules_;
  bool whole_disk_;
  const PathChecks& checks_;
  RestrictedRequest request_;
  std::string waiting_;  // an option whose value is the next word
  const Row* waiting_row_ = nullptr;
};

}  // namespace

std::vector<std::string> split_words(std::string_view command) {
  std::vector<std::string> words;
  std::string word;
  for (size_t i = 0; i <= command.size(); ++i) {
    if (i == command.size() || is_space(command[i])) {
      if (!word.empty()) words.push_back(std::exchange(word, {}));
    } else if (command[i] != '\\') {
      word += command[i];
    } else if (i + 1 < command.size()) {
      word += '\\';
      word += command[++i];
    }
  }
  return words;
}

std::string without_backslashes(std::string_view word) {
  std::string plain;
  for (size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '\\' && i + 1 < word.size()) ++i;
    plain += word[i];
  }
  return plain;
}

std::string quoted_word(std::string_view word) {
  const char mark = word.find('\'') != word.npos && word.find('"') == word.npos ? '"' : '\'';
  std::string quoted(1, mark);
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == mark || c == '\\')
      quoted += {'\\', c};
    else if (c == '\n')
      quoted += "\\n";
    else if (c == '\t')
      quoted += "\\t";
    else if (c == '\r')
      quoted += "\\r";
    else if (byte < 0x20 || byte == 0x7f)
      quoted += fmt::format("\\x{:02x}", byte);
    else
      quoted += c;
  }
  return quoted + mark;
}

Result<RestrictedRequest> check_request(std::string_view command, const RestrictRules& rules, bool whole_disk,
                                        const PathChecks& checks) {
  const auto next = [&] {
    const size_t end = std::min(command.find(' '), command.size());
    const std::string_view word = command.substr(0, end);
    command.remove_prefix(std::min(end + 1, command.size()));
    return word;
  };
  const std::string_view program = next();
  if (program != "rsync" && program != "ocsync") return fail(Fault::kUsage, "SSH_ORIGINAL_COMMAND does not run rsync");
  if (next() != "--server") return fail(Fault::kUsage, "--server option is not the first arg");
  Words words(rules, whole_disk, checks);
  TRY(words.read(command));
  return words.take();
}

}  // namespace ocsync::sync
