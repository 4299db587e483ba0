// The receiving role: segments, items and tokens from the far sender; it alone reads from the far side and never waits
// for another role.
#pragma once

#include <atomic>
#include <map>
#include <optional>

#include "libproto/closing.h"
#include "libproto/tokens.h"
#include "libsync/list/exchange.h"
#include "libsync/list/window.h"
#include "libsync/receiver/backup.h"
#include "libsync/receiver/basis.h"
#include "libsync/receiver/destination.h"
#include "libsync/receiver/named_basis.h"
#include "libsync/receiver/pending.h"
#include "libsync/receiver/place.h"
#include "libsync/receiver/replay.h"
#include "libsync/session/channel.h"

namespace ocsync::sync {

class Receiver {
 public:
  Receiver(const Terms& terms, const FilterRules& filters, Channel& channel, ListReceiver& lists,
           Destination destination, Pending& pending, Events& events, Replay* replay = nullptr);
  // `first` and `second` (may be null) were read before the roles started; `list_complete`: the end of lists as well.
  // Runs until the sender's goodbye. The events queue learns everything, the end included.
  Status run(std::shared_ptr<Segment> first, std::shared_ptr<Segment> second, bool list_complete);
  // True from before the events queue learns of a failure.
  bool failed() const { return failed_; }
  // What a server sender told of its side, and the deletions it repeated.
  const std::optional<proto::Statistics>& statistics() const { return statistics_; }

 private:
  Status read_all(std::shared_ptr<Segment> first, std::shared_ptr<Segment> second, bool list_complete);
  Result<int32_t> next_index();
  void apply_values(const Entry& entry, const proto::Item& item);
  Status on_item(int32_t ndx);
  // The file of this entry is in place: the sender may remove its own.
  void tell_success(int32_t ndx, std::string_view path);
  void place_delayed();
  Status on_transfer(int32_t ndx, Entry& entry, const proto::Item& item);
  Result<std::optional<Request>> request_for(int32_t ndx, Entry& entry);
  Status skip_content();
  Result<bool> replay_wants(int32_t ndx, int list);
  Status list_over(const Segment& segment);
  void show(const Entry& entry, const proto::Item& item, uint64_t data_bytes, const Digest& digest,
            const Request* request = nullptr);
  void count_created(const Entry& entry, const proto::Item& item);
  Entry* entry_at(int32_t ndx, Segment*& segment);

  const Terms& terms_;
  Channel& channel_;
  ListReceiver& lists_;
  Destination destination_;
  Pending& pending_;
  Events& events_;
  NamedBasis named_basis_;
  Backups backups_;
  Placer placer_;
  std::unique_ptr<proto::TokenReader> tokens_;
  SegmentWindow window_;
  bool list_complete_ = false;
  int phase_ = 0;
  std::atomic<bool> failed_{false};
  std::optional<proto::Statistics> statistics_;

  // --read-batch.
  Replay* replay_;
  std::map<int32_t, Request> retries_;  // content that did not verify; the file may hold a second version
  int lists_over_ = 0;
};

}  // namespace ocsync::sync
