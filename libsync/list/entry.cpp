#include "libsync/list/entry.h"

namespace ocsync::sync {

void Entry::path_into(std::string& out) const {
  const std::string_view dir = dir_view();
  out.assign(dir);
  if (!dir.empty() && dir != "/") out += '/';
  out.append(leaf_view());
}

std::string Entry::path() const {
  std::string out;
  path_into(out);
  return out;
}

}  // namespace ocsync::sync
