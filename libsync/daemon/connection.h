// One client of the daemon, from its greeting to its goodbye.
#pragma once

#include <string>

#include "libio/base/stream.h"
#include "libio/os/stop.h"
#include "libsync/daemon/config.h"
#include "libsync/options/parse.h"

namespace ocsync::sync {

struct Caller {
  int in = 0, out = 0;  // borrowed; the same socket, or two pipes
  bool socket = true;   // false: a remote shell brought it, which bounds and authenticates it by itself
  std::string address;  // numeric
};

// Serves it in this process, which changes its root, its user and its directory on the way and is good for nothing else
// afterwards. Returns the exit code.
int serve_caller(const Caller& caller, const Config& config, const DaemonCommand& command, io::Stop& stop);

}  // namespace ocsync::sync
