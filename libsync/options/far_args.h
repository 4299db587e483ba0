// Options become the argument vector of a far side.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

// What is put on the far side's command line, and what is sent over the stream instead (secluded arguments).
struct FarArguments {
  std::vector<std::string> words;     // "--server" ... ; without ".", without paths unless nothing is secluded
  std::vector<std::string> secluded;  // with --secluded-args: the options after the letters; empty otherwise
};

// Options for the far side, quoted for a shell where 1.8 says so: from "--server" up to, excluding, "." and the paths.
Result<FarArguments> far_arguments(const Options& options, bool we_are_sender);

// The complete vectors for a far side started by a shell: words end with "." and `paths` (quoted; an empty one becomes
// "."), or, with secluded arguments, `secluded` is the whole second vector: "rsync", options, ".", paths.
Result<FarArguments> far_command(const Options& options, bool we_are_sender, const std::vector<std::string>& paths);

// The text after the letter e (1.7), starting with '.'; empty if the protocol is below 30.
std::string capability_text(const Options& options, bool we_are_sender);
// Would this client (or, with options.server, this server) take part in incremental recursion?
bool wants_incremental_recursion(const Options& options, bool we_are_sender);

// Backslashes for bytes that a shell would take for its own. File names keep their wildcards.
std::string quote_option_value(const Options& options, std::string_view value);
std::string quote_file_argument(const Options& options, bool we_are_sender, std::string_view name);
// Undoes the quoting of option arguments (a daemon on a socket, where no shell does it).
std::string unquote_argument(std::string_view text);

}  // namespace ocsync::sync
