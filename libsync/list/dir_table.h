// The directories of an incremental list, numbered over the session: what a sub-list belongs to.
//
// Grows on the thread that makes or reads lists; nodes never move. Another thread may use a node once it got it through
// a queue, and then owns its `entry.marks`.
#pragma once

#include <deque>
#include <string_view>

#include "libio/base/arena.h"
#include "libsync/list/segment.h"

namespace ocsync::sync {

// One of them, kept for the whole session: about a hundred bytes with its name.
struct DirNode {
  // Names and extras go into `memory`.
  DirNode(const Entry& in_list, int32_t its_number, Arena& memory);
  DirNode(const DirNode&) = delete;
  // Takes over what became of the entry since: mapped ids, merged marks, a name without its leading "/".
  void refresh(const Entry& in_list);
  std::string_view path() const { return path_.view(); }  // "." for the root

  Entry entry;           // a copy that outlives its segment
  int32_t number;        // in the session
  uint32_t source_root;  // sender: which scan root it was found under
  bool listed = false;   // its sub-list was sent or received
  bool cleared;          // a duplicate that lost

 private:
  void take(const Entry& in_list, std::string_view path, Extras* extras);
  ShortText path_;
};

class DirTable {
 public:
  // Numbers the directories of a sealed segment in order (all of them, cleared ones too) and returns the first number.
  int32_t add(Segment& segment);
  int32_t count() const { return static_cast<int32_t>(nodes_.size()); }
  DirNode& node(int32_t number) { return nodes_[static_cast<size_t>(number)]; }

 private:
  std::deque<DirNode> nodes_;
  Arena memory_{1024};
};

}  // namespace ocsync::sync
