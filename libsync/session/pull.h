// The journey of a client: pull.
#pragma once

#include "libio/os/stop.h"
#include "libsync/options/operands.h"
#include "libsync/report/reporter.h"

namespace ocsync::sync {

// Runs to the end and returns the exit code.
int run_pull(const Options& options, const Journey& journey, Reporter& reporter, io::Stop& stop);

}  // namespace ocsync::sync
