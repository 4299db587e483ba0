#include "libsync/filter/scope_stack.h"

#include <algorithm>

namespace ocsync::sync {

int level_of(std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.empty() || path == ".") return 0;
  return 1 + static_cast<int>(std::count(path.begin(), path.end(), '/'));
}

Status ScopeStack::enter(int level, const std::string& path, const io::Dir* dir, const FilterScope& root) {
  leave(level);
  FilterScope scope = TRY(inside(path, dir, root));
  entered_.emplace_back(level, std::move(scope));
  return {};
}

void ScopeStack::leave(int level) {
  while (!entered_.empty() && entered_.back().first >= level) entered_.pop_back();
}

FilterScope ScopeStack::in_force(const FilterScope& root) const {
  if (!entered_.empty()) return entered_.back().second.moved_to(root);
  return first_ ? root.settled_as(*first_) : root;
}

Result<FilterScope> ScopeStack::inside(const std::string& path, const io::Dir* dir, const FilterScope& root) {
  FilterScope scope = TRY(in_force(root).enter(path, dir));
  if (!first_) first_ = scope;
  return scope;
}

}  // namespace ocsync::sync
