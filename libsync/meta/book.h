// What the `acl`, `default_acl` and `xattrs` numbers of entries stand for: the ACLs and attribute sets of one run.
//
// The list's thread adds; the roles look up, and note which long values were asked for and which have come. Every
// member may be called from several threads. Numbers stay valid as long as the book.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libproto/meta_wire.h"
#include "libsync/filter/rules.h"

namespace ocsync::sync {

struct Entry;

// One extended attribute as it lies on an object here.
struct Attribute {
  std::string name;
  std::string value;
  bool operator==(const Attribute&) const = default;
};
using Attributes = std::vector<Attribute>;  // ordered by name as bytes

// Which attributes are ours to deal with. Read-only once the roles run.
struct XattrPolicy {
  int level = 0;                         // how many -X
  bool privileged = false;               // all namespaces are open to us
  bool fake_super = false;               // foreign namespaces are kept below user.rsync.
  const FilterRules* filters = nullptr;  // null: none about attributes

  // May an attribute that lies here be sent (Side::kSender) or compared, replaced and removed (Side::kReceiver)?
  bool concerns(std::string_view name, Side side) const;
  // The name under which an attribute that was sent is kept here; empty: it is dropped.
  std::string stored_name(const std::string& wire_name) const;
  // The name under which an attribute that lies here is sent, and back.
  std::string sent_name(const std::string& name) const;
};

class MetaBook {
 public:
  XattrPolicy policy;
  // Both ends are this process and share the book: long values are kept, and sets are as the receiving side stores
  // them. Before anything is added.
  void serve_both_ends() { keep_values_ = true; }
  bool serves_both_ends() const { return keep_values_; }

  // --- ACLs, condensed as they travel, names ordered ---
  int32_t add_acl(proto::AclKind kind, proto::WireAcl acl);     // of equal ones there is one
  int32_t append_acl(proto::AclKind kind, proto::WireAcl acl);  // numbers follow the far side's
  proto::WireAcl acl(proto::AclKind kind, int32_t number) const;
  // Gives local ids to the ACLs that were added since the last call.
  void map_acls(const std::function<uint32_t(uint32_t)>& user, const std::function<uint32_t(uint32_t)>& group);

  // --- attribute sets of the sending side ---
  int32_t add_set(const Attributes& read);
  proto::WireXattrs wire_set(int32_t number) const;
  // The name here of an item of a set, to read its value again.
  std::string name_here(int32_t set, int32_t item) const;

  // --- attribute sets of the receiving side ---
  // A set that was received; `wire` outlives the book's use.
  int32_t append_set(proto::WireXattrs& wire);
  // Do the entry's attributes differ from those `here` (null: nothing is here)? With `settle` the item will be told to
  // the sender: values that are needed and not here are noted as wanted, and what is here is remembered if the object
  // is to be replaced (`replaces`) or changed.
  bool differs(int32_t set, const Attributes* here, bool settle, bool replaces);
  // Asks for the wanted values, each once in a run.
  Status write_request(int32_t set, Writer& out);
  // Takes the values that came.
  Status read_values(int32_t set, Reader& in);
  struct Wanted {
    Attributes attributes;
    std::vector<std::string> missing;  // values that never came
  };
  Wanted wanted(int32_t set) const;

 private:
  struct Known {
    std::string name;
    int32_t item = 0;  // as requests count
    proto::WireXattr wire;
    bool whole = false;  // `value` is known
    bool wanted = false;
    std::string value;  // of long ones; short ones are in wire.value
    const std::string& full() const { return wire.abbreviated() ? value : wire.value; }
  };
  struct Set {
    std::vector<Known> known;  // ordered by name
    proto::WireXattrs* wire = nullptr;
  };
  bool keep_values_ = false;
  mutable std::mutex mutex_;
  std::deque<proto::WireAcl> acls_[2];
  size_t mapped_[2] = {0, 0};
  std::unordered_map<std::string, int32_t> acl_numbers_[2], set_numbers_;
  std::deque<Set> sets_;
  size_t fetched_bytes_ = 0;  // values that came stay: later entries with the same set need them as well
};

// Do the parts of an access ACL that permission bits cannot say agree? `here` is complete; `listed` is condensed and
// belongs to an entry with `mode`.
bool same_beyond_mode(const proto::WireAcl& here, const proto::WireAcl& listed, uint32_t mode);

}  // namespace ocsync::sync
