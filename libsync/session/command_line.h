// A whole program run from its words: what apps/ocsync does with its own, and ocsync-restrict with those it has
// checked.
#pragma once

#include <span>
#include <string>

namespace ocsync::sync {

// argv[0] is the program's name. Parses, runs, and returns the exit code; everything has been said. Watches signals
// while it runs, so it is called once, from the main thread.
int run_command_line(std::span<const char* const> argv);

}  // namespace ocsync::sync
