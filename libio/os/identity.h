// Users, groups, where this process stands and what it may become.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libio/base/result.h"
#include "libio/os/dir.h"

namespace ocsync::io {

uint32_t effective_user();
uint32_t effective_group();
inline bool is_root() { return effective_user() == 0; }
// Effective and supplementary groups.
Result<std::vector<uint32_t>> own_groups();

// Look-ups in the system's databases; nothing if unknown. They may take long (network directories): remember answers.
std::optional<std::string> user_name(uint32_t uid);
std::optional<std::string> group_name(uint32_t gid);
std::optional<uint32_t> user_id(const std::string& name);
std::optional<uint32_t> group_id(const std::string& name);
struct Account {
  uint32_t uid = 0, gid = 0;
  std::string name, home, shell;
};
std::optional<Account> account(uint32_t uid);
std::optional<Account> account(const std::string& name);
// All groups that a user belongs to, as login would set them.
Result<std::vector<uint32_t>> groups_of(const std::string& user, uint32_t primary_gid);

// The mask is of the process; reading it changes it for an instant, so do this before starting threads.
uint32_t file_mask();
void set_file_mask(uint32_t mask);

std::string host_name();
// Where relative paths of this process start; "" if that is gone or hidden.
std::string working_directory();

// For the daemon, before any thread starts. Real, effective and saved ids at once; there is no way back.
Status become_user(uint32_t uid);
Status become_group(uint32_t gid);
Status set_groups(std::span<const uint32_t> gids);
// Makes `root` the root and the current directory of this process.
Status change_root(const Dir& root);
Status change_directory(const Dir& dir);

}  // namespace ocsync::io
