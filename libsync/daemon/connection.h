// One client of the daemon, from its greeting to its goodbye.
#pragma once

#include <string>

#include "libio/base/stream.h"
#include "libio/os/stop.h"
#include "libsync/daemon/config.h"
#include "libsync/options/parse.h"

namespace ocsync::sync {

struct Caller {
  int in = 0, out = 0;      // borrowed; the same socket, or two pipes
  bool socket = true;       // false: a remote shell brought it, which bounds and authenticates it by itself
  std::string address;      // numeric
};

// Serves it in this process, which changes its root, its user and its directory on the way and is good for nothing else
// afterwards. Returns the exit code.
int serve_caller(const Caller& caller, const Config& config, const DaemonCommand& command, io::Stop& stop);

// Arguments as a daemon's client sends them: up to an empty one, each ended by a zero byte, or by a newline below
// version 30. Bounded in number and size.
Result<std::vector<std::string>> read_daemon_args(Reader& in, bool nulls);

// What stands behind the dot, for module `name`: the name goes, and what was joined by " NAME/" is split again.
std::vector<std::string> split_request(const std::string& text, const std::string& name, bool secluded);

}  // namespace ocsync::sync
