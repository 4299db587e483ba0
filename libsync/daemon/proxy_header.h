// What a trusted proxy says in front of a connection: on whose behalf it calls (PROXY protocol, versions 1 and 2).
#pragma once

#include <string>

#include "libio/base/result.h"
#include "libio/base/stream.h"

namespace ocsync::sync {

// The caller's address; empty if the proxy speaks for itself or of a family without addresses. kProtocol for anything
// that is no such header. Reads not one byte more than the header.
Result<std::string> read_proxy_header(Reader& in);

}  // namespace ocsync::sync
