// The port to ourselves: files are copied from source to destination on this machine, without wire, sums or tokens.
//
// The generator's thread's own. Sources and outputs are opened in the order of the list, so that lines come in it; what
// follows is left to workers unless somebody watches single files (see the constructor). Lines of output are held back
// shortly, because rsync's do wait in a buffer, and what the generator says meanwhile (deletions, skips) overtakes
// them.
#pragma once

#include <deque>

#include "libsync/receiver/copy_workers.h"
#include "libsync/receiver/place.h"
#include "libsync/receiver/transfers.h"
#include "libsync/sender/source.h"

namespace ocsync::sync {

class LocalTransfers final : public Transfers {
 public:
  LocalTransfers(const Terms& terms, const FilterRules& filters, const Scanner& scanner, Destination& destination,
                 Events& events);
  Status report(int32_t ndx, const std::shared_ptr<Segment>& segment, Entry& entry, const proto::Item& item) override;
  Status request(Request request) override;
  Status list_done() override { return {}; }
  Status phase_done() override;
  Status deletions(const proto::DeletionCounts&) override { return {}; }
  Status success(int32_t ndx, const std::shared_ptr<Segment>& segment, Entry& entry, std::string_view path) override;
  Status flush() override;
  // --remove-source-files: removes those that wait for it; once the generator has ended.
  void remove_arrived();
  bool made_partial_dir(const std::string& path) const override { return placer_.made_partial_dir(path); }

 private:
  struct Held {
    std::shared_ptr<Segment> segment;
    const Entry* entry;
    proto::Item item;
    bool transferred = false;
    uint64_t data_bytes = 0;
  };
  enum class Moment : uint8_t { kOnly, kStart, kDone, kBoth };  // of a transfer, or no transfer at all
  void show(const Held& line, Moment moment);
  Status hold(Held line);
  void trace_item(int32_t ndx, const Entry& entry);
  Status copy(Request& request);
  void remove_source(const std::shared_ptr<Segment>& segment, const Entry& entry);
  void remove_oldest();
  bool has_workers();
  Status answer(Event::What what, int32_t ndx) { return events_.push(Event{.what = what, .ndx = ndx}); }

  const Terms& terms_;
  const FilterRules& filters_;
  SourceView sources_;
  Destination& destination_;
  Events& events_;
  Backups backups_;
  Placer placer_;
  std::unique_ptr<CopyWorkers> workers_;  // null: everything happens at once
  bool workers_tried_ = false;
  int copied_here_ = 0;
  std::deque<Held> held_;
  struct Arrived {
    std::shared_ptr<Segment> segment;
    const Entry* entry;
    std::optional<proto::SuccessMessage::Place> place;
  };
  std::deque<Arrived> arrived_;  // their sources are to be removed
  int64_t arrived_bytes_ = 0;
  int64_t held_since_ms_ = 0;
  int phases_ = 0;
};

}  // namespace ocsync::sync
