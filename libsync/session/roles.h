// Roles as threads of one process.
#pragma once

#include <functional>
#include <vector>

#include "libio/base/result.h"

namespace ocsync::sync {

// Runs all roles, the last one on the calling thread. The first failure calls `bring_down` once, so that the others
// return soon; all are joined. Reports the failure that came first (one of kClosed only if there is no other).
Status run_together(std::vector<std::function<Status()>> roles, const std::function<void()>& bring_down);

}  // namespace ocsync::sync
