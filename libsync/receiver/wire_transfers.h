// The port to a sender across a wire: writes items, sum heads and block sums.
#pragma once

#include "libproto/sums.h"
#include "libsync/receiver/destination.h"
#include "libsync/receiver/pending.h"
#include "libsync/receiver/request_window.h"
#include "libsync/receiver/transfers.h"
#include "libsync/session/channel.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// The generator's thread's own.
class WireTransfers final : public Transfers {
 public:
  WireTransfers(const Terms& terms, Channel& channel, Pending& pending, Destination& destination)
      : terms_(terms), channel_(channel), pending_(pending), destination_(destination), hasher_(terms.agreed) {}
  Status report(int32_t ndx, const std::shared_ptr<Segment>& segment, Entry& entry, const proto::Item& item) override;
  Status request(Request request) override;
  Status list_done() override;
  Status phase_done() override;
  Status deletions(const proto::DeletionCounts& counts) override;
  Status success(int32_t ndx, const std::shared_ptr<Segment>& segment, Entry& entry, std::string_view path) override;
  Status flush() override { return channel_.out.flush(); }
  bool wants_pause() override;

 private:
  Status ask_for_values(const Entry& entry, const proto::Item& item);
  Status send_sums(const Request& request);
  const Terms& terms_;
  Channel& channel_;
  Pending& pending_;
  Destination& destination_;
  RequestWindow window_;
  proto::BlockHasher hasher_;
};

}  // namespace ocsync::sync
