// The directories of an incremental list, numbered over the session: what a sub-list belongs to.
//
// Grows on the thread that makes or reads lists; nodes never move. Another thread may use a node once it got it through
// a queue, and then owns its `entry.marks`.
#pragma once

#include <deque>
#include <string>

#include "libsync/list/segment.h"

namespace ocsync::sync {

struct DirNode {
  explicit DirNode(const Entry& in_list);
  DirNode(const DirNode&) = delete;
  // Takes over what became of the entry since: mapped ids, merged marks, a name without its leading "/".
  void refresh(const Entry& in_list);

  std::string path;        // "." for the root
  Entry entry;             // a copy that outlives its segment; its strings are this node's
  bool listed = false;     // its sub-list was sent or received
  bool cleared = false;    // a duplicate that lost
  uint64_t device = 0;     // receiving side: where it lives, for -x
  uint32_t source_root = 0;  // sender: which scan root it was found under

 private:
  std::string dir_, leaf_;
  Extras extras_;          // for directories with ACLs or attributes
};

class DirTable {
 public:
  // Numbers the directories of a sealed segment in order (all of them, cleared ones too) and returns the first number.
  int32_t add(Segment& segment);
  int32_t count() const { return static_cast<int32_t>(nodes_.size()); }
  DirNode& node(int32_t number) { return nodes_[static_cast<size_t>(number)]; }

 private:
  std::deque<DirNode> nodes_;
};

}  // namespace ocsync::sync
