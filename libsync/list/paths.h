// Small facts about paths as text: cleaning, joining, and what makes a symlink unsafe.
#pragma once

#include <string>
#include <string_view>

namespace ocsync::sync {

// Longest path that entries may have, terminator included; the far side has the same limit.
inline constexpr size_t kMaxPathBytes = 4096;

// "dir/name"; "." and "" as dir add nothing.
std::string join_path(std::string_view dir, std::string_view name);
// Removes empty and "." components (a leading "/" stays); with `keep_trailing` a final slash stays. "" becomes ".".
std::string clean_path(std::string_view path, bool keep_trailing = false, bool drop_trailing_dot = true);
// As a shell user thinks of it: ".." takes away the component before it and vanishes at the top of an absolute path; a
// final slash goes, too. "" becomes ".".
std::string collapsed_path(std::string_view path);
// True if a component is "..".
bool has_dotdot(std::string_view path);
// Does `path` lie in the directory `dir`, at any depth? Both as clean_path() leaves them; "." has a meaning of its own
// for most callers and none here.
bool is_below(std::string_view path, std::string_view dir);
// A symlink at `path` (relative to the transfer root) whose `target` leads out of the tree.
bool symlink_is_unsafe(std::string_view target, std::string_view path);
// Directory part ("" if none) and last component.
std::string_view dir_of_path(std::string_view path);
std::string_view leaf_of_path(std::string_view path);

// A client's path reduced to one below the module's root. `root`: what stands for a leading slash (empty for what is
// transferred). `depth`: how many directories it may climb. `keep_dots`: "/./" has a meaning (-R).
std::string sanitized_path(std::string_view path, std::string_view root, int depth, bool keep_dots);

}  // namespace ocsync::sync
