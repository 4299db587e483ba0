// The password check of a module: challenge, response, and what the module's rules say about the user it proves.
#pragma once

#include <string>

#include "libio/base/stream.h"
#include "libproto/daemon_lines.h"
#include "libsync/daemon/access.h"
#include "libsync/daemon/config.h"
#include "libsync/daemon/log.h"

namespace ocsync::sync {

// Everything a login is judged by. All borrowed.
struct LoginDesk {
  const Module& module;
  const Visitor& visitor;
  const proto::Greeting& greeting;
  int version;
  const DaemonLog& log;
};

struct Login {
  std::string user;  // empty: the module asks nobody who they are
  UserRule::Access access = UserRule::Access::kDefault;
};

// Fails with Fault::kTimeout, or as turn_away() does: the log knows why, the client only that.
Result<Login> log_in(const LoginDesk& desk, Reader& in, Writer& out);

}  // namespace ocsync::sync
