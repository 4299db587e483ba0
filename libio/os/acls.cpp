// The kernel's layout of POSIX ACLs, read and written without going through a path.
#include "libio/os/acls.h"

#include <algorithm>

namespace ocsync::io {
namespace {

constexpr uint32_t kVersion = 2;
constexpr size_t kHeadBytes = 4;
constexpr size_t kEntryBytes = 8;  // u16 tag, u16 access, u32 id
constexpr uint32_t kNoId = UINT32_MAX;
enum Tag : uint16_t { kUserObj = 1, kUser = 2, kGroupObj = 4, kGroup = 8, kMask = 16, kOther = 32 };

std::string xattr_name(AclKind kind) {
  return kind == AclKind::kAccess ? "system.posix_acl_access" : "system.posix_acl_default";
}

bool before(const AclEntry& a, const AclEntry& b) { return a.user != b.user ? a.user : a.id < b.id; }

}  // namespace

Result<Acl> decode_acl(Bytes bytes) {
  const auto refuse = [] { return fail(Fault::kUnsupported, "ACL in an unknown form"); };
  if (bytes.size() < kHeadBytes || (bytes.size() - kHeadBytes) % kEntryBytes != 0 ||
      load_le<uint32_t>(bytes.data()) != kVersion)
    return refuse();
  Acl acl;
  for (size_t at = kHeadBytes; at < bytes.size(); at += kEntryBytes) {
    const auto tag = load_le<uint16_t>(&bytes[at]);
    const auto access = load_le<uint16_t>(&bytes[at + 2]);
    const auto id = load_le<uint32_t>(&bytes[at + 4]);
    if (access > 7) return refuse();
    const auto once = [&](uint8_t& part) {
      if (part != kNoAccess) return false;
      part = static_cast<uint8_t>(access);
      return true;
    };
    switch (tag) {
      case kUserObj:
        if (!once(acl.user_obj)) return refuse();
        break;
      case kGroupObj:
        if (!once(acl.group_obj)) return refuse();
        break;
      case kMask:
        if (!once(acl.mask)) return refuse();
        break;
      case kOther:
        if (!once(acl.other)) return refuse();
        break;
      case kUser:
      case kGroup: acl.entries.push_back({id, static_cast<uint8_t>(access), tag == kUser}); break;
      default: return refuse();
    }
  }
  std::ranges::sort(acl.entries, before);
  return acl;
}

std::vector<std::byte> encode_acl(const Acl& acl) {
  std::vector<std::byte> bytes(kHeadBytes);
  store_le(bytes.data(), kVersion);
  const auto add = [&](uint16_t tag, uint8_t access, uint32_t id) {
    if (access == kNoAccess) return;
    const size_t at = bytes.size();
    bytes.resize(at + kEntryBytes);
    store_le(&bytes[at], tag);
    store_le(&bytes[at + 2], uint16_t{access});
    store_le(&bytes[at + 4], id);
  };
  std::vector<AclEntry> entries = acl.entries;
  std::ranges::sort(entries, before);
  // The kernel insists on this order of tags.
  add(kUserObj, acl.user_obj, kNoId);
  for (const AclEntry& e : entries)
    if (e.user) add(kUser, e.access & 7, e.id);
  add(kGroupObj, acl.group_obj, kNoId);
  for (const AclEntry& e : entries)
    if (!e.user) add(kGroup, e.access & 7, e.id);
  add(kMask, acl.mask, kNoId);
  add(kOther, acl.other, kNoId);
  return bytes;
}

Result<Acl> read_acl(const Xattrs& of, AclKind kind) {
  const std::optional<std::string> value = TRY(of.get(xattr_name(kind)));
  if (!value) return Acl();
  return decode_acl(as_bytes(*value));
}

Status write_acl(const Xattrs& of, AclKind kind, const Acl& acl) {
  if (acl.empty()) return of.remove(xattr_name(kind));
  return of.set(xattr_name(kind), encode_acl(acl));
}

Acl acl_of_mode(uint32_t mode) {
  Acl acl;
  acl.user_obj = mode >> 6 & 7;
  acl.group_obj = mode >> 3 & 7;
  acl.other = mode & 7;
  return acl;
}

uint32_t mode_of_acl(const Acl& acl, uint32_t mode) {
  const auto put = [&](uint8_t access, int shift) {
    if (access != kNoAccess) mode = (mode & ~(7u << shift)) | static_cast<uint32_t>(access & 7) << shift;
  };
  put(acl.user_obj, 6);
  put(acl.mask != kNoAccess ? acl.mask : acl.group_obj, 3);
  put(acl.other, 0);
  return mode;
}

}  // namespace ocsync::io
