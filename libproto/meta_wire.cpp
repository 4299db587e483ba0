#include "libproto/meta_wire.h"

#include <cassert>

#include "libio/base/digest.h"
#include "libproto/limits.h"
#include "libproto/numbers.h"

namespace ocsync::proto {
namespace {

// Which parts of a literal ACL follow.
constexpr uint8_t kUserObj = 1;
constexpr uint8_t kGroupObj = 2;
constexpr uint8_t kMask = 4;
constexpr uint8_t kOther = 8;
constexpr uint8_t kNames = 16;
// Low bits beside the access of a name.
constexpr uint32_t kNameFollows = 1;
constexpr uint32_t kNameIsUser = 2;

constexpr uint8_t group_bits(uint32_t mode) { return mode >> 3 & 7; }

void append_varint(std::string& to, uint32_t value) {
  std::byte b[5];
  to += as_text(Bytes(b, store_varint(b, static_cast<int32_t>(value))));
}

// The parts before the names; the same bytes serve as the wire form and as the key of the cache.
void append_parts(std::string& to, const WireAcl& acl) {
  const auto bit = [](uint8_t access, uint8_t flag) { return access == kNoAccess ? 0 : flag; };
  to += static_cast<char>(bit(acl.user_obj, kUserObj) | bit(acl.group_obj, kGroupObj) | bit(acl.mask, kMask) |
                          bit(acl.other, kOther) | (acl.names.empty() ? 0 : kNames));
  for (const uint8_t access : {acl.user_obj, acl.group_obj, acl.mask, acl.other})
    if (access != kNoAccess) append_varint(to, access);
}

}  // namespace

void condense_access(WireAcl& acl, uint32_t mode) {
  acl.user_obj = acl.other = kNoAccess;
  if (acl.mask == kNoAccess) {
    acl.group_obj = kNoAccess;
    return;
  }
  if (acl.group_obj == group_bits(mode)) acl.group_obj = kNoAccess;
  if (!acl.names.empty() && acl.mask == group_bits(mode)) acl.mask = kNoAccess;
}

void complete_access(WireAcl& acl, uint32_t mode) {
  if (acl.user_obj == kNoAccess) acl.user_obj = mode >> 6 & 7;
  if (acl.group_obj == kNoAccess) acl.group_obj = group_bits(mode);
  if (acl.other == kNoAccess) acl.other = mode & 7;
  if (!acl.names.empty() && acl.mask == kNoAccess) acl.mask = group_bits(mode);
}

void complete_default(WireAcl& acl) {
  if (acl.names.empty() || acl.mask != kNoAccess) return;
  acl.mask = acl.group_obj == kNoAccess ? 0 : acl.group_obj;
  for (const AclName& name : acl.names) acl.mask |= name.access & 7;
}

Status AclEncoder::encode(AclKind kind, const WireAcl& acl, Writer& out) {
  Cache& cache = caches_[static_cast<size_t>(kind)];
  key_.clear();
  append_parts(key_, acl);
  const size_t parts = key_.size();
  for (const AclName& name : acl.names) {
    append_varint(key_, name.id);
    append_varint(key_, static_cast<uint32_t>(name.access) << 2 | (name.user ? kNameIsUser : 0));
  }
  if (const auto found = cache.numbers.find(key_); found != cache.numbers.end())
    return write_varint(found->second + 1, out);

  TRY(write_varint(0, out));
  TRY(out.text(std::string_view(key_).substr(0, parts)));
  if (!acl.names.empty()) {
    if (acl.names.size() > static_cast<size_t>(kMaxAclNames)) return fail(Fault::kPartial, "ACL has too many names");
    TRY(write_varint(static_cast<int32_t>(acl.names.size()), out));
    for (const AclName& name : acl.names) {
      const bool named = !name.name.empty() && name.name.size() <= kMaxIdName;
      TRY(write_varint(static_cast<int32_t>(name.id), out));
      TRY(write_varint(
          name.access << 2 | static_cast<int32_t>((name.user ? kNameIsUser : 0) | (named ? kNameFollows : 0)), out));
      if (named) TRY(write_short_text(name.name, out));
    }
  }
  // The far side numbers every literal ACL. Beyond the bound ours are only counted, not found again.
  const int32_t number = cache.next++;
  cache.bytes += key_.size() + 64;
  if (cache.bytes <= kMaxCacheBytes) cache.numbers.emplace(key_, number);
  return {};
}

Result<int32_t> AclDecoder::decode(AclKind kind, Reader& in) {
  std::deque<WireAcl>& cache = caches_[static_cast<size_t>(kind)];
  is_new_ = false;
  const int32_t which = TRY(read_varint(in));
  if (which < 0 || static_cast<size_t>(which) > cache.size())
    return fail(Fault::kStream,
                "recv_acl_index: ACL index " + std::to_string(which) + " > " + std::to_string(cache.size()));
  if (which > 0) return which - 1;

  const auto checked = [this](uint32_t access) -> Result<uint8_t> {
    if (access > 7 && !(wide_access_ && access < 0x80))
      return fail(Fault::kStream, "recv_acl_access: value out of range: " + std::to_string(access));
    return static_cast<uint8_t>(access);
  };
  WireAcl acl;
  const uint8_t flags = TRY(in.u8());
  const std::pair<uint8_t, uint8_t*> parts[] = {
      {kUserObj, &acl.user_obj}, {kGroupObj, &acl.group_obj}, {kMask, &acl.mask}, {kOther, &acl.other}};
  for (const auto& [flag, access] : parts)
    if (flags & flag) {
      const int32_t value = TRY(read_varint(in));
      *access = TRY(checked(static_cast<uint32_t>(value)));
    }
  if (flags & kNames) {
    const int32_t count = TRY(read_varint_within("ACL count", 0, kMaxAclNames, in));
    for (int32_t i = 0; i < count; ++i) {
      AclName name;
      name.id = static_cast<uint32_t>(TRY(read_varint(in)));
      const auto bits = static_cast<uint32_t>(TRY(read_varint(in)));
      name.access = TRY(checked(bits >> 2));
      name.user = (bits & kNameIsUser) != 0;
      if (bits & kNameFollows) TRY(read_short_text(name.name, in));
      bytes_ += name.name.size();
      acl.names.push_back(std::move(name));
    }
  }
  bytes_ += sizeof acl + acl.names.size() * sizeof(AclName);
  if (bytes_ > kMaxCacheBytes) return fail(Fault::kMemory, "the far side sends too many different ACLs");
  cache.push_back(std::move(acl));
  is_new_ = true;
  return static_cast<int32_t>(cache.size() - 1);
}

// --- extended attributes --------------------------------------------------------------------------------------------

bool WireXattr::abbreviated() const { return value_bytes > static_cast<uint32_t>(kMaxWholeXattr); }

WireXattr wire_xattr(std::string_view name, Bytes value) {
  WireXattr x{.name = std::string(name), .value_bytes = static_cast<uint32_t>(value.size()), .value = {}};
  if (x.abbreviated())
    x.value = as_text(hash(DigestKind::kMd5, value).bytes());
  else
    x.value = as_text(value);
  return x;
}

Result<int32_t> XattrEncoder::encode(const WireXattrs& set, Writer& out) {
  if (set.size() > static_cast<size_t>(kMaxXattrs)) return fail(Fault::kPartial, "too many extended attributes");
  key_.clear();
  append_varint(key_, static_cast<uint32_t>(set.size()));
  for (const WireXattr& x : set) {
    if (x.name.empty() || x.name.size() >= static_cast<size_t>(kMaxXattrName) ||
        x.value_bytes > static_cast<uint32_t>(kMaxXattrValue))
      return fail(Fault::kPartial, "extended attribute cannot be sent: " + x.name);
    assert(x.value.size() == (x.abbreviated() ? kXattrDigestBytes : x.value_bytes));
    append_varint(key_, static_cast<uint32_t>(x.name.size() + 1));
    append_varint(key_, x.value_bytes);
    key_.append(x.name).append(1, '\0').append(x.value);
  }
  if (const auto found = numbers_.find(key_); found != numbers_.end()) {
    TRY(write_varint(found->second + 1, out));
    return found->second;
  }
  TRY(write_varint(0, out));
  TRY(out.text(key_));
  const auto number = static_cast<int32_t>(cache_.size());
  bytes_ += key_.size() + 64;
  // Requests come for every set, so all are kept; beyond the bound they are only no longer found again.
  if (bytes_ <= kMaxCacheBytes) numbers_.emplace(key_, number);
  cache_.push_back(set);
  return number;
}

Result<int32_t> XattrDecoder::decode(Reader& in) {
  is_new_ = false;
  const int32_t which = TRY(read_varint(in));
  if (which < 0 || static_cast<size_t>(which) > cache_.size())
    return fail(Fault::kStream, "receive_xattr: xa index " + std::to_string(which - 1) + " out of range");
  if (which > 0) return which - 1;

  const int32_t count = TRY(read_varint_within("xattr count", 0, kMaxXattrs, in));
  WireXattrs set;
  int64_t total = 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t name_bytes = TRY(read_varint_within("xattr name_len", 0, kMaxXattrName, in));
    const int32_t value_bytes = TRY(read_varint_within("xattr datum_len", 0, INT32_MAX, in));
    if (value_bytes > kMaxXattrValue) return fail(Fault::kProtocol, "xattr datum_len exceeds per-value limit");
    total += int64_t{name_bytes} + value_bytes;
    if (total > kMaxXattrSet) return fail(Fault::kProtocol, "xattr list exceeds per-file limit");

    WireXattr& x = set.emplace_back();
    x.value_bytes = static_cast<uint32_t>(value_bytes);
    TRY(in.text(x.name, static_cast<size_t>(name_bytes)));
    if (x.name.size() < 2 || x.name.find('\0') != x.name.size() - 1)
      return fail(Fault::kFileIo, "Invalid xattr name received (missing trailing \\0).");
    x.name.pop_back();
    TRY(in.text(x.value, x.abbreviated() ? kXattrDigestBytes : x.value_bytes));
    bytes_ += sizeof x + x.name.size() + x.value.size();
    if (bytes_ > kMaxCacheBytes)
      return fail(Fault::kMemory, "the far side sends too many different extended attributes");
  }
  bytes_ += sizeof(WireXattrs);
  cache_.push_back(std::move(set));
  is_new_ = true;
  return static_cast<int32_t>(cache_.size() - 1);
}

// --- values fetched with an item ------------------------------------------------------------------------------------

namespace {

// The next item number of a request or an answer, or 0 at its end.
Result<int32_t> read_number(Reader& in, int32_t previous) {
  const int32_t delta = TRY(read_varint(in));
  if (delta == 0) return 0;
  const int64_t number = int64_t{previous} + delta;
  if (number < 1 || number > kMaxXattrs)
    return fail(Fault::kProtocol, "could not find xattr #" + std::to_string(number));
  return static_cast<int32_t>(number);
}

bool known_number(const WireXattrs& set, int32_t number) {
  return number >= 1 && static_cast<size_t>(number) <= set.size() && set[static_cast<size_t>(number) - 1].abbreviated();
}

}  // namespace

Status write_xattr_request(WireXattrs& set, const std::vector<int32_t>& numbers, Writer& out) {
  int32_t previous = 0;
  for (const int32_t number : numbers) {
    assert(known_number(set, number) && number != previous);
    set[static_cast<size_t>(number) - 1].asked = true;
    TRY(write_varint(number - previous, out));
    previous = number;
  }
  return out.u8(0);
}

Result<std::vector<int32_t>> read_xattr_numbers(Reader& in) {
  std::vector<int32_t> numbers;
  int32_t previous = 0;
  while (const int32_t number = TRY(read_number(in, previous))) {
    // Each may be asked for once, so there cannot be more.
    if (numbers.size() >= static_cast<size_t>(kMaxXattrs))
      return fail(Fault::kProtocol, "could not find xattr #" + std::to_string(number));
    numbers.push_back(number);
    previous = number;
  }
  return numbers;
}

Status accept_xattr_request(WireXattrs& set, const std::vector<int32_t>& numbers) {
  for (const int32_t number : numbers) {
    if (!known_number(set, number)) return fail(Fault::kProtocol, "could not find xattr #" + std::to_string(number));
    WireXattr& x = set[static_cast<size_t>(number) - 1];
    if (x.asked) return fail(Fault::kProtocol, "internal abbrev error on " + x.name);
    x.asked = true;
  }
  return {};
}

Result<std::vector<int32_t>> read_xattr_request(WireXattrs& set, Reader& in) {
  std::vector<int32_t> numbers = TRY(read_xattr_numbers(in));
  TRY(accept_xattr_request(set, numbers));
  return numbers;
}

Status write_xattr_values(const std::vector<XattrValue>& values, Writer& out) {
  int32_t previous = 0;
  for (const XattrValue& v : values) {
    assert(v.number != previous);
    TRY(write_varint(v.number - previous, out));
    TRY(write_varint(static_cast<int32_t>(v.value.size()), out));
    TRY(out.text(v.value));
    previous = v.number;
  }
  return out.u8(0);
}

Result<std::vector<XattrValue>> read_xattr_values(const WireXattrs& set, Reader& in) {
  std::vector<XattrValue> values;
  std::vector<bool> seen(set.size() + 1);
  int64_t total = 0;
  int32_t previous = 0;
  while (const int32_t number = TRY(read_number(in, previous))) {
    if (!known_number(set, number) || !set[static_cast<size_t>(number) - 1].asked || seen[static_cast<size_t>(number)])
      return fail(Fault::kProtocol, "could not find xattr #" + std::to_string(number));
    seen[static_cast<size_t>(number)] = true;
    const int32_t bytes = TRY(read_varint_within("xattr datum_len", 0, INT32_MAX, in));
    if (bytes > kMaxXattrValue) return fail(Fault::kProtocol, "xattr datum_len exceeds per-value limit");
    total += bytes;
    if (total > kMaxXattrSet) return fail(Fault::kProtocol, "xattr list exceeds per-file limit");
    XattrValue& v = values.emplace_back();
    v.number = number;
    // Memory grows only as bytes really arrive.
    for (size_t left = static_cast<size_t>(bytes); left > 0;) {
      const Bytes piece = TRY(in.some(left));
      v.value += as_text(piece);
      left -= piece.size();
    }
    previous = number;
  }
  return values;
}

}  // namespace ocsync::proto
