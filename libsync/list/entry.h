// What the list says about one name: a fixed record of one cache line, plus extras for the entries that need them.
//
// Entries live in their Segment, which also owns every string they point to. Names are NUL-terminated in memory. After
// the segment is sealed only the thread that owns the receiving decisions (the generator) writes `marks` and `mode`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libio/base/digest.h"
#include "libio/os/file_info.h"

namespace ocsync::sync {

// Facts about an entry that are not attributes of the object.
enum Mark : uint16_t {
  kTopDir = 1 << 0,        // an argument's directory: where deletion may start
  kContentDir = 1 << 1,    // its content is in the list: names missing there may be deleted
  kImpliedDir = 1 << 2,    // only a parent of something asked for
  kCleared = 1 << 3,       // a duplicate that lost, or pruned: never to be acted on
  kMissingDir = 1 << 4,    // receiving side: was not and will not be created
  kDirCreated = 1 << 5,    // receiving side: made ahead of its own turn
  kGroupUnsettable = 1 << 6,
  kLinked = 1 << 7,        // member of a hard-link group
  kLinkFirst = 1 << 8,     // first member of its group (in the list so far)
  kLinkLast = 1 << 9,      // last known member of its group
  kSent = 1 << 10,         // its content went out, or was asked for, once
  kMountPoint = 1 << 11,
  kDuplicateDir = 1 << 12, // sender: equals the directory before it; its content travels with that one
  kRooted = 1 << 13,       // local run: the source's name starts with the "/" that the destination's lacks (-R)
};

// What only some entries have.
struct Extras {
  std::string_view target;          // of a symlink
  uint32_t rdev_major = 0, rdev_minor = 0;
  int64_t atime = 0, crtime = 0;
  int64_t link_key = -1;            // hard-link group: transmit index of its first member, or a number for (dev, ino)
  uint64_t dev = 0, ino = 0;        // sender: identity, for hard links below version 30
  uint32_t source_root = 0;         // sender: which of the scan roots it was found under
  Digest checksum;                  // with -c
  int32_t acl = -1, default_acl = -1, xattrs = -1;  // indexes into the session's caches
};

struct Entry {
  const char* dir = "";             // directory part without trailing slash; "" at the root
  const char* leaf = "";            // last component; "." for the root itself
  Extras* extras = nullptr;         // null: all defaults
  int64_t size = 0;
  int64_t mtime = 0;
  uint32_t nsec = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t dir_index = 0;           // directories of incremental lists: their number in the session
  uint16_t mode = 0;                // Unix type and permission bits
  uint16_t marks = 0;
  uint16_t dir_length = 0;
  uint16_t leaf_length = 0;

  bool has(Mark mark) const { return (marks & mark) != 0; }
  void set(Mark mark) { marks = static_cast<uint16_t>(marks | mark); }
  void unset(Mark mark) { marks = static_cast<uint16_t>(marks & ~mark); }
  bool active() const { return !has(kCleared); }
  bool is_dir() const { return S_ISDIR(mode); }
  bool is_regular() const { return S_ISREG(mode); }
  bool is_symlink() const { return S_ISLNK(mode); }
  bool is_device() const { return S_ISCHR(mode) || S_ISBLK(mode); }
  bool is_special() const { return S_ISFIFO(mode) || S_ISSOCK(mode); }
  bool is_root() const { return dir_length == 0 && leaf_length == 1 && leaf[0] == '.'; }
  std::string_view dir_view() const { return {dir, dir_length}; }
  std::string_view leaf_view() const { return {leaf, leaf_length}; }
  io::FileTime time() const { return {mtime, nsec}; }
  std::string path() const;
  // The same into a string whose memory is reused.
  void path_into(std::string& out) const;
  std::string_view target() const { return extras ? extras->target : std::string_view(); }
};
static_assert(sizeof(Entry) <= 64);

}  // namespace ocsync::sync
