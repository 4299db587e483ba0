// Who may come in: addresses and names, users and their secrets, the number of connections. Doubt means no.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libio/os/fd.h"

namespace ocsync::sync {

inline constexpr std::string_view kUndeterminedHost = "UNDETERMINED";  // nobody asked for the name
inline constexpr std::string_view kUnknownHost = "UNKNOWN";            // it has none that can be trusted

struct Visitor {
  std::string address;
  std::string host;  // verified name, or one of the two above
};

// The IPv4 addresses of a name; nothing if it cannot be resolved.
using ForwardLookup = std::function<std::optional<std::vector<std::string>>(const std::string& name)>;
std::optional<std::vector<std::string>> resolve_ipv4(const std::string& name);

// One word of a list that is an address, a prefix or a mask. A malformed one matches nobody; `complain` hears of it.
using Complain = std::function<void(const std::string&)>;
bool address_matches(const std::string& address, std::string_view word, const Complain& complain);

struct HostRules {
  std::string allow, deny;
  bool forward_lookup = true;
};
// A name that the forward look-up confirms may replace kUndeterminedHost in `visitor`.
bool may_visit(const HostRules& rules, Visitor& visitor, const ForwardLookup& look_up, const Complain& complain);
// The trusted proxies: an empty list trusts nobody.
bool is_trusted_proxy(const std::string& list, Visitor& visitor, const Complain& complain);

// The verdict of "auth users" on a name that is not yet proven.
struct UserRule {
  enum class Access : uint8_t { kDefault, kReadOnly, kReadWrite, kDeny } access = Access::kDefault;
  std::string group;  // it was the rule of this group; empty: of the user
};
// `groups_of` is asked at most once, and only if a group is named.
std::optional<UserRule> match_user(std::string_view rules, const std::string& user,
                                   const std::function<std::vector<std::string>(const std::string&)>& groups_of);
std::vector<std::string> group_names_of(const std::string& user);

// Is there a line of the secrets file (whose content is `text`) that makes this response? Empty: yes; else the reason
// for the log. `respond` computes the response to a password.
std::string check_secret(std::string_view text, const std::string& user, const std::string& group,
                         const std::string& response, const std::function<std::string(std::string_view)>& respond);
// The content of a secrets file, or the reason for the log ("no secrets file", "ignoring secrets file").
struct Secrets {
  std::string text;
  std::string reason;
};
Secrets read_secrets(const std::string& path, bool strict_modes, const Complain& complain);

// One of `most` slots of the lock file, held until the descriptor (and all its copies) is closed. An invalid
// descriptor: all are taken. 0 means no limit and locks nothing.
struct Slot {
  bool granted = false;
  io::Fd fd;
};
Result<Slot> claim_slot(const std::string& lock_file, int most);

}  // namespace ocsync::sync
