// Paths as text: the cleaning that rsync's rules about names are written in terms of. Never asks the disk.
#pragma once

#include <string>
#include <string_view>

namespace ocsync::sync {

// Without double slashes, "." components and a final slash; ".." takes away the component before it, and vanishes at
// the top of an absolute path. Empty becomes ".".
std::string clean_path(std::string_view path);

}  // namespace ocsync::sync
