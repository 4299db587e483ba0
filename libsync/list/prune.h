// --prune-empty-dirs: what of a whole list would be empty directories.
#pragma once

#include <optional>

#include "libsync/filter/rules.h"
#include "libsync/list/segment.h"

namespace ocsync::sync {

// Clears directories of a sealed segment that only directories are below of. One that `scope` excludes ("protect")
// stays, and so do those above it. What was cleared before counts as rsync counts it: like a file at its place.
void prune_empty(Segment& segment, const std::optional<FilterScope>& scope);

}  // namespace ocsync::sync
