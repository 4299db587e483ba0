// --copy-as: the rest of a run happens with the rights of another user.
#pragma once

#include "libsync/options/options.h"
#include "libsync/report/reporter.h"

namespace ocsync::sync {

// Becomes that user for good, if the options ask for it: once the far side is reached and the operator's own files are
// read, and before Terms are settled, which remember who we are. It is the process that changes, so no other thread
// may be in the middle of a decision about rights.
Status become_copy_user(const Options& options, Role role, Reporter& reporter);

}  // namespace ocsync::sync
