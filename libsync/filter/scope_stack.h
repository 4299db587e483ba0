// Which per-directory rules are in force while directories are walked one after the other.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libsync/filter/rules.h"

namespace ocsync::sync {

// The level of a directory of a list: 0 for ".", 1 for one at the top.
int level_of(std::string_view path);

// Rules come into force when a directory is entered on its level and stay so until another one is entered on that level
// or above. That need not be a directory beside it: what was asked for by several names lies anywhere, and then the
// rules of what was entered before on a level above hold on, for both sides of a transfer. One thread's own.
class ScopeStack {
 public:
  // In these calls `root` is the scope of the root that paths are relative to; `dir` is the open directory, null if it
  // cannot be opened or is none.
  // Enters `path`; what was entered on `level` or below is left.
  Status enter(int level, const std::string& path, const io::Dir* dir, const FilterScope& root);
  void leave_all() { leave(0); }
  // What holds now, for names below `root`.
  FilterScope in_force(const FilterScope& root) const;
  // What holds inside `path`, gone into for the moment only.
  Result<FilterScope> inside(const std::string& path, const io::Dir* dir, const FilterScope& root);

 private:
  void leave(int level);

  std::vector<std::pair<int, FilterScope>> entered_;
  // Directories above the transfer are searched for rules once, from the first directory that is entered.
  std::optional<FilterScope> first_;
};

}  // namespace ocsync::sync
