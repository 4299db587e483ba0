// The policy: given what the list says and what lies here, what should happen to this entry?
//
// decide() is pure. What it must know of the disk it asks through a Probe, only as far as the answer matters. Local
// copies, both ends of a remote shell, and daemons all ask it; nothing else in the program compares an entry with a
// file.
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>

#include "libio/os/file_info.h"
#include "libsync/list/entry.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

enum class Kind : uint8_t { kRegular, kDir, kSymlink, kDevice, kSpecial, kMissing, kUnknown };
Kind kind_of(uint32_t mode);

// Questions about the object under consideration that cost more than a stat.
class Probe {
 public:
  virtual ~Probe() = default;
  // The target of the symlink that is here; nothing if it cannot be read.
  virtual std::optional<std::string> link_target() = 0;
  // The digest of the file that is here, of the list's algorithm; zeros if it cannot be read.
  virtual Digest content_digest() = 0;
};

enum class Act : uint8_t {
  kSkip,  // nothing, for the reason given
  kKeep,  // right as it is: attributes only
  kMakeDir,
  kMakeLink,
  kMakeNode,
  kTransfer,
  kRemove,  // --delete-missing-args
};
enum class Why : uint8_t {
  kNone,
  kNotExisting,
  kExists,
  kUnsafeLink,
  kNonRegular,
  kTooLarge,
  kTooSmall,
  kNewerHere,
  kAppendDone
};
struct Decision {
  Act act = Act::kSkip;
  Why why = Why::kNone;
  bool clear_the_way = false;  // something of another kind is in the way and must go first
  bool exists = false;         // what is here counts as an earlier state of this entry
  bool operator==(const Decision&) const = default;
};

// How far --redo relaxes the rules: the second attempt at a file whose content did not verify.
enum class Attempt : uint8_t { kFirst, kRedo };

// `here` is empty if nothing is there, `missing_errno` says why. `path` is the entry's path in the list.
Decision decide(const Entry& entry, std::string_view path, const std::optional<io::FileInfo>& here, Probe& probe,
                const Terms& terms, Attempt attempt = Attempt::kFirst, int missing_errno = ENOENT);

// Does the object at `here` have the entry's content, as far as the options want to look?
bool quick_check(const Entry& entry, const io::FileInfo& here, Probe& probe, const Terms& terms, Attempt attempt);

// Are all attributes that the options keep equal already? (levels of --compare-dest and --link-dest)
bool attributes_match(const Entry& entry, uint32_t mode, const io::FileInfo& here, const Terms& terms);

// The report bits of an item (proto::ItemFlag): what differs between the entry and what is (or was) here.
// `mode` is the entry's mode after the local rules of a run without -p; `flags` come on top and matter to the time
// rule.
uint32_t report_flags(const Entry& entry, uint32_t mode, const std::optional<io::FileInfo>& here, uint32_t flags,
                      bool has_empty_xname, const Terms& terms);

}  // namespace ocsync::sync
