// Starts the far side through a remote shell.
#pragma once

#include "libio/os/child.h"
#include "libsync/options/operands.h"
#include "libsync/session/pieces.h"

namespace ocsync::sync {

struct FarProgram {
  io::Child child;
  std::vector<std::string> secluded;  // to be sent first, if not empty
};
// `paths`: what is asked of (or given to) the far side.
Result<FarProgram> start_far_side(const Options& options, const Operand& far, bool we_send, const std::vector<std::string>& paths,
                                  Reporter& reporter);

// A connection's end: half-closes, waits for the program, and returns its exit code (0 if it did well). What it still
// says until then is shown.
int finish_far_side(FarProgram& program, Connection& connection);

// The same after a failure of ours: the program's own exit code counts only if it ended first (the stream broke because
// of it). Says on standard error what host and phase it was, where rsync's line alone would leave a user guessing.
int abandon_far_side(FarProgram& program, Connection& connection, const Error& error, const Options& options,
                     const Operand& far, Reporter& reporter);

}  // namespace ocsync::sync
