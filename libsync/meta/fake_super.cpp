#include "libsync/meta/fake_super.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <charconv>

namespace ocsync::sync {

namespace {

const std::string kStat = "user.rsync.%stat";
constexpr const char* kAccessAcl = "user.rsync.%aacl";
constexpr const char* kDefaultAcl = "user.rsync.%dacl";
constexpr size_t kAclHeadBytes = 16;
constexpr size_t kAclNameBytes = 8;
constexpr uint32_t kAclUser = 1u << 31;
constexpr size_t kLinkLimit = 4096;

}  // namespace

bool is_fake_super_name(std::string_view name) { return name == kStat || name == kAccessAcl || name == kDefaultAcl; }

std::string format_fake_stat(const FakeStat& s) {
  return fmt::format("{:o} {},{} {}:{}", s.mode, s.rdev_major, s.rdev_minor, s.uid, s.gid);
}

std::optional<FakeStat> parse_fake_stat(std::string_view text) {
  FakeStat s;
  const auto number = [&](uint32_t& into, int base, char after) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into, base);
    if (error != std::errc()) return false;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (after == 0) return true;
    if (text.empty() || text[0] != after) return false;
    text.remove_prefix(1);
    return true;
  };
  if (!number(s.mode, 8, ' ') || !number(s.rdev_major, 10, ',') || !number(s.rdev_minor, 10, ' ') ||
      !number(s.uid, 10, ':') || !number(s.gid, 10, 0))
    return std::nullopt;
  return s;
}

Result<io::FileInfo> faked(const Object& object, io::FileInfo real, std::string_view shown) {
  if (real.is_device() || real.is_special()) return real;
  const auto text = object.xattrs().get(kStat);
  if (!text) {
    const int error = text.error().sys;
    if (error == EPERM && real.is_symlink())
      real.uid = real.gid = 0;
    else if (error != EOPNOTSUPP)
      return fail(Fault::kPartial, fmt::format("failed to read xattr {} for {}", kStat, shown), error);
    return real;
  }
  if (!*text) return real;
  const auto stored = parse_fake_stat(**text);
  if (!stored)
    return fail(Fault::kFileIo, fmt::format("Corrupt {} xattr attached to {}: \"{}\"", kStat, shown, **text));
  real.mode = stored->mode;
  real.rdev = gnu_dev_makedev(stored->rdev_major, stored->rdev_minor);
  real.uid = stored->uid;
  real.gid = stored->gid;
  return real;
}

Status store_fake(const Object& object, const FakeStat& wanted, bool readable_only) {
  const io::FileInfo real = TRY(object.info());
  const bool link = real.is_symlink();
  const io::Xattrs xattrs = object.xattrs();
  const auto before = xattrs.get(kStat);
  if (!before && before.error().sys == EACCES && readable_only) return {};
  const uint32_t mode = (real.mode & S_IFMT) | (wanted.mode & 0777) | (real.is_dir() ? 0700u : 0600u);
  if (!link && (real.mode & (S_IFMT | 07777)) != mode) (void)object.set_mode(mode & 07777);
  const uint64_t rdev = gnu_dev_makedev(wanted.rdev_major, wanted.rdev_minor);
  const uint64_t real_rdev = real.is_device() ? real.rdev : 0;
  if (mode == wanted.mode && real_rdev == rdev && real.uid == wanted.uid && real.gid == wanted.gid) {
    if (!before || !*before) return {};
    return xattrs.remove(kStat);
  }
  const std::string text = format_fake_stat(wanted);
  const Status set = xattrs.set(kStat, as_bytes(text));
  if (!set && link && set.error().sys == EPERM) return {};
  return set;
}

const char* fake_acl_name(proto::AclKind kind) { return kind == proto::AclKind::kAccess ? kAccessAcl : kDefaultAcl; }

std::string format_fake_acl(const proto::WireAcl& acl) {
  std::string out;
  const auto add = [&](uint32_t v) {
    std::byte b[4];
    store_le(b, v);
    out += as_text(Bytes(b));
  };
  add(acl.user_obj);
  add(acl.group_obj);
  add(acl.mask);
  add(acl.other);
  for (const proto::AclName& name : acl.names) {
    add(name.id);
    add(name.access | (name.user ? kAclUser : 0));
  }
  return out;
}

std::optional<proto::WireAcl> parse_fake_acl(std::string_view text, uint32_t mode) {
  const Bytes bytes = as_bytes(text);
  if (bytes.size() < kAclHeadBytes || (bytes.size() - kAclHeadBytes) % kAclNameBytes != 0) return std::nullopt;
  const auto part = [&](size_t at) { return load_le<uint32_t>(&bytes[at]); };
  proto::WireAcl acl;
  acl.user_obj = static_cast<uint8_t>(part(0));
  acl.group_obj = static_cast<uint8_t>(part(4));
  acl.mask = static_cast<uint8_t>(part(8));
  acl.other = static_cast<uint8_t>(part(12));
  if (acl.user_obj == proto::kNoAccess) acl.user_obj = mode >> 6 & 7;
  if (acl.group_obj == proto::kNoAccess) acl.group_obj = mode >> 3 & 7;
  if (acl.other == proto::kNoAccess) acl.other = mode & 7;
  for (size_t at = kAclHeadBytes; at < bytes.size(); at += kAclNameBytes) {
    const uint32_t access = part(at + 4);
    acl.names.push_back(
        {.id = part(at), .access = static_cast<uint8_t>(access), .user = (access & kAclUser) != 0, .name = {}});
  }
  return acl;
}

Result<std::string> read_fake_link(const io::Dir& dir, io::Leaf leaf) {
  const io::File file = TRY(dir.open_read(leaf));
  std::string target(kLinkLimit, '\0');
  target.resize(TRY(file.read_full_at(MutableBytes(reinterpret_cast<std::byte*>(target.data()), target.size()), 0)));
  return target;
}

Status make_fake_link(const io::Dir& dir, io::Leaf leaf, const std::string& target) {
  const io::File file = TRY(dir.create(leaf, 0600));
  return file.write_at(as_bytes(target), 0);
}

Status make_fake_node(const io::Dir& dir, io::Leaf leaf) {
  TRY(dir.create(leaf, 0600));
  return {};
}

}  // namespace ocsync::sync
