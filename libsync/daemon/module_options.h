// What a module decides about a run whatever its client wishes.
#pragma once

#include <string>
#include <vector>

#include "libsync/daemon/config.h"
#include "libsync/daemon/confine.h"
#include "libsync/daemon/log.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

// Where and how this process stands in the module.
struct Standing {
  const ModuleRoot& root;
  const Inside& inside;
  bool converts_names;  // a name converter runs
  int64_t bwlimit_kib;  // the daemon's own limit; 0: none
};

// Applies the module's parameters to what the client asked for.
void impose_module(Options& options, const Module& module, const Standing& standing, const DaemonLog& log);

// Options that were refused still decide how the client can be told so: from the words alone, as far as they matter.
void recall_shape(const std::vector<std::string>& arguments, Options& options);

}  // namespace ocsync::sync
