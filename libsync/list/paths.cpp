#include "libsync/list/paths.h"

#include <algorithm>

namespace ocsync::sync {

std::string join_path(std::string_view dir, std::string_view name) {
  std::string out;
  if (!dir.empty() && dir != ".") {
    out.reserve(dir.size() + 1 + name.size());
    out = dir;
    if (out.back() != '/') out += '/';
  }
  out += name;
  return out;
}

std::string clean_path(std::string_view path, bool keep_trailing, bool drop_trailing_dot) {
  std::string out;
  if (!path.empty() && path[0] == '/') out = "/";
  bool ends_open = !path.empty() && path.back() == '/';
  size_t i = 0;
  while (i < path.size()) {
    while (i < path.size() && path[i] == '/') ++i;
    const size_t end = std::min(path.find('/', i), path.size());
    const std::string_view part = path.substr(i, end - i);
    i = end;
    if (part.empty()) continue;
    if (part == ".") {
      if (end == path.size()) {
        ends_open = true;
        if (!drop_trailing_dot && !out.empty()) ends_open = false, out += out.back() == '/' ? "." : "/.";
      }
      continue;
    }
    if (!out.empty() && out.back() != '/') out += '/';
    out += part;
  }
  if (out.empty()) return ".";
  if (keep_trailing && ends_open && out.back() != '/') out += '/';
  return out;
}

std::string collapsed_path(std::string_view path) {
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

bool has_dotdot(std::string_view path) {
  for (size_t at = path.find(".."); at != std::string_view::npos; at = path.find("..", at + 2))
    if ((at == 0 || path[at - 1] == '/') && (at + 2 == path.size() || path[at + 2] == '/')) return true;
  return false;
}

bool symlink_is_unsafe(std::string_view target, std::string_view path) {
  if (target.empty() || target[0] == '/') return true;
  // Only a run of ".." at the very start may climb; one further inside could cross another symlink.
  size_t start = 0;
  while (target.substr(start).starts_with("../"))
    start += 3;
  if (target.find("/../", start > 0 ? start - 1 : 0) != std::string_view::npos) {
    const size_t at = target.find("/../", start > 0 ? start - 1 : 0);
    if (at + 1 >= start) return true;
  }
  if (target.size() > 3 && target.ends_with("/..")) {
    // The run at the start may be all there is ("../..").
    if (target.size() > start + 2 || start == 0) return true;
    return true;
  }
  int depth = 0;
  for (size_t i = 0; i < path.size();) {
    while (i < path.size() && path[i] == '/') ++i;
    const size_t end = path.find('/', i);
    if (end == std::string_view::npos) break;  // the link's own name does not count
    const std::string_view part = path.substr(i, end - i);
    if (part == "..") depth = 0;
    else if (!part.empty() && part != ".") ++depth;
    i = end + 1;
  }
  for (size_t i = 0; i < target.size();) {
    while (i < target.size() && target[i] == '/') ++i;
    const size_t end = std::min(target.find('/', i), target.size());
    const std::string_view part = target.substr(i, end - i);
    if (part == "..") {
      if (--depth < 0) return true;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
    i = end + 1;
  }
  return false;
}

std::string_view dir_of_path(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  return path.substr(0, slash == 0 ? 1 : slash);
}

std::string_view leaf_of_path(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace ocsync::sync
