#include "libsync/list/dir_table.h"

#include <cassert>
#include <string>

namespace ocsync::sync {

DirNode::DirNode(const Entry& in_list, int32_t its_number, Arena& memory)
    : number(its_number),
      source_root(in_list.extras() ? in_list.extras()->source_root : 0),
      cleared(!in_list.active()) {
  const std::string path = in_list.path();
  const Extras* more = in_list.extras();
  const bool has_meta = more && (more->acl >= 0 || more->xattrs >= 0 || more->keeps_sent);
  take(in_list, {memory.store(path), path.size()}, has_meta ? memory.make<Extras>() : nullptr);
}

void DirNode::refresh(const Entry& in_list) {
  // Names only ever lose something in front.
  const size_t bytes = in_list.path().size();
  assert(bytes <= path_.size());
  take(in_list, path_.view().substr(path_.size() - bytes), entry.extras());
}

void DirNode::take(const Entry& in_list, std::string_view path, Extras* extras) {
  entry = in_list;
  entry.set_extras(nullptr);
  path_ = ShortText(path);
  entry.set_dir(path.substr(0, in_list.dir_view().size()));
  entry.set_leaf(path.substr(path.size() - in_list.leaf_view().size()));
  if (!extras) return;
  extras->acl = in_list.extras()->acl;
  extras->default_acl = in_list.extras()->default_acl;
  extras->xattrs = in_list.extras()->xattrs;
  extras->source_root = source_root;
  extras->keeps_sent = in_list.extras()->keeps_sent;
  extras->sent_uid = in_list.extras()->sent_uid;
  extras->sent_gid = in_list.extras()->sent_gid;
  entry.set_extras(extras);
}

int32_t DirTable::add(Segment& segment) {
  const int32_t first = count();
  std::vector<std::pair<uint32_t, DirNode*>> dirs;
  for (int32_t i = 0; i < segment.count(); ++i) {
    const int32_t position = segment.transmit_indexes() ? i : segment.added_position(i);
    const Entry& entry = segment.added(position);
    if (!entry.is_dir()) continue;
    dirs.emplace_back(static_cast<uint32_t>(position), &nodes_.emplace_back(entry, count(), memory_));
  }
  segment.set_dirs(std::move(dirs));
  return first;
}

}  // namespace ocsync::sync
