#include "libsync/daemon/confine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "libio/os/dir.h"
#include "libio/os/identity.h"
#include "libsync/daemon/turn_away.h"
#include "libsync/report/exit_code.h"

namespace ocsync::sync {
namespace {

std::optional<uint32_t> number_of(const std::string& text) {
  if (text.empty() || text.size() > 10 || text.find_first_not_of("0123456789") != text.npos) return std::nullopt;
  const unsigned long long value = std::strtoull(text.c_str(), nullptr, 10);
  if (value >= 0xffffffffull) return std::nullopt;
  return static_cast<uint32_t>(value);
}

std::optional<uint32_t> user_of(const std::string& name) {
  if (auto id = number_of(name)) return id;
  return io::user_id(name);
}

std::optional<uint32_t> group_of(const std::string& name) {
  if (auto id = number_of(name)) return id;
  return io::group_id(name);
}

// An absolute path without empty, "." and ".." parts.
std::string collapsed(std::string_view path) {
  std::string whole;
  if (!path.starts_with('/')) {
    whole = io::working_directory();
    whole += '/';
  }
  whole += path;
  std::vector<std::string_view> parts;
  for (size_t at = 0; at < whole.size();) {
    const size_t end = std::min(whole.find('/', at), whole.size());
    const std::string_view part(whole.data() + at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const std::string_view part : parts) (out += '/') += part;
  return out.empty() ? "/" : out;
}

}  // namespace

Result<Identity> identity_of(const Module& module) {
  Identity identity;
  const bool root = io::is_root();
  const std::string user = module.text(Param::kUid);
  if (!user.empty() || root) {
    const std::string name = user.empty() ? "nobody" : user;
    identity.uid = user_of(name);
    if (!identity.uid) return fail(Fault::kUsage, fmt::format("invalid uid {}", name));
  }
  const std::vector<std::string> groups = list_words(module.text(Param::kGid), true);
  const auto add = [&](const std::string& name) -> Status {
    const auto gid = group_of(name);
    if (!gid) return fail(Fault::kUsage, fmt::format("invalid gid {}", name));
    identity.gids.push_back(*gid);
    return {};
  };
  for (size_t i = 0; i < groups.size(); ++i) {
    if (i > 0 || groups[i] != "*") {
      TRY(add(groups[i]));
      continue;
    }
    const auto account = io::account(identity.uid.value_or(::getuid()));
    const auto all = account ? io::groups_of(account->name, account->gid) : Result<std::vector<uint32_t>>();
    if (!account || !all) return fail(Fault::kUsage, "invalid gid *");
    identity.gids.push_back(account->gid);
    for (const uint32_t gid : *all)
      if (gid != account->gid) identity.gids.push_back(gid);
  }
  if (groups.empty() && root) TRY(add(io::group_id("nobody") ? "nobody" : "nogroup"));
  return identity;
}

ModuleRoot module_root(const std::string& path, int use_chroot, const std::function<bool()>& chroot_works) {
  ModuleRoot out;
  const size_t inner = path.find("/./");
  out.use_chroot = use_chroot > 0 || (use_chroot < 0 && (inner != path.npos || chroot_works()));
  out.shown = collapsed(path);
  if (!out.use_chroot) {
    out.root = out.shown;
  } else if (inner == path.npos) {
    out.outer = out.shown;
    out.root = "/";
  } else {
    out.outer = collapsed(path.substr(0, inner));
    out.root = collapsed(path.substr(inner + 2));
  }
  return out;
}

Status lower_daemon_rights(const Settings& globals, const DaemonLog& log) {
  const auto refuse = [&](const std::string& text, int error) -> Status {
    if (error != 0)
      log.failure(text, error);
    else
      log.line(text, true);
    return turn_away("");
  };
  if (const std::string root = globals.text(Param::kDaemonChroot); !root.empty()) {
    ::tzset();
    const auto dir = io::Dir::open_trusted(root);
    if (!dir) return refuse(fmt::format("daemon chroot(\"{}\") failed", root), dir.error().sys);
    if (const Status done = io::change_root(*dir); !done)
      return refuse(fmt::format("daemon chroot(\"{}\") failed", root), done.error().sys);
  }
  if (const std::string name = globals.text(Param::kDaemonGid); !name.empty()) {
    const auto gid = group_of(name);
    if (!gid) return refuse(fmt::format("Invalid daemon gid: {}", name), 0);
    if (const Status done = io::become_group(*gid); !done)
      return refuse(fmt::format("Unable to set group to daemon gid {}", *gid), done.error().sys);
  }
  if (const std::string name = globals.text(Param::kDaemonUid); !name.empty()) {
    const auto uid = user_of(name);
    if (!uid) return refuse(fmt::format("Invalid daemon uid: {}", name), 0);
    if (const Status done = io::become_user(*uid); !done)
      return refuse(fmt::format("Unable to set user to daemon uid {}", *uid), done.error().sys);
  }
  return {};
}

Result<ModuleRoot> find_root(const Module& module, const DaemonLog& log) {
  const std::string path = module.text(Param::kPath);
  if (path.empty()) {
    log.line(fmt::format("No path specified for module {}", module.name));
    return turn_away("no path setting.");
  }
  return module_root(path, module.state(Param::kUseChroot), [&] {
    if (::chroot("/") == 0) return ::chdir("/") == 0;
    log.line(fmt::format("chroot test failed: {}. Switching 'use chroot' from unset to false.", ::strerror(errno)));
    return false;
  });
}

Result<Inside> enter_module(const Module& module, const ModuleRoot& root, const Identity& identity,
                            const DaemonLog& log) {
  const auto failure = [&](const std::string& what, const char* short_text, const Error& error) {
    log.failure(what, error.sys);
    return turn_away(short_text);
  };
  if (root.use_chroot) {
    ::tzset();
    const auto dir = io::Dir::open_trusted(root.outer);
    const Status done = dir ? io::change_root(*dir) : Status(fail(dir.error()));
    if (!done) return failure(fmt::format("chroot(\"{}\") failed", root.outer), "chroot failed", done.error());
  }
  const auto there = io::Dir::open_trusted(root.root);
  const Status entered = there ? io::change_directory(*there) : Status(fail(there.error()));
  if (!entered) return failure(fmt::format("chdir {} failed", root.root), "chdir failed", entered.error());
  Inside inside;
  inside.root = io::Fd(::fcntl(there->fd(), F_DUPFD_CLOEXEC, 3));
  const int munge = module.state(Param::kMungeSymlinks);
  inside.munge = munge >= 0 ? munge > 0 : !root.use_chroot || root.inner();
  struct stat st{};
  if (inside.munge && ::stat("/rsyncd-munged", &st) == 0 && S_ISDIR(st.st_mode)) {
    log.line("Symlink munging is unsafe when a /rsyncd-munged directory exists.", true);
    return turn_away("daemon security issue -- contact admin", kExitUnsupported);
  }
  if (!identity.gids.empty()) {
    if (const Status done = io::become_group(identity.gids[0]); !done)
      return failure(fmt::format("setgid {} failed", identity.gids[0]), "setgid failed", done.error());
    if (const Status done = io::set_groups(identity.gids); !done)
      return failure("setgroups failed", "setgroups failed", done.error());
  }
  if (identity.uid) {
    if (const Status done = io::become_user(*identity.uid); !done)
      return failure(fmt::format("setuid {} failed", *identity.uid), "setuid failed", done.error());
  }
  return inside;
}

}  // namespace ocsync::sync
