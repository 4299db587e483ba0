// What -c compares: the digest of a whole file, as the scanner and the generator both need it.
#pragma once

#include "libio/base/digest.h"
#include "libio/os/dir.h"
#include "libio/os/stop.h"

namespace ocsync::sync {

// All zero (of the kind's length) if the file cannot be read or the run is to stop. `expected`: its size as known so
// far; it only saves calls. Any thread.
Digest content_digest(const io::Dir& dir, io::Leaf leaf, DigestKind kind, uint64_t expected, const io::Stop& stop);

}  // namespace ocsync::sync
