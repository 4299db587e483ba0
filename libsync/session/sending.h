// The sending side of a wire, client or server: from the walk of the sources to the goodbye.
#pragma once

#include "libsync/session/pieces.h"

namespace ocsync::sync {

// `base` is where relative names start. Returns false if we are a server and nothing was found (then nothing follows).
Result<bool> run_sending_side(const Terms& terms, Connection& connection, const FilterRules& filters,
                              const std::string& base, const std::vector<std::string>& names,
                              const std::function<void()>& bring_down);

}  // namespace ocsync::sync
