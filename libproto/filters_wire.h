// Filter rules as sent: raw texts with their lengths. What a text means is the rule parser's business. See
// docs/filters_wire.md.
#pragma once

#include <string>
#include <vector>

#include "libio/base/result.h"
#include "libio/base/stream.h"

namespace ocsync::proto {

// Empty rules are left out (their length would end the list); a rule of kBigPath or more fails with Fault::kMemory,
// since the far side would.
Status write_rules(const std::vector<std::string>& rules, Writer& out);
// Refuses (Fault::kMemory) a rule of kBigPath bytes or more, and more than kMaxFilterText in all.
Result<std::vector<std::string>> read_rules(Reader& in);

}  // namespace ocsync::proto
