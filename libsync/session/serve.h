// The far side: started by a remote shell (or a daemon's child), it takes the role the client does not have.
#pragma once

#include "libsync/session/pieces.h"
#include "libsync/session/run.h"

namespace ocsync::sync {

// What a daemon adds to what its client asked for. The process stands in the module already.
struct ServedModule {
  int version = 0;     // settled by the greeting: no version numbers travel
  bool socket = true;  // there is no standard error that the client could see
  bool read_only = true, write_only = false;
  std::optional<Error> refusal;                  // the options were refused: the client is told once it can hear
  std::function<Result<FilterRules>()> filters;  // what the module hides; a fresh copy for each use
  RuleWorld world;                               // how rules of the client are read
  NameService* names = nullptr;                  // a name converter, or null
  std::shared_ptr<NameCharset> charset;          // of the module's names; null: it has none
};

// Serves one client over a connection that has been made. The reporter is the process's.
Status serve(const Options& options, Connection& connection, Reporter& reporter, Totals& totals, io::Stop& stop,
             ServedModule* module = nullptr);
// The same with everything that is said at the end; the exit code.
int serve_to_the_end(const Options& options, Connection& connection, Reporter& reporter, io::Stop& stop,
                     ServedModule* module = nullptr);

}  // namespace ocsync::sync
