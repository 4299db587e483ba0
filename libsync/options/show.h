// What --help, --daemon --help and --version print; made from the table.
#pragma once

#include <string>

namespace ocsync::sync {

std::string help_text();  // begins with the version, as rsync's does
std::string daemon_help_text();
std::string version_text();  // first line exactly "rsync  version 3.5.0  protocol version 32"
std::string version_json();  // rsync's keys
std::string rows_text();     // every spelling, one a line, for scripts/check_options and completion

}  // namespace ocsync::sync
