// The port through which the generator asks for content and tells what it did, whoever answers: a sender across a wire,
// or copy workers in this process. Each request gets exactly one kDone, kRedo or kFailed event.
#pragma once

#include "libsync/receiver/request.h"

namespace ocsync::sync {

class Transfers {
 public:
  virtual ~Transfers() = default;
  // Something changed here without a transfer (or an unchanged item is to be shown).
  virtual Status report(int32_t ndx, const std::shared_ptr<Segment>& segment, Entry& entry,
                        const proto::Item& item) = 0;
  // Dry runs ask as well: the answer is then only a line of output.
  virtual Status request(Request request) = 0;
  // All requests of the oldest list are answered and the list is given up.
  virtual Status list_done() = 0;
  // A phase is over on this side.
  virtual Status phase_done() = 0;
  virtual Status deletions(const proto::DeletionCounts& counts) = 0;
  // --remove-source-files: the item is safely here.
  virtual Status success(int32_t ndx, const std::shared_ptr<Segment>& segment, Entry& entry,
                         std::string_view path) = 0;  // `path`: below the destination
  // Everything asked so far is on its way. Called before the generator waits.
  virtual Status flush() = 0;
  // So many requests are under way that answers should be taken first; asked again after each of them.
  virtual bool wants_pause() { return false; }
  // A directory for partial files that answers already made here. Across a wire the generator has usually looked
  // before.
  virtual bool made_partial_dir(const std::string&) const { return false; }
};

}  // namespace ocsync::sync
