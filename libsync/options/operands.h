// What an operand means: a local path, HOST:PATH, HOST::MODULE/PATH or rsync://HOST[:PORT]/MODULE/PATH.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

struct Operand {
  enum class Where : uint8_t { kLocal, kShell, kDaemon };
  Where where = Where::kLocal;
  std::string user;  // before '@'; empty: none was given
  bool has_user = false;
  std::string host;  // IPv6 addresses without their brackets; empty in ":path" (same host as the first source)
  int port = 0;      // kDaemon: 0 means the default
  std::string path;  // local path; path on the host; "MODULE/PATH" for a daemon (empty: list the modules)

  std::string user_and_host() const { return has_user ? user + "@" + host : host; }
};

// Never fails: what is no host specification is a local path. A ':' after the first '/' is part of a path.
Operand parse_operand(std::string_view text);

// The direction of a run and its operands, checked as a client does (exit 1 with rsync's texts).
struct Journey {
  enum class Kind : uint8_t { kLocal, kPush, kPull };
  Kind kind = Kind::kLocal;
  bool daemon = false;                     // the far side is a daemon
  bool daemon_by_shell = false;            // ... reached through -e instead of a socket
  Operand far;                             // host, user and port of the far side (kPush, kPull)
  std::vector<std::string> sources;        // local paths (kLocal, kPush) or paths on the far side (kPull); may be empty
                                           // only with --read-batch
  std::optional<std::string> destination;  // unset: nothing was given, list only
};
Result<Journey> plan_journey(const Options& options);

// Words of a remote-shell command: split at spaces; ' and " quote, doubled inside quotes they stand for themselves.
// An unterminated quote is kUsage.
Result<std::vector<std::string>> split_shell_command(std::string_view text);

// The words before the far side's program: shell, "-l USER", "-4"/"-6" for ssh, host (1.4 steps 1 to 3).
// `default_shell` is RSYNC_RSH or "ssh"; options.shell wins. kUsage for a host that begins with '-'.
Result<std::vector<std::string>> shell_words(const Options& options, std::string_view default_shell, const Operand& far,
                                             bool daemon_by_shell);

}  // namespace ocsync::sync
