// What the owner of an ssh key is allowed, as the line of authorized_keys says it: ocsync-restrict [OPTION...] DIR.
#pragma once

#include <span>
#include <string>

#include "libio/base/result.h"

namespace ocsync::sync {

struct RestrictRules {
  bool read_only = false;     // -ro
  bool write_only = false;    // -wo
  bool munge = false;         // -munge: symlinks are stored so that they cannot be followed
  bool absolute = false;      // -absolute: arguments may begin with the directory's own absolute path
  bool no_delete = false;     // -no-del; -ro says so, too
  bool no_lock = false;       // -no-lock: several transfers at once
  bool no_overwrite = false;  // -no-overwrite: what exists stays as it is
  bool help = false;
  std::string program;  // -program: runs in our place; empty: we are the server ourselves
  std::string dir;      // as written
};

// `args` without the program's name. Options may be shortened as long as they stay unique. The Error's text has no
// program name in front (Fault::kUsage).
Result<RestrictRules> parse_restrict_rules(std::span<const std::string> args);

std::string restrict_help_text(const std::string& program);

}  // namespace ocsync::sync
