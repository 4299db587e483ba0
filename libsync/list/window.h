// The segments a role still needs, oldest first; finds an entry by its wire index. One thread's own.
#pragma once

#include <deque>
#include <memory>

#include "libsync/list/segment.h"

namespace ocsync::sync {

class SegmentWindow {
 public:
  void add(std::shared_ptr<Segment> segment) { segments_.push_back(std::move(segment)); }
  bool empty() const { return segments_.empty(); }
  size_t size() const { return segments_.size(); }
  const std::shared_ptr<Segment>& oldest() const { return segments_.front(); }
  const std::shared_ptr<Segment>& newest() const { return segments_.back(); }
  void release_oldest() { segments_.pop_front(); }
  // The segment whose entries, or whose gap index (first_ndx() - 1), include `ndx`; null if none is alive.
  Segment* find(int32_t ndx) const {
    for (const auto& segment : segments_)
      if (ndx >= segment->first_ndx() - 1 && ndx < segment->end_ndx()) return segment.get();
    return nullptr;
  }
  auto begin() const { return segments_.begin(); }
  auto end() const { return segments_.end(); }

 private:
  std::deque<std::shared_ptr<Segment>> segments_;
};

}  // namespace ocsync::sync
