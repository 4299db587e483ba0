// Directories and files that somebody named: the operator on a command line, or a daemon's client. The first may lead
// anywhere by links that can be trusted (--insecure-links: by any), or anywhere below --confine-root; the second stays
// inside the module whatever lies there.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>

#include "libio/os/dir.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

// What is said where a link of others lies on the way.
inline constexpr std::string_view kRefusesLink =
    "refusing to follow a symlink owned by an untrusted user; use --insecure-links locally or \"insecure links = yes\" "
    "in a "
    "daemon module ONLY if every path component is trusted";
// Is that why a path could not be gone along? (A trusted walk tells more than the kernel then.)
inline bool is_link_of_others(const Error& error) { return error.sys == ELOOP && !error.text.empty(); }

Result<io::Dir> open_named_dir(const std::string& path, const Options& options);
// The same for a path that starts in `from`, a directory of the destination (--partial-dir).
Result<io::Dir> open_named_below(const io::Dir& from, const std::string& relative, const Options& options);
// The directory of the last component, and that component ("." if there is none to speak of).
Result<io::Dir::Place> named_parent(const std::string& path, const Options& options);
// mkdir() of the last component; EEXIST if there is something.
Status make_named_dir(const std::string& path, uint32_t mode, const Options& options);
// stat(), with nothing outside the module to be seen.
Result<io::FileInfo> named_info(const std::string& path, const Options& options);
// What lies at `name` below `dir` (absolute), as messages call it, in quotes. What a daemon serves is called by its way
// below the module: where the module lies is nothing for its clients.
std::string full_name(std::string_view dir, std::string_view name, const Options& options);
// A file to read, which in a module lies in it.
Result<io::File> open_named_file(const std::string& path, const Options& options);

}  // namespace ocsync::sync
