// The receiving side of a wire, client or server: from the first list to the goodbye.
#pragma once

#include "libproto/closing.h"
#include "libsync/filter/rules.h"
#include "libsync/list/exchange.h"
#include "libsync/receiver/replay.h"
#include "libsync/session/pieces.h"

namespace ocsync::sync {

struct ReceivingResult {
  bool nothing_came = false;                    // an empty list: the far sender has ended
  std::optional<proto::Statistics> statistics;  // a client's: what the far side counted
};

// `destination`: the operand, unset when only listing. `admit` may be empty. `forward` (may be empty) writes the names
// of
// --files-from; the far side answers while it reads them, so it runs on a thread of its own until the first list is
// here. `bring_down` makes blocked reads and writes return. `replay`: the far side is a batch file.
Result<ReceivingResult> run_receiving_side(const Terms& terms, Connection& connection, const FilterRules& filters,
                                           const std::optional<std::string>& destination, AdmitEntry admit,
                                           const std::function<Status()>& forward,
                                           const std::function<void()>& bring_down, Replay* replay = nullptr);

// What a sender has counted goes into our totals. It counted from its end: what it read is what we sent.
void take_statistics(const proto::Statistics& theirs, Totals& totals);

}  // namespace ocsync::sync
