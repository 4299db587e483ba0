// Wildcard matching of names, bytewise: the language of filter patterns, id maps and host lists.
//
// '*' is any run without '/', '**' any run, '?' one byte but '/', '[...]' one byte of a class but never '/', and '\'
// quotes. Matching time is bounded by the product of both lengths for patterns without '**', by that times the length
// of the text with it; nothing is allocated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ocsync::sync {

// Does the whole text match? A malformed class never matches.
bool wild_match(std::string_view pattern, std::string_view text);
// The same with ASCII letters of both sides taken as lower-case (host lists).
bool wild_match_fold_case(std::string_view pattern, std::string_view text);
// Does the pattern contain what makes it one ('*', '?' or '[')?
bool is_wild(std::string_view pattern);

// A name to be matched, measured once for all rules. Borrows the text.
struct MatchName {
  std::string_view path;  // relative to the transfer root, without a leading slash
  std::string_view leaf;  // the part behind the last slash
  std::string_view full;  // the path from the file system's (or module's) root, without leading slash; for such rules
  bool is_dir = false;
  bool from_root = false;  // the name came with a leading slash: it is its own full path

  static MatchName of(std::string_view path, bool is_dir);
};

// One pattern of a rule, prepared so that a verdict on a name costs as little as its form allows.
class Pattern {
 public:
  // `text` without the final slash that means "directories only". `full_path`: matches against MatchName::full;
  // `skip` first bytes of that are taken for granted (the directory of the merge file that the rule stands in).
  explicit Pattern(std::string text, bool full_path = false, size_t skip = 0);

  bool matches(const MatchName& name) const;
  const std::string& text() const { return text_; }
  bool needs_full_path() const { return full_path_ && how_ == How::kGeneral; }

 private:
  enum class How : uint8_t { kLeaf, kLeafSuffix, kLeafPrefix, kLeafWild, kPath, kPathTail, kGeneral };
  // Where in the text the pattern may start.
  enum class Start : uint8_t { kBegin, kLastComponents, kAnySlash };

  bool matches_general(const MatchName& name) const;

  std::string text_;
  std::string_view body() const { return std::string_view(text_).substr(body_from_, body_bytes_); }
  uint32_t body_from_ = 0, body_bytes_ = 0;  // what is compared in the quick forms
  size_t skip_ = 0;
  uint32_t components_ = 0;  // for kLastComponents
  How how_ = How::kGeneral;
  Start start_ = Start::kBegin;
  bool full_path_ = false;
  bool wild_ = false;
  bool leading_double_ = false;   // begins with "**"
  bool trailing_triple_ = false;  // ends with "***"
};

}  // namespace ocsync::sync
