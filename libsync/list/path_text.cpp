// Cleaning in one pass over the components.
#include "libsync/list/path_text.h"

namespace ocsync::sync {

std::string clean_path(std::string_view path) {
  const bool absolute = path.starts_with('/');
  std::string clean;
  clean.reserve(path.size() + 1);
  if (absolute) clean += '/';
  const size_t top = clean.size();
  size_t fixed = top;  // nothing before this can be taken away: the root, or leading ".."
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (clean.size() > fixed) {
        const size_t cut = clean.rfind('/');
        clean.resize(cut == std::string::npos || cut < fixed ? fixed : cut);
        continue;
      }
      if (absolute) continue;
    }
    if (clean.size() > top) clean += '/';
    clean += part;
    if (part == "..") fixed = clean.size();
  }
  return clean.empty() ? "." : clean;
}

}  // namespace ocsync::sync
