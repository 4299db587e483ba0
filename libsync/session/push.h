// The journey of a client that sends: to a far side behind a remote shell, or to a receiving side in this very process.
#pragma once

#include "libio/os/stop.h"
#include "libsync/options/operands.h"
#include "libsync/report/progress.h"
#include "libsync/report/reporter.h"
#include "libsync/session/pieces.h"

namespace ocsync::sync {

class BatchWriter;

// Runs to the end and returns the exit code. The rules of `files` are taken. `batch` (may be null) records the run.
int run_push(const Options& options, const Journey& journey, OperatorFiles& files, Reporter& reporter, io::Stop& stop,
             BatchWriter* batch);

// A connection whose far side has been started, from the handshake to the goodbye. `local`: both ends are ours.
struct PushParts {
  const Options& options;
  const std::vector<std::string>& sources;
  OperatorFiles& files;
  Connection& connection;
  Reporter& reporter;
  Totals& totals;
  Progress& progress;
  io::Stop& stop;
  bool local = false;
  std::function<void()> bring_down;
  BatchWriter* batch = nullptr;
  std::optional<int> far_version = {};  // a daemon's greeting has told it
  int version = proto::kNewestVersion;  // settled by push_over
};
Status push_over(PushParts& parts);

}  // namespace ocsync::sync
