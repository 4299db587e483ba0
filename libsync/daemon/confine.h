// From a process that may do anything to one that serves a module and nothing else: root directory, users and groups.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "libio/base/result.h"
#include "libio/os/fd.h"
#include "libsync/daemon/config.h"
#include "libsync/daemon/log.h"

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
  std::string outer;                          // becomes the root of the process; empty: no chroot
  std::string root;                           // the module's directory afterwards: "/" or an absolute path
  std::string shown;                          // RSYNC_MODULE_PATH
  bool inner() const { return root != "/"; }  // the root of the process does not confine by itself
};
// `chroot_works`: asked only if the module does not say.
ModuleRoot module_root(const std::string& path, int use_chroot, const std::function<bool()>& chroot_works);

// By the module's parameters. Fails as turn_away() does.
Result<ModuleRoot> find_root(const Module& module, const DaemonLog& log);

// What "daemon chroot", "daemon gid" and "daemon uid" ask for, before anything is heard. Fails as turn_away() does.
Status lower_daemon_rights(const Settings& globals, const DaemonLog& log);

struct Inside {
  io::Fd root;         // the module's directory
  bool munge = false;  // symlinks travel in a form that leads nowhere
};
// Changes this process for good: root directory, working directory, groups, user. Fails as turn_away() does.
Result<Inside> enter_module(const Module& module, const ModuleRoot& root, const Identity& identity,
                            const DaemonLog& log);

}  // namespace ocsync::sync
