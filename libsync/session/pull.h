// The journey of a client: pull.
#pragma once

#include "libio/os/stop.h"
#include "libsync/options/operands.h"
#include "libsync/report/reporter.h"
#include "libsync/session/pieces.h"

namespace ocsync::sync {

class BatchWriter;

// Runs to the end and returns the exit code. The rules of `files` are taken. `batch` (may be null) records the run.
int run_pull(const Options& options, const Journey& journey, OperatorFiles& files, Reporter& reporter, io::Stop& stop,
             BatchWriter* batch);

}  // namespace ocsync::sync
