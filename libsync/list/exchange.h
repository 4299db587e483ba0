// Sending and receiving segments; the receiving end refuses what the options do not allow.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "libio/base/stream.h"
#include "libproto/entry_wire.h"
#include "libproto/index.h"
#include "libproto/meta_wire.h"
#include "libsync/filter/rules.h"
#include "libsync/list/dir_table.h"
#include "libsync/list/ids.h"
#include "libsync/list/segment.h"
#include "libsync/meta/modes.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

// What --munge-links puts before a symlink's target where it arrives, and takes away where it is sent from.
inline constexpr std::string_view kMungedPrefix = "/rsyncd-munged/";

// Writes segments as they travel. One thread's own; lives for the session (the encoding remembers).
class ListSender {
 public:
  ListSender(const Terms& terms, Writer& out);
  // Entries in the order they were added, then the end mark with the io_error bits there is room for.
  Status send(Segment& segment);
  // What follows the only list of a session without incremental lists: id lists, io_error.
  Status send_trailer();
  // What the far side may ask of the set that entries call `number`, as it was sent.
  proto::WireXattrs& sent_xattrs(int32_t number) { return xattrs_.at(xattr_numbers_[static_cast<size_t>(number)]); }

 private:
  Status send_acl(proto::AclKind kind, int32_t number, bool with_names);
  void to_wire_charset();
  Status send_meta(const Entry& entry, bool with_names);
  const Terms& terms_;
  Writer& out_;
  proto::EntryEncoder encoder_;
  std::unique_ptr<NameService> own_names_;  // unless a daemon has a name converter
  IdNames names_;
  proto::WireEntry wire_;
  proto::AclEncoder acls_;
  std::vector<bool> acl_sent_[2];  // by number in the book
  proto::XattrEncoder xattrs_;
  std::vector<int32_t> xattr_numbers_;  // by number in the book; -1: not sent yet
  bool first_list_ = true;
  int first_io_error_ = 0;
};

// Says whether a name may be in the list at all; an error ends the session. A directory that is only a parent of what
// was asked for never counts as one whose content is complete, whatever the sender says: nothing in it may be deleted.
enum class Admission : uint8_t { kWhole, kParentOnly };
using AdmitEntry = std::function<Result<Admission>(std::string_view path, bool is_dir)>;

// Reads segments, maps ids, applies --chmod, cleans duplicates, groups hard links. One thread's own.
class ListReceiver {
 public:
  ListReceiver(const Terms& terms, Reader& in, IdMap ids, AdmitEntry admit);
  // The rules that spare directories from --prune-empty-dirs.
  Status heed(const FilterRules& filters);
  // The first list of the session with whatever follows it directly.
  Result<std::shared_ptr<Segment>> first();
  // The list of directory `number`, whose index was just read.
  Result<std::shared_ptr<Segment>> sub_list(int32_t number);
  int64_t entries() const { return total_; }

  // The same treatment for a segment that never travelled: a local run's scanner made it on this machine.
  Status adopt(Segment& segment);

 private:
  Result<std::shared_ptr<Segment>> read(DirNode* parent);
  // `first_list`: the receiving side is still one role then, and says so.
  Status from_wire_charset(bool first_list);
  Status read_acl(proto::AclKind kind, uint32_t mode, int32_t& number);
  Status read_meta(Segment& segment, Entry& entry);
  Status take(Segment& segment, const DirNode* parent, Admission admission);
  Status finish(Segment& segment);
  int64_t link_key_of(uint64_t dev, uint64_t ino);
  void derive_content_marks(Entry& entry, uint8_t shared);

  const Terms& terms_;
  Reader* in_;
  proto::EntryDecoder decoder_;
  IdMap ids_;
  AdmitEntry admit_;
  std::optional<ModeChanges> chmod_;
  std::optional<FilterScope> spared_;  // directories that it excludes are not pruned
  DirTable dirs_;
  proto::WireEntry wire_, leader_;
  proto::AclDecoder acls_;
  proto::XattrDecoder xattrs_;
  int32_t next_ndx_;
  int64_t total_ = 0;
  std::unordered_map<uint64_t, std::unordered_map<uint64_t, int64_t>> dev_inos_;
  int64_t next_link_key_ = 0;
  std::unordered_map<int64_t, bool> known_groups_;
  // Below version 30: the hierarchy whose directories have content.
  int hierarchy_length_ = -1;
};

// Removes duplicates of a sealed segment in place: indexes stay, losers are cleared.
void clean_duplicates(Segment& segment, const Terms& terms);

}  // namespace ocsync::sync
