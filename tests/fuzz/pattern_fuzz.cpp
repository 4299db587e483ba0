// Patterns against paths: any bytes must give an answer, and the quick forms the same one as the general matcher.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libsync/filter/pattern.h"

using namespace ocsync::sync;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 2048) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find('\n');
  if (cut == std::string_view::npos) return 0;
  const std::string_view pattern = input.substr(0, cut), path = input.substr(cut + 1);
  (void)wild_match_fold_case(pattern, path);
  if (pattern.empty()) return 0;
  const Pattern compiled{std::string(pattern)};
  const MatchName name = MatchName::of(path, size % 2 == 0);
  const bool found = compiled.matches(name);
  (void)Pattern(std::string(pattern), true, size % 7).matches(name);
  if (pattern.find('/') == std::string_view::npos && pattern.find("**") == std::string_view::npos) {
    const bool plain = is_wild(pattern) ? wild_match(pattern, name.leaf) : pattern == name.leaf;
    if (plain != found) std::abort();
  }
  return 0;
}
