#include "libsync/session/copy_as.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

#include "libio/os/identity.h"

namespace ocsync::sync {
namespace {

// A name, or a number.
template <class LookUp>
std::optional<uint32_t> id_of(const std::string& text, LookUp&& look_up) {
  if (text.empty()) return std::nullopt;
  if (text.find_first_not_of("0123456789") != text.npos) return look_up(text);
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

Status step(Status done, const char* what) {
  if (done) return {};
  return fail(Fault::kUsage, fmt::format("{} failed", what), done.error().sys);
}

}  // namespace

Status become_copy_user(const Options& options, Role role, Reporter& reporter) {
  if (options.copy_as.empty()) return {};
  reporter.debug_line_if(Debug::kCmd, 2, fmt::format("[{}] copy_as={}", role_name(role), options.copy_as));
  const size_t colon = options.copy_as.find(':');
  const std::string user = options.copy_as.substr(0, colon);
  const auto uid = id_of(user, [](const std::string& name) { return io::user_id(name); });
  if (!uid) return fail(Fault::kUsage, "Invalid copy-as user: " + user);
  std::vector<uint32_t> groups;
  if (colon != std::string::npos) {
    const std::string group = options.copy_as.substr(colon + 1);
    const auto gid = id_of(group, [](const std::string& name) { return io::group_id(name); });
    if (!gid) return fail(Fault::kUsage, "Invalid copy-as group: " + group);
    groups.push_back(*gid);
  } else {
    const auto account = io::account(*uid);
    if (!account) return fail(Fault::kUsage, "getpwuid failed", ENOENT);
    groups.push_back(account->gid);
    // The user's own group stays the first.
    for (const uint32_t gid : TRY(io::groups_of(user, account->gid)))
      if (gid != account->gid) groups.push_back(gid);
  }
  TRY(step(io::become_group(groups.front()), "setgid"));
  TRY(step(io::set_groups(groups), "setgroups"));
  return step(io::become_user(*uid), "setuid");
}

}  // namespace ocsync::sync
