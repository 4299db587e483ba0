// How the daemon ends a conversation: with an answer for the client, once the log has heard its own story.
#pragma once

#include <string>
#include <utility>

#include "libio/base/result.h"

namespace ocsync::sync {

// `text` goes to the client behind "@ERROR: "; empty: it hears nothing. The process ends with `exit_code`.
inline std::unexpected<Error> turn_away(std::string text, int exit_code = 1) {
  Error error(Fault::kStartup, std::move(text));
  error.code = exit_code;
  return fail(std::move(error));
}

}  // namespace ocsync::sync
