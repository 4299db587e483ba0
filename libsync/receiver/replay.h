// --read-batch: which recorded content is wanted. The generating role notes what it would have asked for; the reading
// role, which meets the answers in the file, waits until it is known whether this one was asked for.
//
// Nothing is asked of anybody, so waiting here cannot be part of a circle: the generating role never waits for content.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "libsync/receiver/pending.h"
#include "libsync/receiver/transfers.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

class Replay {
 public:
  // Called for an entry that was asked for and is not in the file.
  using Missing = std::function<Status(int32_t ndx)>;
  explicit Replay() = default;

  // The generating role: an entry is wanted; a list (or the last of them) is through.
  void asked(int32_t ndx);
  void mark();
  // Whoever waits returns.
  void close();

  // The reading role: is `ndx` of the list number `list` (the first is 1; 0 where lists are not incremental) wanted?
  // Entries before it that were asked for are missing. `before_waiting` wakes the generating role.
  Result<bool> wants(int32_t ndx, int list, const Missing& missing, const std::function<void()>& before_waiting);

 private:
  static constexpr int32_t kMark = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<int32_t> asked_;
  bool closed_ = false;
  // The reading role's own.
  int32_t next_ = -1;
  int marks_ = 0;
  bool ended_ = false;
};

// The port of a generating role that has a file for a sender.
class ReplayTransfers final : public Transfers {
 public:
  ReplayTransfers(Pending& pending, Replay& replay) : pending_(pending), replay_(replay) {}
  // Items are shown as they are met in the file.
  Status report(int32_t, const std::shared_ptr<Segment>&, Entry&, const proto::Item&) override { return {}; }
  Status request(Request request) override;
  Status list_done() override;
  Status phase_done() override { return list_done(); }
  Status deletions(const proto::DeletionCounts&) override { return {}; }
  Status success(int32_t, const std::shared_ptr<Segment>&, Entry&, std::string_view) override { return {}; }
  Status flush() override { return {}; }

 private:
  Pending& pending_;
  Replay& replay_;
};

}  // namespace ocsync::sync
