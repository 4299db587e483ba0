#include "libsync/list/dir_table.h"

namespace ocsync::sync {

DirNode::DirNode(const Entry& in_list)
    : cleared(!in_list.active()), source_root(in_list.extras ? in_list.extras->source_root : 0) {
  refresh(in_list);
}

void DirNode::refresh(const Entry& in_list) {
  path = in_list.path();
  dir_ = in_list.dir_view();
  leaf_ = in_list.leaf_view();
  entry = in_list;
  entry.dir = dir_.c_str();
  entry.leaf = leaf_.c_str();
  entry.extras = nullptr;
  if (!in_list.extras || (in_list.extras->acl < 0 && in_list.extras->xattrs < 0)) return;
  extras_ = Extras();
  extras_.acl = in_list.extras->acl;
  extras_.default_acl = in_list.extras->default_acl;
  extras_.xattrs = in_list.extras->xattrs;
  extras_.source_root = in_list.extras->source_root;
  entry.extras = &extras_;
}

int32_t DirTable::add(Segment& segment) {
  const int32_t first = count();
  const auto number = [&](Entry& entry) {
    if (!entry.is_dir()) return;
    entry.dir_index = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back(entry);
    segment.dirs.push_back(&nodes_.back());
  };
  if (segment.transmit_indexes())
    for (int32_t i = 0; i < segment.count(); ++i) number(segment.added(i));
  else
    for (int32_t i = 0; i < segment.count(); ++i) number(segment.sorted(i));
  return first;
}

}  // namespace ocsync::sync
