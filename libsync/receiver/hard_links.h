// Groups of names for one inode, as the generator works through them.
//
// Members that do not exist yet wait until one of their group is complete; then all are linked to it. Which member is
// asked for: one that is up to date, else the last one known.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "libsync/list/segment.h"

namespace ocsync::sync {

class HardLinks {
 public:
  struct Member {
    int32_t ndx = 0;
    std::shared_ptr<Segment> segment;
    Entry* entry = nullptr;
  };
  enum class State : uint8_t { kOpen, kBusy, kDone };
  struct Group {
    State state = State::kOpen;
    std::string leader_path;      // once done
    int basis_dir = -1;           // dry run: the leader is a match in this basis directory
    int32_t leader_ndx = -1;      // ... and has this index
    std::vector<Member> waiting;  // each counts as in progress in its segment
    std::vector<int32_t> passed;  // indexes of members that hold nothing up (--compare-dest has them, or they could
                                  // not be made), but are to become links where another is made
  };
  // A list that came later may continue groups: their members so far are not the last any more.
  void arrived(const std::shared_ptr<Segment>& segment) {
    for (int32_t i = 0; i < segment->count(); ++i) {
      Entry& entry = segment->sorted(i);
      if (!entry.active() || !entry.has(kLinked) || !entry.has(kLinkLast)) continue;
      Member& last = last_[entry.extras()->link_key];
      if (const auto alive = last_segment_[entry.extras()->link_key].lock(); alive && alive != segment && last.entry)
        last.entry->unset(kLinkLast);
      last.entry = &entry;
      last_segment_[entry.extras()->link_key] = segment;
    }
  }
  Group& group_of(const Entry& entry) { return groups_[entry.extras()->link_key]; }
  void wait(Group& group, Member member) {
    ++member.segment->in_progress;
    group.waiting.push_back(std::move(member));
  }
  // The members to be linked now that the group is done, in the order rsync links them (latest first). None is in
  // progress any more. `live`: the segment of an index, or null where its list is done with.
  std::vector<Member> take_waiting(Group& group, const std::function<std::shared_ptr<Segment>(int32_t)>& live) {
    std::vector<Member> out(group.waiting.rbegin(), group.waiting.rend());
    for (const Member& member : out) --member.segment->in_progress;
    for (const int32_t ndx : group.passed)
      if (auto segment = live(ndx)) {
        Entry* const entry = &segment->by_ndx(ndx);
        out.push_back({ndx, std::move(segment), entry});
      }
    if (!group.passed.empty()) std::ranges::sort(out, std::greater(), &Member::ndx);
    group.waiting.clear();
    group.passed.clear();
    return out;
  }

 private:
  std::unordered_map<int64_t, Group> groups_;
  std::unordered_map<int64_t, Member> last_;  // entry only; alive while last_segment_ is
  std::unordered_map<int64_t, std::weak_ptr<Segment>> last_segment_;
};

}  // namespace ocsync::sync
