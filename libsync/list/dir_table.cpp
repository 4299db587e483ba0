#include "libsync/list/dir_table.h"

namespace ocsync::sync {

DirNode::DirNode(const Entry& listed)
    : path(listed.path()), entry(listed), cleared(!listed.active()), source_root(listed.extras ? listed.extras->source_root : 0), dir_(listed.dir_view()), leaf_(listed.leaf_view()) {
  entry.dir = dir_.c_str();
  entry.leaf = leaf_.c_str();
  entry.extras = nullptr;
}

int32_t DirTable::add(Segment& segment) {
  const int32_t first = count();
  const auto number = [&](Entry& entry) {
    if (!entry.is_dir()) return;
    entry.dir_index = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back(entry);
  };
  if (segment.transmit_indexes())
    for (int32_t i = 0; i < segment.count(); ++i) number(segment.added(i));
  else
    for (int32_t i = 0; i < segment.count(); ++i) number(segment.sorted(i));
  return first;
}

}  // namespace ocsync::sync
