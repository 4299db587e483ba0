#include "libsync/list/entry.h"

namespace ocsync::sync {

void Entry::path_into(std::string& out) const {
  out.assign(dir, dir_length);
  if (dir_length > 0 && !(dir_length == 1 && dir[0] == '/')) out += '/';
  out.append(leaf, leaf_length);
}

std::string Entry::path() const {
  std::string out;
  path_into(out);
  return out;
}

}  // namespace ocsync::sync
