// Argument vectors sent over the stream instead of the command line (--secluded-args). See docs/args.md.
#pragma once

#include <string>
#include <vector>

#include "libio/base/result.h"
#include "libio/base/stream.h"

namespace ocsync::proto {

// Each argument with a final zero byte, then an empty one. An empty argument travels as ".". `args` begins with the
// program's name. An argument with a zero byte inside is an error of the caller's.
Status write_args(const std::vector<std::string>& args, Writer& out);
// Reads up to the empty argument. Arguments are cut at kMaxPath - 1 bytes, as upstream does; too many, or too much text
// in all, is refused (Fault::kProtocol).
Result<std::vector<std::string>> read_args(Reader& in);

}  // namespace ocsync::proto
