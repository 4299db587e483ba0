// The digest of a whole file, for -c: of a source that is listed, or of what lies here already.
#pragma once

#include "libio/base/digest.h"
#include "libio/os/dir.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// By the list's algorithm. `expected`: how long the file was when it was looked at; what it has grown since counts,
// too. `follow`: `leaf` may be a symlink that the options follow (a sender's only). All zero if it cannot be read,
// becomes shorter meanwhile while it is mapped, or a stop is requested.
Digest content_digest(const io::Dir& dir, io::Leaf leaf, uint64_t expected, const Terms& terms, bool follow = false);

}  // namespace ocsync::sync
