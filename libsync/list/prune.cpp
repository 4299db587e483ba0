#include "libsync/list/prune.h"

#include <algorithm>
#include <string>
#include <vector>

namespace ocsync::sync {

namespace {

// How many directories down; 0 for the root itself.
size_t depth_of(const Entry& entry, const std::string& path) {
  return entry.is_root() ? 0 : 1 + static_cast<size_t>(std::count(path.begin(), path.end(), '/'));
}

}  // namespace

void prune_empty(Segment& segment, const std::optional<FilterScope>& scope) {
  int32_t from = 0, end = segment.count();
  while (from < end && !segment.sorted(from).active()) ++from;
  while (end > from && !segment.sorted(end - 1).active()) --end;
  std::vector<Entry*> doubtful;  // the directories on the way down to here that nothing has justified yet
  size_t depth_before = 0;
  for (int32_t i = from; i < end; ++i) {
    Entry& entry = segment.sorted(i);
    const std::string path = entry.path();
    const size_t depth = entry.active() && entry.is_dir() ? depth_of(entry, path) : 0;
    if (depth == 0) {
      doubtful.clear();
      continue;
    }
    // The way leads up again: what was found on the way down and stayed empty goes.
    for (size_t level = depth_before; level >= depth && !doubtful.empty(); --level) {
      doubtful.back()->set(kCleared);
      doubtful.pop_back();
    }
    depth_before = depth;
    if (scope && scope->excluded(path, true))
      doubtful.clear();
    else
      doubtful.push_back(&entry);
  }
  for (Entry* entry : doubtful) entry->set(kCleared);
}

}  // namespace ocsync::sync
