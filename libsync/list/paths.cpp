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

bool is_below(std::string_view path, std::string_view dir) {
  return path.size() > dir.size() && path.starts_with(dir) && path[dir.size()] == '/';
}

bool symlink_is_unsafe(std::string_view target, std::string_view path) {
  if (target.empty() || target[0] == '/') return true;
  // Only a run of ".." at the very start may climb; one further inside could cross another symlink.
  std::string_view inner = target;
  while (inner.starts_with("../")) inner.remove_prefix(std::min(inner.find_first_not_of('/', 2), inner.size()));
  if (inner.find("/../") != std::string_view::npos) return true;
  if (target.size() > 3 && target.ends_with("/..")) return true;

  // How deep the link lies is how far it may climb. A path that climbs itself starts anew.
  int depth = 0;
  const auto each_dir = [](std::string_view text, const auto& step) {
    for (size_t slash = text.find('/'); slash != std::string_view::npos; slash = text.find('/')) {
      step(text.substr(0, slash));
      text.remove_prefix(std::min(text.find_first_not_of('/', slash), text.size()));
    }
    return text;
  };
  each_dir(path, [&](std::string_view part) {
    if (part == "..")
      depth = 0;
    else if (part != ".")
      ++depth;
  });
  bool out = false;
  const std::string_view last = each_dir(target, [&](std::string_view part) {
    if (part == "..")
      out |= --depth < 0;
    else if (part != ".")
      ++depth;
  });
  return out || (last == ".." && depth < 1);
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

std::string sanitized_path(std::string_view path, std::string_view root, int depth, bool keep_dots) {
  std::string prefix;
  if (path.starts_with('/')) {
    prefix = root;
    depth = 0;
  }
  std::vector<std::string_view> parts;
  size_t climbs = 0;  // leading ".." that are kept
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    at = end + 1;
    if (part.empty()) continue;
    if (part == ".") {
      if (keep_dots && at <= path.size()) parts.push_back(part);
    } else if (part == "..") {
      while (parts.size() > climbs && parts.back() == ".") parts.pop_back();
      if (parts.size() > climbs) {
        parts.pop_back();
      } else if (depth > 0) {
        --depth;
        parts.push_back(part);
        ++climbs;
      }
    } else {
      parts.push_back(part);
    }
  }
  std::string out = prefix;
  for (const std::string_view part : parts) {
    if (!out.empty() && !out.ends_with('/')) out += '/';
    out += part;
  }
  if (out.empty()) return ".";
  // What stood before a component that is gone was a directory's name: "a/." and "a/b/.." end as "a/" does.
  const bool slash =
      parts.empty() ? path.ends_with('/') : parts.back().data() + parts.back().size() != path.data() + path.size();
  if (slash && !out.ends_with('/')) out += '/';
  return out;
}

}  // namespace ocsync::sync
