// The journeys of a whole program run: local, push, pull for a client; the far side for a server.
#pragma once

#include "libio/os/stop.h"
#include "libsync/options/options.h"
#include "libsync/options/parse.h"

namespace ocsync::sync {

// Runs to the end and returns the exit code. Every message has been written.
int run_client(const Options& options, io::Stop& stop);
// Standard input and output are the connection. For secluded arguments see serve_secluded.
int run_server(const Options& options, io::Stop& stop);
// The first thing on standard input is the second argument vector; then as run_server.
int run_secluded_server(const ParsedCommand& first, const ParseEnvironment& environment, io::Stop& stop);

}  // namespace ocsync::sync
