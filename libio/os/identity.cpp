// The user and group databases, and the ids of this process.
#include "libio/os/identity.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

// Groups with very many members need much; beyond this the answer counts as unknown.
constexpr size_t kFirstBuffer = 4096;
constexpr size_t kLargestBuffer = size_t{4} * 1024 * 1024;

// Calls one of the getXXX_r functions with a buffer that grows while it asks for more.
template <class Record, class Take, class Key, class Get>
auto look_up(Get get, Key key, Take take) -> std::optional<decltype(take(std::declval<const Record&>()))> {
  for (size_t bytes = kFirstBuffer; bytes <= kLargestBuffer; bytes *= 4) {
    std::vector<char> buffer(bytes);
    Record record{};
    Record* found = nullptr;
    int error;
    do error = get(key, &record, buffer.data(), buffer.size(), &found);
    while (error == EINTR);
    if (found != nullptr) return take(record);
    if (error != ERANGE) break;
  }
  return std::nullopt;
}

std::string text(const char* t) { return t == nullptr ? std::string() : std::string(t); }
Account account_of(const passwd& p) { return {p.pw_uid, p.pw_gid, text(p.pw_name), text(p.pw_dir), text(p.pw_shell)}; }

}  // namespace

uint32_t effective_user() { return ::geteuid(); }
uint32_t effective_group() { return ::getegid(); }

Result<std::vector<uint32_t>> own_groups() {
  for (;;) {
    const int n = ::getgroups(0, nullptr);
    if (n < 0) return fail_errno();
    std::vector<gid_t> gids(static_cast<size_t>(n));
    const int got = ::getgroups(n, gids.data());
    if (got < 0 && errno == EINVAL) continue;  // more than a moment ago
    if (got < 0) return fail_errno();
    gids.resize(static_cast<size_t>(got));
    std::vector<uint32_t> all(gids.begin(), gids.end());
    all.push_back(::getegid());
    return all;
  }
}

std::optional<std::string> user_name(uint32_t uid) {
  return look_up<passwd>(::getpwuid_r, uid, [](const passwd& p) { return text(p.pw_name); });
}
std::optional<std::string> group_name(uint32_t gid) {
  return look_up<group>(::getgrgid_r, gid, [](const group& g) { return text(g.gr_name); });
}
std::optional<uint32_t> user_id(const std::string& name) {
  return look_up<passwd>(::getpwnam_r, name.c_str(), [](const passwd& p) -> uint32_t { return p.pw_uid; });
}
std::optional<uint32_t> group_id(const std::string& name) {
  return look_up<group>(::getgrnam_r, name.c_str(), [](const group& g) -> uint32_t { return g.gr_gid; });
}
std::optional<Account> account(uint32_t uid) { return look_up<passwd>(::getpwuid_r, uid, account_of); }
std::optional<Account> account(const std::string& name) {
  return look_up<passwd>(::getpwnam_r, name.c_str(), account_of);
}

Result<std::vector<uint32_t>> groups_of(const std::string& user, uint32_t primary_gid) {
  constexpr int kMostGroups = 65536;  // NGROUPS_MAX
  int n = 64;
  for (;;) {
    std::vector<gid_t> gids(static_cast<size_t>(n));
    const int room = n;
    if (::getgrouplist(user.c_str(), primary_gid, gids.data(), &n) >= 0)
      return std::vector<uint32_t>(gids.begin(), gids.begin() + n);
    if (n <= room) n = room * 2;
    if (n > kMostGroups) return fail(Error(EINVAL));
  }
}

uint32_t file_mask() {
  // The kernel shows it without changing it; elsewhere it must be set to be seen.
  // The first lines are enough. No std::ifstream: it would bring all of C++'s locales into the program.
  constexpr std::string_view kKey = "\nUmask:\t";
  char text[512];
  if (auto status = sys::open_at(AT_FDCWD, "/proc/self/status", O_RDONLY))
    if (auto bytes = sys::read(status->get(), {reinterpret_cast<std::byte*>(text), sizeof text})) {
      const std::string_view lines(text, *bytes);
      const size_t key = lines.find(kKey);
      uint32_t mask = 0;
      if (key != lines.npos && std::from_chars(text + key + kKey.size(), text + *bytes, mask, 8).ec == std::errc())
        return mask;
    }
  const mode_t mask = ::umask(077);
  ::umask(mask);
  return mask;
}
void set_file_mask(uint32_t mask) { ::umask(mask); }

std::string working_directory() {
  char* path = ::getcwd(nullptr, 0);
  std::string out = path != nullptr ? path : "";
  std::free(path);
  return out;
}

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

Status become_user(uint32_t uid) {
  if (::setresuid(uid, uid, uid) < 0) return fail_errno();
  return {};
}
Status become_group(uint32_t gid) {
  if (::setresgid(gid, gid, gid) < 0) return fail_errno();
  return {};
}
Status set_groups(std::span<const uint32_t> gids) {
  static_assert(sizeof(gid_t) == sizeof(uint32_t));
  if (::setgroups(gids.size(), gids.data()) < 0) return fail_errno();
  return {};
}
Status change_directory(const Dir& dir) {
  if (::fchdir(dir.fd()) < 0) return fail_errno();
  return {};
}
Status change_root(const Dir& root) {
  TRY(change_directory(root));
  if (::chroot(".") < 0) return fail_errno();
  return {};
}

}  // namespace ocsync::io
