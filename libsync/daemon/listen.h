// The daemon's parent: sockets, signals, one forked process for each connection. It starts no thread.
#pragma once

#include "libio/os/stop.h"
#include "libsync/options/parse.h"

namespace ocsync::sync {

// Everything that "--daemon" means: a listening daemon, one connection of a super-server (standard input is a socket),
// or one that a remote shell brought (--server). Runs to the end and returns the exit code.
int run_daemon(const DaemonCommand& command, io::Stop& stop);

}  // namespace ocsync::sync
