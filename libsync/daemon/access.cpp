#include "libsync/daemon/access.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "libio/os/dir.h"
#include "libio/os/identity.h"
#include "libproto/auth.h"
#include "libsync/daemon/config.h"

namespace ocsync::sync {
namespace {

constexpr size_t kMaxSecretsBytes = size_t{16} << 20;
constexpr size_t kMaxSecretLine = 1023;

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

struct NumericAddress {
  int family = 0;
  uint32_t scope = 0;
  unsigned char bytes[16] = {};
  size_t size() const { return family == AF_INET ? 4 : 16; }
};

std::optional<NumericAddress> numeric(const std::string& text) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* list = nullptr;
  if (::getaddrinfo(text.c_str(), nullptr, &hints, &list) != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  NumericAddress out;
  out.family = list->ai_family;
  if (out.family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, list->ai_addr, sizeof in);
    std::memcpy(out.bytes, &in.sin_addr, 4);
  } else if (out.family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, list->ai_addr, sizeof in);
    std::memcpy(out.bytes, &in.sin6_addr, 16);
    out.scope = in.sin6_scope_id;
  } else {
    return std::nullopt;
  }
  return out;
}

bool is_plain_name(std::string_view word) {
  return word.find_first_not_of(".0123456789") != word.npos && word.find_first_of(":/*?[") == word.npos;
}

bool name_matches(const std::string& word, Visitor& visitor, bool forward, bool deny, const ForwardLookup& look_up) {
  if (visitor.host.empty()) return false;
  if (word.size() > 1 && word[0] == '@')
    return ::innetgr(word.c_str() + 1, visitor.host.c_str(), nullptr, nullptr) != 0;
  if (::fnmatch(word.c_str(), lowered(visitor.host).c_str(), 0) == 0) return true;
  if (!forward || !is_plain_name(word)) return false;
  const auto addresses = look_up(word);
  // Who cannot be told apart from the one who is denied is denied.
  if (!addresses) return deny;
  if (std::find(addresses->begin(), addresses->end(), visitor.address) == addresses->end()) return false;
  if (visitor.host == kUndeterminedHost) visitor.host = word;
  return true;
}

bool list_matches(const std::string& list, Visitor& visitor, bool forward, bool deny, const ForwardLookup& look_up,
                  const Complain& complain) {
  const std::string text = lowered(list);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of(" ,\t", at), text.size());
    const std::string word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    if (name_matches(word, visitor, forward, deny, look_up) || address_matches(visitor.address, word, complain))
      return true;
  }
  return false;
}

}  // namespace

std::optional<std::vector<std::string>> resolve_ipv4(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
  std::vector<std::string> out;
  for (const addrinfo* a = list; a; a = a->ai_next) {
    sockaddr_in in;
    std::memcpy(&in, a->ai_addr, sizeof in);
    char text[INET_ADDRSTRLEN];
    if (::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text)) out.emplace_back(text);
  }
  return out;
}

bool address_matches(const std::string& address, std::string_view word, const Complain& complain) {
  const size_t slash = word.find('/');
  const std::string base(word.substr(0, slash));
  // A host's name is not an address, and no reason to complain.
  if (base.find_first_not_of(".0123456789") != base.npos && base.find(':') == base.npos) return false;
  const auto ours = numeric(address);
  if (!ours) return false;
  const auto theirs = numeric(base);
  if (!theirs) {
    complain(fmt::format("error matching address {}: not an address", word));
    return false;
  }
  if (ours->family != theirs->family) return false;
  if (theirs->scope != 0 && ours->scope != theirs->scope) return false;
  unsigned char mask[16];
  const size_t size = ours->size();
  long bits = static_cast<long>(size) * 8;
  if (slash != word.npos) {
    const std::string text(word.substr(slash + 1));
    if (::inet_pton(ours->family, text.c_str(), mask) > 0) {
      bits = -1;
    } else {
      const bool digits = !text.empty() && text.size() <= 4 && text.find_first_not_of("0123456789") == text.npos;
      bits = digits ? std::atol(text.c_str()) : -1;
      if (bits < 0 || bits > static_cast<long>(size) * 8) {
        complain(fmt::format("malformed mask in {}", word));
        return false;
      }
    }
  }
  if (bits >= 0) {
    for (size_t i = 0; i < size; ++i) {
      const long left = std::clamp(bits - static_cast<long>(i) * 8, 0L, 8L);
      mask[i] = static_cast<unsigned char>(0xff << (8 - left));
    }
  }
  for (size_t i = 0; i < size; ++i)
    if (((ours->bytes[i] ^ theirs->bytes[i]) & mask[i]) != 0) return false;
  return true;
}

bool may_visit(const HostRules& rules, Visitor& visitor, const ForwardLookup& look_up, const Complain& complain) {
  if (!rules.allow.empty()) {
    if (list_matches(rules.allow, visitor, rules.forward_lookup, false, look_up, complain)) return true;
    if (rules.deny.empty()) return false;
  }
  return rules.deny.empty() || !list_matches(rules.deny, visitor, rules.forward_lookup, true, look_up, complain);
}

bool is_trusted_proxy(const std::string& list, Visitor& visitor, const Complain& complain) {
  return !list.empty() && list_matches(list, visitor, false, false, resolve_ipv4, complain);
}

std::optional<UserRule> match_user(std::string_view rules, const std::string& user,
                                   const std::function<std::vector<std::string>(const std::string&)>& groups_of) {
  std::optional<std::vector<std::string>> groups;
  for (const std::string& item : list_words(rules, true)) {
    const size_t colon = item.find(':');
    const std::string name = item.substr(0, colon);
    UserRule rule;
    if (colon != item.npos) {
      const std::string option = lowered(item.substr(colon + 1));
      if (option.starts_with('d'))
        rule.access = UserRule::Access::kDeny;
      else if (option.starts_with("ro"))
        rule.access = UserRule::Access::kReadOnly;
      else if (option.starts_with("rw"))
        rule.access = UserRule::Access::kReadWrite;
    }
    if (!name.starts_with('@')) {
      if (::fnmatch(name.c_str(), user.c_str(), FNM_PATHNAME) == 0) return rule;
      continue;
    }
    if (!groups) groups = groups_of(user);
    for (const std::string& group : *groups) {
      if (::fnmatch(name.c_str() + 1, group.c_str(), FNM_PATHNAME) != 0) continue;
      rule.group = group;
      return rule;
    }
  }
  return std::nullopt;
}

std::vector<std::string> group_names_of(const std::string& user) {
  std::vector<std::string> names;
  const auto account = io::account(user);
  if (!account) return names;
  const auto gids = io::groups_of(account->name, account->gid);
  if (!gids) return names;
  for (const uint32_t gid : *gids)
    if (auto name = io::group_name(gid)) names.push_back(std::move(*name));
  return names;
}

std::string check_secret(std::string_view text, const std::string& user, const std::string& group,
                         const std::string& response, const std::function<std::string(std::string_view)>& respond) {
  if (user.starts_with('#')) return "invalid username";
  std::string reason = "secret not found";
  bool user_open = true;
  bool group_open = !group.empty();
  while (!text.empty() && (user_open || group_open)) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (const size_t cr = line.find('\r'); cr != line.npos) line = line.substr(0, cr);
    if (line.size() > kMaxSecretLine) continue;
    const bool of_group = line.starts_with('@');
    if (of_group) line.remove_prefix(1);
    bool& open = of_group ? group_open : user_open;
    const std::string& name = of_group ? group : user;
    if (!open || !line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ':') continue;
    if (proto::equal_in_constant_time(response, respond(line.substr(name.size() + 1)))) return {};
    reason = "password mismatch";
    open = false;  // only the first line of a name counts
  }
  return reason;
}

Secrets read_secrets(const std::string& path, bool strict_modes, const Complain& complain) {
  if (path.empty()) return {{}, "no secrets file"};
  const auto file = io::Dir::open_trusted_file(path, io::Dir::Use::kRead);
  if (!file) return {{}, "no secrets file"};
  struct stat st{};
  if (::fstat(file->fd(), &st) != 0) {
    complain(fmt::format("fstat({})", path));
    return {{}, "ignoring secrets file"};
  }
  if (strict_modes) {
    if ((st.st_mode & 06) != 0) {
      complain("secrets file must not be other-accessible (see strict modes option)");
      return {{}, "ignoring secrets file"};
    }
    if (::getuid() == 0 && st.st_uid != 0) {
      complain("secrets file must be owned by root when running as root (see strict modes)");
      return {{}, "ignoring secrets file"};
    }
  }
  Secrets out;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(file->fd(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || out.text.size() > kMaxSecretsBytes) break;
    out.text.append(buffer, static_cast<size_t>(got));
  }
  ::explicit_bzero(buffer, sizeof buffer);
  return out;
}

Result<Slot> claim_slot(const std::string& lock_file, int most) {
  Slot slot;
  slot.granted = most == 0;
  if (most == 0) return slot;
  const io::File file = TRY(io::Dir::open_trusted_file(lock_file, io::Dir::Use::kUpdate, 0600));
  slot.fd = io::Fd(::fcntl(file.fd(), F_DUPFD_CLOEXEC, 0));
  if (!slot.fd.valid()) return fail_errno();
  // A lock of the open file, not of the process: it survives fork() and the closing of other descriptors.
  for (int i = 0; i < most && !slot.granted; ++i) {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(i) * 4;
    lock.l_len = 4;
    slot.granted = ::fcntl(slot.fd.get(), F_OFD_SETLK, &lock) == 0;
  }
  return slot;
}

}  // namespace ocsync::sync
