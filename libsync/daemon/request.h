// What a client asks for once it is in: its arguments, and the names among them, reduced to the module.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libsync/list/name_charset.h"
#include "libsync/options/parse.h"

namespace ocsync::sync {

inline constexpr size_t kMaxDaemonArguments = 16000;

// Arguments as a daemon's client sends them: up to an empty one, each ended by a zero byte (`nulls`), or by a newline
// below version 30. Bounded in number and size.
Result<std::vector<std::string>> read_daemon_args(Reader& in, bool nulls);

struct ClientRequest {
  std::vector<std::string> options;  // the first list up to its dot; word 0 is the program's name
  std::vector<std::string> paths;    // what stands behind the dot
  std::vector<std::string> all;      // every word, as hooks are told
  bool secluded = false;             // the paths came in a second list, which no blank divides
  Result<ParsedCommand> parsed;
  std::string shown;  // the paths for log and hooks, cut where they are too long
};
// Fails if the lists cannot be read; options that make no sense are in `parsed`.
// `charset`: the module's, if it has one; secluded arguments travel in that of the wire.
Result<ClientRequest> hear_arguments(Reader& in, bool nulls, const ParseEnvironment& environment, NameCharset* charset);

// What stands behind the dot, for module `name`: the name goes, and what was joined by " NAME/" is split again.
std::vector<std::string> split_request(const std::string& text, const std::string& name, bool secluded);

// Expands wildcards below the current directory, never leaving it; names that `hidden` tells of do not match. No match:
// the pattern itself. `as_shell`: names that begin with a dot only match where the pattern says the dot.
using HiddenName = std::function<bool(std::string_view path, bool is_dir)>;
std::vector<std::string> expand_wildcards(const std::string& pattern, const HiddenName& hidden, bool as_shell = false);

// Makes operands of what was asked for (in front of them the "." of a server), and keeps every path among the options
// inside the module, whose directory is `root` for this process.
void reduce_to_module(Options& options, const ClientRequest& request, const std::string& module_name,
                      const std::string& root, const HiddenName& hidden);

}  // namespace ocsync::sync
