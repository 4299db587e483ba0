// One loop for wildcards, and quick forms for the patterns that people mostly write.
#include "libsync/filter/pattern.h"

#include <algorithm>

namespace ocsync::sync {
namespace {

constexpr bool is_upper(unsigned char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_lower(unsigned char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
constexpr unsigned char lower(unsigned char c) { return is_upper(c) ? static_cast<unsigned char>(c - 'A' + 'a') : c; }

enum class One : uint8_t { kNo, kYes, kNever };  // kNever: the pattern is malformed, no text matches it

// Is the byte in the named class? kNever for a name that does not exist.
One in_named_class(std::string_view name, unsigned char c) {
  const auto alpha = is_upper(c) || is_lower(c);
  const bool graph = c > 0x20 && c < 0x7f;
  bool in = false;
  if (name == "alnum") {
    in = alpha || is_digit(c);
  } else if (name == "alpha") {
    in = alpha;
  } else if (name == "blank") {
    in = c == ' ' || c == '\t';
  } else if (name == "cntrl") {
    in = c < 0x20 || c == 0x7f;
  } else if (name == "digit") {
    in = is_digit(c);
  } else if (name == "graph") {
    in = graph;
  } else if (name == "lower") {
    in = is_lower(c);
  } else if (name == "print") {
    in = graph || c == ' ';
  } else if (name == "punct") {
    in = graph && !alpha && !is_digit(c);
  } else if (name == "space") {
    in = c == ' ' || (c >= '\t' && c <= '\r');
  } else if (name == "upper") {
    in = is_upper(c);
  } else if (name == "xdigit") {
    in = is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
  } else {
    return One::kNever;
  }
  return in ? One::kYes : One::kNo;
}

template <bool kFold>
struct Matcher {
  std::string_view pattern;
  std::string_view text;
  bool trailing_slash;  // the text goes on with one more '/'

  size_t text_bytes() const { return text.size() + (trailing_slash ? 1 : 0); }
  unsigned char text_at(size_t i) const {
    const auto c = i < text.size() ? static_cast<unsigned char>(text[i]) : '/';
    return kFold ? lower(c) : c;
  }
  unsigned char pattern_at(size_t i) const { return i < pattern.size() ? static_cast<unsigned char>(pattern[i]) : 0; }
  unsigned char literal_at(size_t i) const { return kFold ? lower(pattern_at(i)) : pattern_at(i); }

  // Matches the class that opens at `at` and moves `at` behind it.
  One in_class(size_t& at, unsigned char c) const {
    size_t i = at + 1;
    const bool negated = pattern_at(i) == '!' || pattern_at(i) == '^';
    if (negated) ++i;
    bool found = false;
    unsigned char before = 0;  // what a '-' would start a range from; 0: nothing
    // The first byte belongs to the class even if it is ']'.
    for (bool first = true; first || pattern_at(i) != ']'; first = false) {
      const unsigned char p = pattern_at(i);
      if (p == 0) return One::kNever;
      if (p == '\\') {
        if (pattern_at(++i) == 0) return One::kNever;
        before = literal_at(i);
        found |= c == before;
      } else if (p == '-' && before != 0 && pattern_at(i + 1) != 0 && pattern_at(i + 1) != ']') {
        if (pattern_at(++i) == '\\' && pattern_at(++i) == 0) return One::kNever;
        found |= c >= before && c <= literal_at(i);
        before = 0;
      } else if (p == '[' && pattern_at(i + 1) == ':') {
        const size_t name = i + 2;
        const size_t close = pattern.find(']', name);
        if (close == std::string_view::npos) return One::kNever;
        if (close > name && pattern[close - 1] == ':') {
          const One in = in_named_class(pattern.substr(name, close - 1 - name), c);
          if (in == One::kNever) return in;
          found |= in == One::kYes;
          before = 0;
          i = close;
        } else {
          found |= c == p;
          before = p;
        }
      } else {
        before = literal_at(i);
        found |= c == before;
      }
      ++i;
    }
    at = i + 1;
    return found != negated && c != '/' ? One::kYes : One::kNo;
  }

  // Matches one byte against what stands at `at`, which is no star, and moves `at` behind it.
  One one(size_t& at, unsigned char c) const {
    switch (pattern[at]) {
      case '?': ++at; return c != '/' ? One::kYes : One::kNo;
      case '[': return in_class(at, c);
      case '\\':
        if (++at == pattern.size()) return One::kNever;
        [[fallthrough]];
      default: return c == literal_at(at++) ? One::kYes : One::kNo;
    }
  }

  // After a mismatch only the latest star need be tried again: what an earlier one could reach by taking more, the
  // later one reaches as well. A '*' gives up at a slash, then the latest '**' goes on.
  bool run() const {
    constexpr size_t kNone = SIZE_MAX;
    size_t p = 0, t = 0;
    size_t after_star = kNone, star_text = 0, after_double = kNone, double_text = 0;
    while (true) {
      if (p < pattern.size() && pattern[p] == '*') {
        const size_t first = p;
        while (p < pattern.size() && pattern[p] == '*') ++p;
        if (p - first > 1) {
          if (p == pattern.size()) return true;
          after_double = p;
          double_text = t;
          after_star = kNone;
        } else {
          after_star = p;
          star_text = t;
        }
        continue;
      }
      if (t == text_bytes()) return p == pattern.size();
      if (p < pattern.size()) {
        const One found = one(p, text_at(t));
        if (found == One::kNever) return false;
        if (found == One::kYes) {
          ++t;
          continue;
        }
      }
      if (after_star != kNone && text_at(star_text) != '/') {
        p = after_star;
        t = ++star_text;
      } else if (after_double != kNone) {
        p = after_double;
        t = ++double_text;
        after_star = kNone;
      } else {
        return false;
      }
    }
  }
};

bool match(std::string_view pattern, std::string_view text, bool trailing_slash = false) {
  return Matcher<false>{pattern, text, trailing_slash}.run();
}

// The last `components` components; nothing if there are fewer.
bool last_components(std::string_view& path, uint32_t components) {
  size_t at = path.size();
  while (at > 0) {
    const size_t slash = path.rfind('/', at - 1);
    if (slash == std::string_view::npos) break;
    if (--components == 0) {
      path.remove_prefix(slash + 1);
      return true;
    }
    at = slash;
  }
  return components == 1;
}

}  // namespace

bool wild_match(std::string_view pattern, std::string_view text) { return match(pattern, text); }

bool wild_match_fold_case(std::string_view pattern, std::string_view text) {
  return Matcher<true>{pattern, text, false}.run();
}

bool is_wild(std::string_view pattern) { return pattern.find_first_of("*?[") != std::string_view::npos; }

MatchName MatchName::of(std::string_view path, bool is_dir) {
  MatchName name;
  if (path.starts_with('/')) {
    name.from_root = true;
    path.remove_prefix(1);
  }
  name.path = path;
  const size_t slash = path.rfind('/');
  name.leaf = slash == std::string_view::npos ? path : path.substr(slash + 1);
  name.full = path;
  name.is_dir = is_dir;
  return name;
}

Pattern::Pattern(std::string text, bool full_path, size_t skip)
    : text_(std::move(text)), skip_(skip), full_path_(full_path) {
  slashes_ = static_cast<uint32_t>(std::count(text_.begin(), text_.end(), '/'));
  const bool wild = is_wild(text_);
  const bool doubled = text_.find("**") != std::string::npos;
  const bool anchored = text_.starts_with('/');
  with_slash_ = doubled && text_.ends_with("***");
  from_ = anchored ? 1 : 0;
  bytes_ = static_cast<uint32_t>(text_.size()) - from_;

  if (slashes_ == 0 && !doubled) {
    full_path_ = false;
    const std::string_view plain("*?[\\");
    const size_t special = text_.find_first_of(plain);
    if (!wild) {
      how_ = How::kLeaf;
    } else if (special == 0 && text_[0] == '*' && text_.find_first_of(plain, 1) == std::string::npos) {
      how_ = How::kLeafEnd;
      from_ = 1;
      --bytes_;
    } else if (special == text_.size() - 1 && text_.back() == '*') {
      how_ = How::kLeafBegin;
      --bytes_;
    } else {
      how_ = How::kLeafWild;
    }
  } else if (!wild) {
    how_ = anchored ? How::kPath : How::kPathEnd;
  } else if (anchored) {
    how_ = How::kWhole;
  } else if (text_.starts_with("**")) {
    how_ = How::kAnywhere;
  } else {
    how_ = doubled ? How::kAnySlash : How::kLastComponents;
  }
}

bool Pattern::matches(const MatchName& name) const {
  const std::string_view what = compared();
  switch (how_) {
    case How::kLeaf: return name.leaf == what;
    case How::kLeafEnd: return name.leaf.ends_with(what);
    case How::kLeafBegin: return name.leaf.starts_with(what);
    case How::kLeafWild: return match(what, name.leaf);
    default: break;
  }
  std::string_view path = full_path_ ? name.full : name.path;
  if (full_path_) {
    if (path.size() < skip_) return false;
    path.remove_prefix(skip_);
  }
  const bool slash = with_slash_ && name.is_dir;
  switch (how_) {
    case How::kPath: return path == what;
    case How::kPathEnd:
      return path.ends_with(what) && (path.size() == what.size() || path[path.size() - what.size() - 1] == '/');
    case How::kWhole: return match(what, path, slash);
    case How::kLastComponents: return last_components(path, slashes_ + 1) && match(what, path);
    case How::kAnySlash:
      while (true) {
        if (match(what, path, slash)) return true;
        const size_t next = path.find('/');
        if (next == std::string_view::npos) return false;
        path.remove_prefix(next + 1);
      }
    case How::kAnywhere: {
      if (match(what, path, slash)) return true;
      // "**/name" shall find "name" at the very top, which has no slash in front.
      if (name.from_root || (full_path_ && name.full.size() != name.path.size())) return false;
      std::string_view rest = what.substr(
          what.find_first_not_of('*') == std::string_view::npos ? what.size() : what.find_first_not_of('*'));
      if (rest.starts_with("\\/")) rest.remove_prefix(1);
      return rest.starts_with('/') && match(rest.substr(1), path, slash);
    }
    default: return false;
  }
}

}  // namespace ocsync::sync
