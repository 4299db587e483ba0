// The terminal, if there is one: its width, and a password typed without echo.
#pragma once

#include <optional>
#include <string>

#include "libio/base/result.h"

namespace ocsync::io {

bool is_terminal(int fd);
// Columns of the terminal behind fd.
std::optional<int> terminal_width(int fd);
// Asks on the controlling terminal. Fails with errno where there is none; at most 1023 bytes, without the newline.
Result<std::string> read_password(const std::string& prompt);

}  // namespace ocsync::io
