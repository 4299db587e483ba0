// The command that an ssh client wanted, taken apart and checked word by word against the option table.
//
// Nothing here touches the disk: what a path may name is asked of the caller.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/result.h"
#include "libsync/restrict/rules.h"

namespace ocsync::sync {

struct RestrictedRequest {
  bool sends = false;                  // the client pulls
  bool relative = false;               // -R: the whole path is the name that travels
  std::vector<std::string> options;    // from "--server" on, ready for a server
  std::vector<std::string> arguments;  // the paths, at least one
};

struct PathChecks {
  // The value of an option that names a path, as it is to be given to the server. `option` includes the dashes. Not
  // `used`: the server makes nothing of it.
  std::function<Result<std::string>(const std::string& option, std::string value, bool sends, bool used)> value;
  // One argument (its backslashes still there) to the paths it names.
  std::function<Result<std::vector<std::string>>(const RestrictedRequest& so_far, const std::string& word)> argument;
};

// `command`: what SSH_ORIGINAL_COMMAND holds. `whole_disk`: the restricted directory is "/". An Error's text (of
// Fault::kUsage) is what the client is to read.
Result<RestrictedRequest> check_request(std::string_view command, const RestrictRules& rules, bool whole_disk,
                                        const PathChecks& checks);

// The command's words as a shell would split them, wildcards and backslashes left alone.
std::vector<std::string> split_words(std::string_view command);
std::string without_backslashes(std::string_view word);

// As logs and complaints show it, in the form that the programs reading such logs know: 'it', or "it's".
std::string quoted_word(std::string_view word);

}  // namespace ocsync::sync
