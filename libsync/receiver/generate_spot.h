// One entry at its turn: where it goes and what lies there. Shared by the files that make up the generating role.
#pragma once

#include <fmt/format.h>

#include "libsync/list/dir_table.h"
#include "libsync/list/paths.h"
#include "libsync/meta/apply.h"
#include "libsync/meta/modes.h"
#include "libsync/receiver/generate.h"

namespace ocsync::sync {

struct Generator::Spot {
  std::shared_ptr<Segment> segment;
  Entry* entry = nullptr;
  int32_t ndx = 0;
  std::string path;  // below the destination's root
  std::string_view dir_path;
  std::shared_ptr<const io::Dir> dir;  // null: known to be missing
  int dir_error = ENOENT;              // why, then
  int stat_error = ENOENT;             // why nothing is `here`
  bool no_dir = false;                 // it was looked for, and is not there
  std::string_view leaf_text;          // NUL-terminated
  std::optional<io::Leaf> leaf;        // unset: the root itself
  std::optional<io::FileInfo> here;
  uint32_t mode = 0;          // effective
  bool quiet = false;         // already itemized
  bool wants_xattrs = false;  // its item says that they differ, and no receiver will hear of it (local runs)
};

}  // namespace ocsync::sync
