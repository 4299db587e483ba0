// What a daemon module refuses: "refuse options" of its configuration, and what no client may ask a daemon for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ocsync::sync {

// One flag per spelling of the table. Built once per connection, then read-only.
class Refusals {
 public:
  // `rules`: words separated by spaces; wildcards, "a" or "archive", and '!' for what is allowed again. `has_charset`:
  // the module has one, so --iconv is allowed. Words that match nothing are returned by unmatched().
  static Refusals for_daemon(std::string_view rules, bool has_charset);

  bool refuses(size_t spelling) const { return spelling < refused_.size() && refused_[spelling]; }
  bool refuses_long(std::string_view long_name) const;
  const std::vector<std::string>& unmatched() const { return unmatched_; }

 private:
  std::vector<bool> refused_;
  std::vector<std::string> unmatched_;
};

struct Draft;

// "The server is configured to refuse --delete" (a daemon), "The server does not support ..." or "This rsync does not
// support ...", with the letter in brackets if there is one. `name` null: a letter only.
std::string refusal_text(const char* name, char letter, const Draft& draft);

}  // namespace ocsync::sync
