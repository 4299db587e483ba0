#include "libsync/daemon/login.h"

#include <fmt/format.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include "libio/base/clock.h"
#include "libproto/auth.h"
#include "libsync/daemon/turn_away.h"
#include "libsync/report/exit_code.h"

namespace ocsync::sync {
namespace {

std::optional<DigestKind> auth_digest(const std::string& name) {
  for (const DigestKind kind :
       {DigestKind::kSha512, DigestKind::kSha256, DigestKind::kSha1, DigestKind::kMd5, DigestKind::kMd4})
    if (::strcasecmp(std::string(digest_name(kind)).c_str(), name.c_str()) == 0) return kind;
  return std::nullopt;
}

// Empty: the response proves that the client knows the secret of the user the rule is about.
std::string judge(const LoginDesk& desk, const std::optional<UserRule>& rule, const proto::Credentials& credentials,
                  const proto::AuthMethod& method, const std::string& challenge) {
  if (!rule) return "no matching rule";
  if (rule->access == UserRule::Access::kDeny) return "denied by rule";
  const auto complain = [&](const std::string& text) { desk.log.line(text, true); };
  Secrets secrets =
      read_secrets(desk.module.text(Param::kSecretsFile), desk.module.flag(Param::kStrictModes), complain);
  if (!secrets.reason.empty()) return secrets.reason;
  const std::string why =
      check_secret(secrets.text, credentials.user, rule->group, credentials.response,
                   [&](std::string_view password) { return proto::auth_response(method, password, challenge); });
  ::explicit_bzero(secrets.text.data(), secrets.text.size());
  return why;
}

}  // namespace

Result<Login> log_in(const LoginDesk& desk, Reader& in, Writer& out) {
  const Module& module = desk.module;
  const std::string rules = module.text(Param::kAuthUsers);
  if (rules.empty()) return Login{};
  const std::string where =
      fmt::format("auth failed on module {} from {} ({})", module.name, desk.visitor.host, desk.visitor.address);
  const auto failed = [&](const std::string& why) {
    desk.log.line(where + why);
    return turn_away(fmt::format("auth failed on module {}", module.name));
  };
  const auto method =
      proto::choose_auth(proto::our_auth_digests(), desk.greeting.has_digests, desk.greeting.digests, desk.version);
  if (!method) {
    return turn_away(
        fmt::format("your client does not support one of our daemon-auth checksums: {}", proto::our_auth_digests()),
        kExitUnsupported);
  }
  if (const std::string floor = module.text(Param::kAuthDigest); !floor.empty()) {
    const auto least = auth_digest(floor);
    if (!least)
      return failed(fmt::format(": the configured 'auth digest = {}' is not a supported digest on this build", floor));
    if (!proto::auth_strong_enough(method->digest, *least))
      return failed(fmt::format(": negotiated auth digest {} is weaker than the required 'auth digest = {}'",
                                digest_name(method->digest), floor));
  }
  std::byte random[32];
  if (::getrandom(random, sizeof random, 0) != static_cast<ssize_t>(sizeof random))
    return failed(": no random numbers");
  const std::string challenge =
      proto::make_challenge(*method, random, fmt::format("{}{}{}", desk.visitor.address, monotonic_ms(), ::getpid()));
  TRY(out.text(proto::auth_required_line(challenge)));
  TRY(out.flush());
  auto line = proto::read_line(in, proto::kDaemonLineMax);
  if (!line && line.error().fault == Fault::kTimeout) return fail(line.error());
  const auto credentials = line ? proto::parse_credentials(*line) : std::nullopt;
  if (!credentials) return failed(": invalid challenge response");
  const auto rule = match_user(rules, credentials->user, group_names_of);
  if (const std::string why = judge(desk, rule, *credentials, *method, challenge); !why.empty())
    return failed(fmt::format(" for {}: {}", credentials->user, why));
  return Login{credentials->user, rule->access};
}

}  // namespace ocsync::sync
