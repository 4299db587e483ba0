// ACLs and extended attributes on the wire, with the caches that both ends keep. See docs/meta_wire.md; 30 to 32.
//
// What was sent literally once is later named by its number. The caches live for the whole session. An encoder and a
// decoder have one owner thread each; what at() returns stays valid and in place as long as its owner.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libio/base/bytes.h"
#include "libio/base/result.h"
#include "libio/base/stream.h"

namespace ocsync::proto {

// --- ACLs -----------------------------------------------------------------------------------------------------------

inline constexpr uint8_t kNoAccess = 0x80;  // this part is not there

struct AclName {
  uint32_t id = 0;
  uint8_t access = 0;  // r=4 w=2 x=1
  bool user = true;    // else a group
  std::string name;    // empty: not sent. Not part of the value.
  bool operator==(const AclName& o) const { return id == o.id && access == o.access && user == o.user; }
};

// Absent parts are kNoAccess. Names are ordered users first, then groups, each by ascending id.
struct WireAcl {
  uint8_t user_obj = kNoAccess, group_obj = kNoAccess, mask = kNoAccess, other = kNoAccess;
  std::vector<AclName> names;
  bool empty() const {
    return user_obj == kNoAccess && group_obj == kNoAccess && mask == kNoAccess && other == kNoAccess && names.empty();
  }
  bool operator==(const WireAcl&) const = default;
};

enum class AclKind : uint8_t { kAccess, kDefault };

// Leaves out of an access ACL what the mode says already (before sending), and puts it back (after receiving).
// complete() also finds the mask of an ACL that has names and no mask.
void condense_access(WireAcl& acl, uint32_t mode);
void complete_access(WireAcl& acl, uint32_t mode);
void complete_default(WireAcl& acl);

// A non-symlink entry is followed by its access ACL; a directory then by its default ACL.
class AclEncoder {
 public:
  Status encode(AclKind kind, const WireAcl& acl, Writer& out);

 private:
  struct Cache {
    std::unordered_map<std::string, int32_t> numbers;  // by literal form without names
    int32_t next = 0;
    size_t bytes = 0;
  };
  Cache caches_[2];
  std::string key_;
};

class AclDecoder {
 public:
  // `wide_access`: a fake-super receiver takes more than rwx.
  explicit AclDecoder(bool wide_access = false) : wide_access_(wide_access) {}
  // The number of the ACL in its cache. A literal one is the newest: is_new() tells, so that its names are mapped once.
  Result<int32_t> decode(AclKind kind, Reader& in);
  const WireAcl& at(AclKind kind, int32_t number) const {
    return caches_[static_cast<size_t>(kind)][static_cast<size_t>(number)];
  }
  WireAcl& at(AclKind kind, int32_t number) { return caches_[static_cast<size_t>(kind)][static_cast<size_t>(number)]; }
  size_t count(AclKind kind) const { return caches_[static_cast<size_t>(kind)].size(); }
  bool is_new() const { return is_new_; }

 private:
  std::deque<WireAcl> caches_[2];
  size_t bytes_ = 0;
  bool wide_access_;
  bool is_new_ = false;
};

// --- extended attributes --------------------------------------------------------------------------------------------

struct WireXattr {
  std::string name;  // as on the wire, without the zero byte
  uint32_t value_bytes = 0;
  std::string value;   // the value itself up to kMaxWholeXattr bytes, else its 16-byte MD5
  bool asked = false;  // its full value was requested (each is, at most once a session); not part of the value
  bool abbreviated() const;
  bool operator==(const WireXattr& o) const {
    return value_bytes == o.value_bytes && name == o.name && value == o.value;
  }
};
using WireXattrs = std::vector<WireXattr>;  // ordered by name as bytes; item numbers start at 1

// The wire form of one attribute: keeps a short value, digests a long one.
WireXattr wire_xattr(std::string_view name, Bytes value);

class XattrEncoder {
 public:
  // The number of the set in the cache.
  Result<int32_t> encode(const WireXattrs& set, Writer& out);
  WireXattrs& at(int32_t number) { return cache_[static_cast<size_t>(number)]; }
  size_t count() const { return cache_.size(); }

 private:
  std::unordered_map<std::string, int32_t> numbers_;
  std::deque<WireXattrs> cache_;
  size_t bytes_ = 0;
  std::string key_;
};

class XattrDecoder {
 public:
  Result<int32_t> decode(Reader& in);
  WireXattrs& at(int32_t number) { return cache_[static_cast<size_t>(number)]; }
  size_t count() const { return cache_.size(); }
  bool is_new() const { return is_new_; }

 private:
  std::deque<WireXattrs> cache_;
  size_t bytes_ = 0;
  bool is_new_ = false;
};

// --- values fetched with an item ------------------------------------------------------------------------------------

// Receiving side: asks for these item numbers of `set` (ascending, 1 and up), marks them as asked.
Status write_xattr_request(WireXattrs& set, const std::vector<int32_t>& numbers, Writer& out);
// Sender: the numbers asked for. Refuses unknown and unabbreviated ones and what was asked before; marks them.
Result<std::vector<int32_t>> read_xattr_request(WireXattrs& set, Reader& in);
// The same in two steps, for a sender that reads on another thread than it answers.
Result<std::vector<int32_t>> read_xattr_numbers(Reader& in);
Status accept_xattr_request(WireXattrs& set, const std::vector<int32_t>& numbers);

struct XattrValue {
  int32_t number = 0;
  std::string value;  // its length may differ from the announced one: it is the newer truth
};
// Sender: answers exactly what was asked.
Status write_xattr_values(const std::vector<XattrValue>& values, Writer& out);
// Receiving side: refuses numbers that `set` does not have or that were not asked for.
Result<std::vector<XattrValue>> read_xattr_values(const WireXattrs& set, Reader& in);

}  // namespace ocsync::proto
