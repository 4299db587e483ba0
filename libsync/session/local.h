// The journey of a client: local.
#pragma once

#include "libio/os/stop.h"
#include "libsync/options/operands.h"
#include "libsync/report/reporter.h"

namespace ocsync::sync {

class BatchWriter;

// Runs to the end and returns the exit code. `batch` (may be null) records it.
int run_local(const Options& options, const Journey& journey, Reporter& reporter, io::Stop& stop, BatchWriter* batch);

}  // namespace ocsync::sync
