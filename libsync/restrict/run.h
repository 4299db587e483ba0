// What ocsync-restrict does: read the client's command from SSH_ORIGINAL_COMMAND, check it, be the server.
#pragma once

#include <string>
#include <vector>

namespace ocsync::sync {

// `argv` as main got it. Returns the exit code: the server's, or 1 with a complaint on standard error. Replaces this
// process if another program was asked for.
int run_restricted(const std::vector<std::string>& argv);

}  // namespace ocsync::sync
