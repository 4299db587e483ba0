// What one run goes by once both ends have agreed: the options, the agreement, and what follows from both together.
//
// Made after the handshake, read-only afterwards (but for the counters and flags of the parts it points to); every
// role of the process shares one Terms by reference.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "libio/os/stop.h"
#include "libproto/agreement.h"
#include "libproto/entry_wire.h"
#include "libsync/list/order.h"
#include "libsync/meta/modes.h"
#include "libsync/options/options.h"
#include "libsync/report/reporter.h"
#include "libsync/report/totals.h"

namespace ocsync::sync {

class FilterRules;
class NameCharset;
class NameService;
class MetaBook;
class Progress;

}  // namespace ocsync::sync
namespace ocsync::io {
class IoStrategy;
}
namespace ocsync::sync {

struct Terms {
  const Options& options;
  const proto::Agreement& agreed;
  Reporter& reporter;
  Totals& totals;
  const io::Stop& stop;
  Progress* progress = nullptr;                 // never null once the roles run
  const FilterRules* module_filters = nullptr;  // a daemon's module: what it hides
  NameService* names = nullptr;                 // a daemon's name converter; null: the system's databases
  std::shared_ptr<NameCharset> charset;         // null: names travel as they are
  std::shared_ptr<io::IoStrategy> io;           // how content is moved; never null
  std::shared_ptr<MetaBook> meta;               // what entries say about ACLs and extended attributes; never null

  bool am_server = false;
  bool we_send = false;      // this process has the sending role (a local run has both: see local)
  bool local = false;        // source and destination are both ours
  bool one_machine = false;  // ... or they are this process's, with a wire between them
  bool may_chown = false;    // root, --super or --fake-super: owners and devices can be kept
  bool whole_file = false;
  DeleteMode delete_mode = DeleteMode::kNone;
  bool append = false;  // --append in force (not verifying)
  bool append_verify = false;
  uint32_t umask = 022;
  uint32_t our_uid = 0;

  Order order() const { return agreed.component_order ? Order::kComponents : Order::kPlainBytes; }
  // -i, or the client's -i as a server is told of it.
  bool itemizes() const { return am_server ? options.far_wants_item : options.itemize > 0; }
  bool late_deletion() const { return delete_mode == DeleteMode::kDelay || delete_mode == DeleteMode::kAfter; }
  bool inplace() const { return options.inplace || append || append_verify; }
  // Does an item with these flags carry an xattr part?
  bool carries_xattrs(uint32_t item_flags) const;
  // --chmod, and after it what a daemon's module wants.
  std::string mode_changes() const;
  std::optional<ModeChanges> module_modes;  // the latter alone: it holds without -p, too
  // Two mtimes count as equal under --modify-window.
  bool same_time(io::FileTime a, io::FileTime b) const;
  // A local run has one list, whose owners are mapped; do lines show those that a sender of its own would?
  bool keeps_sent_owners() const;

  static Terms settle(const Options& options, const proto::Agreement& agreed, Reporter& reporter, Totals& totals,
                      const io::Stop& stop, bool am_server, bool we_send, bool local);
  // --iconv: names and texts are converted from now on. `opened`: a converter that exists already, or null.
  Status convert_names(std::shared_ptr<NameCharset> opened = nullptr);
  // The optional fields of list entries, as both ends derive them from the options.
  proto::EntryFields entry_fields() const;
};

}  // namespace ocsync::sync
