// What the list says about one name: a small fixed record, plus extras for the entries that need them.
//
// Entries live in their Segment, which also owns every string they point to. Names are NUL-terminated in memory. After
// the segment is sealed only the thread that owns the receiving decisions (the generator) writes `marks` and `mode`.
// A whole list holds millions of these, so every byte counts: names are kept as ShortTexts, and what most entries do
// not have takes no room in them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>

#include "libio/base/digest.h"
#include "libio/os/file_info.h"

namespace ocsync::sync {

// Facts about an entry that are not attributes of the object.
enum Mark : uint16_t {
  kTopDir = 1 << 0,      // an argument's directory: where deletion may start
  kContentDir = 1 << 1,  // its content is in the list: names missing there may be deleted
  kImpliedDir = 1 << 2,  // only a parent of something asked for
  kCleared = 1 << 3,     // a duplicate that lost, or pruned: never to be acted on
  kMissingDir = 1 << 4,  // receiving side: was not and will not be created
  kDirCreated = 1 << 5,  // receiving side: made ahead of its own turn
  kGroupUnsettable = 1 << 6,
  kLinked = 1 << 7,     // member of a hard-link group
  kLinkFirst = 1 << 8,  // first member of its group (in the list so far)
  kLinkLast = 1 << 9,   // last known member of its group
  kSent = 1 << 10,      // its content went out, or was asked for, once
  kMountPoint = 1 << 11,
  kDuplicateDir = 1 << 12,  // sender: equals the directory before it; its content travels with that one
  kRooted = 1 << 13,        // local run: the source's name starts with the "/" that the destination's lacks (-R)
};

// Text of less than 32 KiB in eight bytes: its length stands in those bits of the address that no process uses. Does
// not own what it points to.
class ShortText {
 public:
  static constexpr size_t kMaxBytes = 0x7fff;
  constexpr ShortText() = default;
  explicit ShortText(std::string_view text)
      : bits_(reinterpret_cast<uintptr_t>(text.data()) | static_cast<uint64_t>(text.size()) << kAddressBits) {
    assert(text.size() <= kMaxBytes && reinterpret_cast<uintptr_t>(text.data()) >> kAddressBits == 0);
  }
  // "" for the empty text; otherwise NUL-terminated if that is how it was stored.
  const char* data() const { return size() == 0 ? "" : reinterpret_cast<const char*>(bits_ & kAddressMask); }
  size_t size() const { return bits_ >> kAddressBits; }
  std::string_view view() const { return {data(), size()}; }

  // Instead of a text, something else of the owner's.
  static ShortText other(void* thing) {
    ShortText made;
    made.bits_ = reinterpret_cast<uintptr_t>(thing) | kOther;
    return made;
  }
  bool is_other() const { return (bits_ & kOther) != 0; }
  void* other() const { return reinterpret_cast<void*>(bits_ & kAddressMask); }

 private:
  static constexpr int kAddressBits = 48;
  static constexpr uint64_t kAddressMask = (uint64_t{1} << kAddressBits) - 1;
  static constexpr uint64_t kOther = uint64_t{1} << 63;
  uint64_t bits_ = 0;
};

// What only some entries have.
struct Extras {
  ShortText leaf;           // the entry's own, see Entry
  std::string_view target;  // of a symlink
  uint32_t rdev_major = 0, rdev_minor = 0;
  int64_t atime = 0, crtime = 0;
  int64_t link_key = -1;      // hard-link group: transmit index of its first member, or a number for (dev, ino)
  uint64_t dev = 0, ino = 0;  // sender: identity, for hard links below version 30
  uint32_t source_root = 0;   // sender: which of the scan roots it was found under
  // Local runs where lines show owners (Terms::keeps_sent_owners): those before maps.
  bool keeps_sent = false;
  uint32_t sent_uid = 0, sent_gid = 0;
  std::string_view checksum;                        // with -c
  int32_t acl = -1, default_acl = -1, xattrs = -1;  // indexes into the session's caches
  Digest digest() const {
    Digest made;
    made.size = static_cast<uint8_t>(checksum.size());
    std::ranges::transform(checksum, made.data.begin(), [](char c) { return static_cast<std::byte>(c); });
    return made;
  }
};

struct Entry {
  int64_t size = 0;
  int64_t mtime = 0;
  uint32_t nsec = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint16_t mode = 0;  // Unix type and permission bits
  uint16_t marks = 0;

  // The generator marks what it is done with while the receiver asks for other marks of the same entry.
  bool has(Mark mark) const {
    return (std::atomic_ref(const_cast<uint16_t&>(marks)).load(std::memory_order_relaxed) & mark) != 0;
  }
  void set(Mark mark) { std::atomic_ref(marks).fetch_or(static_cast<uint16_t>(mark), std::memory_order_relaxed); }
  void unset(Mark mark) { std::atomic_ref(marks).fetch_and(static_cast<uint16_t>(~mark), std::memory_order_relaxed); }
  bool active() const { return !has(kCleared); }
  bool is_dir() const { return S_ISDIR(mode); }
  bool is_regular() const { return S_ISREG(mode); }
  bool is_symlink() const { return S_ISLNK(mode); }
  bool is_device() const { return S_ISCHR(mode) || S_ISBLK(mode); }
  bool is_special() const { return S_ISFIFO(mode) || S_ISSOCK(mode); }
  bool is_root() const { return dir_.size() == 0 && leaf_view() == "."; }
  // Directory part without trailing slash; "" at the root. Last component; "." for the root itself.
  std::string_view dir_view() const { return dir_.view(); }
  std::string_view leaf_view() const { return leaf_text().view(); }
  const char* leaf() const { return leaf_text().data(); }
  void set_dir(std::string_view dir) { dir_ = ShortText(dir); }
  // `leaf` is NUL-terminated in memory.
  void set_leaf(std::string_view leaf) {
    if (Extras* more = extras())
      more->leaf = ShortText(leaf);
    else
      leaf_ = ShortText(leaf);
  }
  // Null: all defaults. Who has them keeps the leaf in them, so that the others need no room for a pointer.
  const Extras* extras() const { return leaf_.is_other() ? static_cast<const Extras*>(leaf_.other()) : nullptr; }
  Extras* extras() { return leaf_.is_other() ? static_cast<Extras*>(leaf_.other()) : nullptr; }
  // `extras` (null: none any more) must live as long as this entry.
  void set_extras(Extras* extras) {
    const ShortText leaf = leaf_text();
    if (!extras) {
      leaf_ = leaf;
      return;
    }
    extras->leaf = leaf;
    leaf_ = ShortText::other(extras);
  }
  io::FileTime time() const { return {mtime, nsec}; }
  std::string path() const;
  // The same into a string whose memory is reused.
  void path_into(std::string& out) const;
  std::string_view target() const { return extras() ? extras()->target : std::string_view(); }

 private:
  ShortText leaf_text() const { return leaf_.is_other() ? extras()->leaf : leaf_; }

  ShortText dir_;
  ShortText leaf_;
};
static_assert(sizeof(Entry) <= 48);

}  // namespace ocsync::sync
