// From a process that may do anything to one that serves a module and nothing else: root directory, users and groups,
// and the names a client gives.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libsync/daemon/config.h"
#include "libsync/filter/rules.h"

namespace ocsync::sync {

struct Identity {
  std::optional<uint32_t> uid;
  std::vector<uint32_t> gids;  // the first is the main group
};
// By the module's parameters; root becomes nobody where nothing is said. An error's text is "invalid uid NAME" or
// "invalid gid NAME", ready for the client.
Result<Identity> identity_of(const Module& module);

// The module's directory as this process will see it.
struct ModuleRoot {
  bool use_chroot = false;
  std::string outer;  // becomes the root of the process; empty: no chroot
  std::string root;   // the module's directory afterwards: "/" or an absolute path
  std::string shown;  // RSYNC_MODULE_PATH
  bool inner() const { return root != "/"; }  // the root of the process does not confine by itself
};
// `chroot_works`: asked only if the module does not say.
ModuleRoot module_root(const std::string& path, int use_chroot, const std::function<bool()>& chroot_works);

// Expands wildcards below the current directory, never leaving it; names that `hidden` tells of do not match. No match:
// the pattern itself.
std::vector<std::string> expand_wildcards(const std::string& pattern,
                                          const std::function<bool(std::string_view path, bool is_dir)>& hidden);

}  // namespace ocsync::sync
