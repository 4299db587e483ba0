// Questions about options that several rooms ask.
#include "libsync/options/options.h"

namespace ocsync::sync {

bool format_shows(std::string_view format, char escape) {
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%') continue;
    size_t next = at + 1;
    const auto skip = [&](std::string_view set) {
      while (next < format.size() && set.find(format[next]) != std::string_view::npos) ++next;
    };
    skip("'");
    if (next < format.size() && format[next] == '-') ++next;
    skip("0123456789");
    skip("'");
    if (next < format.size() && format[next] == escape) return true;
    at = next;
  }
  return false;
}

}  // namespace ocsync::sync
