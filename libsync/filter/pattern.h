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
  std::string_view full;  // the path from the file system's (or module's) root, without leading slash
  bool is_dir = false;
  bool from_root = false;  // the name came with a leading slash: it is its own full path

  static MatchName of(std::string_view path, bool is_dir);
};

// One pattern of a rule, prepared so that a verdict on a name costs as little as its form allows.
class Pattern {
 public:
  // `text` without the final slash that means "directories only". `full_path`: matches against MatchName::full, whose
  // first `skip` bytes are taken for granted (the directory of the merge file that the rule stands in).
  explicit Pattern(std::string text, bool full_path = false, size_t skip = 0);

  bool matches(const MatchName& name) const;
  const std::string& text() const { return text_; }
  // Does matches() look at MatchName::full?
  bool needs_full_path() const { return full_path_; }

 private:
  enum class How : uint8_t {
    kLeaf,            // the last component is exactly this
    kLeafEnd,         // the last component ends like this
    kLeafBegin,       // the last component begins like this
    kLeafWild,        // the last component matches
    kPath,            // the whole path is exactly this
    kPathEnd,         // the last components are exactly these
    kWhole,           // the whole path matches
    kLastComponents,  // as many of the last components as the pattern has match
    kAnySlash,        // the whole path or what follows one of its slashes matches
    kAnywhere,        // begins with "**": the whole path matches, also as if it began with a slash
  };
  std::string_view compared() const { return std::string_view(text_).substr(from_, bytes_); }

  std::string text_;
  uint32_t from_ = 0, bytes_ = 0;  // the part that is compared
  uint32_t slashes_ = 0;
  size_t skip_ = 0;
  How how_ = How::kLeaf;
  bool full_path_ = false;
  bool with_slash_ = false;  // ends with "***": a directory is matched with its slash, so that "dir/***" finds "dir"
};

}  // namespace ocsync::sync
