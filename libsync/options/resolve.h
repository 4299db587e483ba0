// Implications, defaults and conflicts: a Draft (what was typed) becomes Options (what is wanted).
#pragma once

#include <string>
#include <string_view>

#include "libio/base/result.h"
#include "libsync/options/draft.h"
#include "libsync/options/parse.h"

namespace ocsync::sync {

// Consumes the draft. `operands` are the words that are no options.
Result<Options> resolve(Draft draft, std::vector<std::string> operands, const ParseEnvironment& environment);

}  // namespace ocsync::sync
