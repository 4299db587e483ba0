// The far side: started by a remote shell (or a daemon's child), it takes the role the client does not have.
#pragma once

#include "libsync/session/run.h"
#include "libsync/session/pieces.h"

namespace ocsync::sync {

// Serves one client over a connection that has been made. The reporter is the process's.
Status serve(const Options& options, Connection& connection, Reporter& reporter, Totals& totals, io::Stop& stop);

}  // namespace ocsync::sync
