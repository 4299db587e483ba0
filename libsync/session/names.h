// Which names the sending side starts from: operands, or a list of names (--files-from).
#pragma once

#include <string>
#include <vector>

#include "libio/base/stream.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

class NameCharset;

struct SourceNames {
  std::string base;  // relative names start here; empty: the working directory
  std::vector<std::string> names;
};
// For a list on this machine, whose text is `list`; without --files-from the operands themselves.
Result<SourceNames> local_source_names(const Options& options, const std::vector<std::string>& operands,
                                       const std::string& list);
// For a list that the far side forwards. `from_wire` (may be null): names that travel beside secluded arguments are
// converted as those are.
Result<std::vector<std::string>> forwarded_names(Reader& in, NameCharset* from_wire);

}  // namespace ocsync::sync
