// A file-list entry on the wire, encoded against its predecessor; and the end of a list.
//
// See docs/entry_wire.md for the layout, versions 27 to 32. One encoder and one decoder live per session and direction;
// their state (previous name, mode, times, ids, ...) is never reset between lists.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libproto/agreement.h"

namespace ocsync::proto {

// The type bits of a mode, as on every Unix.
inline constexpr uint32_t kTypeMask = 0170000;
inline constexpr uint32_t kTypeFifo = 0010000;
inline constexpr uint32_t kTypeChar = 0020000;
inline constexpr uint32_t kTypeDir = 0040000;
inline constexpr uint32_t kTypeBlock = 0060000;
inline constexpr uint32_t kTypeRegular = 0100000;
inline constexpr uint32_t kTypeSymlink = 0120000;
inline constexpr uint32_t kTypeSocket = 0140000;
constexpr bool is_device(uint32_t mode) { return (mode & kTypeMask) == kTypeChar || (mode & kTypeMask) == kTypeBlock; }
constexpr bool is_special(uint32_t mode) {
  return (mode & kTypeMask) == kTypeFifo || (mode & kTypeMask) == kTypeSocket;
}

// Which optional fields travel, as both ends know from the options.
struct EntryFields {
  bool uid = false, gid = false;
  bool names = false;  // user and group names stand in entries (incremental and not numeric)
  bool links = false;  // symlink targets
  bool devices = false, specials = false;
  bool hard_links = false;
  bool atimes = false, crtimes = false;
  bool checksums = false;  // of the agreement's list digest
  bool acls = false, xattrs = false;
  bool missing_args = false;    // mode 0 entries are legal (--delete-missing-args)
  bool absolute_names = false;  // relative mode: a leading '/' is legal
};

enum class HardLink : uint8_t {
  kNone,
  kFirst,        // first of its group (version 30 and later)
  kFollower,     // link_group is the transmit index of the first; fields travel
  kAbbreviated,  // the first is in this very list: no fields travel
  kDevIno,       // below 30: dev and ino name the group
};

// An entry as it travels. Strings keep their capacity: reuse one object for a whole list.
struct WireEntry {
  std::string name;   // path relative to the transfer root; "." is the root
  uint32_t mode = 0;  // Unix type and permission bits
  int64_t size = 0;
  int64_t mtime = 0;
  uint32_t mtime_nsec = 0;
  int64_t atime = 0;
  int64_t crtime = 0;
  uint32_t uid = 0, gid = 0;
  std::string user_name, group_name;  // empty: none sent
  uint32_t rdev_major = 0, rdev_minor = 0;
  std::string target;  // of a symlink
  HardLink link = HardLink::kNone;
  int32_t link_group = -1;  // transmit index of the group's first member
  int64_t link_dev = 0, link_ino = 0;
  Digest checksum;
  bool top_dir = false;       // flag bit 0 of a directory
  bool no_content = false;    // flag bit 8 of a directory (30 and later)
  uint8_t shared_prefix = 0;  // bytes the encoding shares with the entry before (decoder fills it; below 30 the
                              // receiving side tells by it which directories have content)
};

// What stands for the next entry.
struct ListEnd {
  int32_t io_error = 0;
};

class EntryEncoder {
 public:
  EntryEncoder(const Agreement& agreed, const EntryFields& fields);
  // Writes all fields but ACLs and xattrs, which follow separately (meta_wire). For kAbbreviated, `entry` still holds
  // all values, since later entries are encoded against them. What cannot travel (a name that is empty or too long, a
  // symlink without target) fails with kPartial and leaves no trace: skip it.
  Status encode(const WireEntry& entry, Writer& out);
  // `io_error` is told only where the agreement has room for it (see docs); returns whether it was.
  Result<bool> encode_end(int32_t io_error, Writer& out);

 private:
  struct Previous {
    std::string name;
    uint32_t mode = 0;
    int64_t mtime = 0, atime = 0;
    uint32_t uid = 0, gid = 0, rdev_major = 0;
    uint32_t rdev27 = 0;
    int64_t dev = -1;
  };
  uint32_t flags_for(const WireEntry& entry) const;
  void remember(const WireEntry& entry);
  const Agreement& agreed_;
  EntryFields fields_;
  Previous previous_;
};

class EntryDecoder {
 public:
  // Gives the decoder the earlier entry of the *current* list with this transmit index (for kAbbreviated), or null if
  // the index belongs to an earlier list; an index never announced is refused by the decoder's caller via an error.
  using FindLeader = std::function<Result<const WireEntry*>(int32_t transmit_index)>;
  EntryDecoder(const Agreement& agreed, const EntryFields& fields);
  // Fills `entry` and returns nothing, or returns the end of the list. `list_start` is the transmit index of the
  // current list's first entry, `count` how many were decoded so far. The name has no empty, "." or ".." component,
  // except that "." may be the whole or the last one; ACLs and xattrs have not been read yet. Nothing can be decoded
  // after a failure.
  Result<std::optional<ListEnd>> decode(Reader& in, WireEntry& entry, int32_t list_start, int32_t count,
                                        const FindLeader& leader);

 private:
  struct Previous {
    std::string name;
    uint32_t mode = 0;
    int64_t mtime = 0, atime = 0;
    uint32_t uid = 0, gid = 0, rdev_major = 0;
    uint32_t rdev27 = 0;
    int64_t dev = -1;
  };
  Result<std::optional<ListEnd>> read_flags(Reader& in, uint32_t& flags);
  Status read_name(Reader& in, uint32_t flags, WireEntry& entry);
  Status read_abbreviated(WireEntry& entry, int32_t list_start, const FindLeader& leader);
  Status read_fields(Reader& in, uint32_t flags, WireEntry& entry);
  Status read_device(Reader& in, uint32_t flags, WireEntry& entry);
  Status read_target(Reader& in, WireEntry& entry);

  const Agreement& agreed_;
  EntryFields fields_;
  Previous previous_;
};

// Brings a name that came from outside (from the wire, or out of a conversion) into the form that decode() promises, or
// refuses it (Fault::kUnsupported). `absolute`: a leading slash may stay.
Status clean_name(std::string& name, bool absolute);

}  // namespace ocsync::proto
