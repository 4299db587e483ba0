#include "libproto/entry_wire.h"

#include <array>
#include <cassert>

#include "libproto/limits.h"
#include "libproto/numbers.h"

namespace ocsync::proto {
namespace {

// The flag bits of an entry. Some have one meaning per version or file type.
constexpr uint32_t kTopDir = 1u << 0;
constexpr uint32_t kSameMode = 1u << 1;
constexpr uint32_t kSameRdev27 = 1u << 2;  // version 27
constexpr uint32_t kExtended = 1u << 2;    // 28 and later: a second byte follows
constexpr uint32_t kSameUid = 1u << 3;
constexpr uint32_t kSameGid = 1u << 4;
constexpr uint32_t kSameName = 1u << 5;
constexpr uint32_t kLongName = 1u << 6;
constexpr uint32_t kSameTime = 1u << 7;
constexpr uint32_t kSameRdevMajor = 1u << 8;  // devices and specials
constexpr uint32_t kNoContent = 1u << 8;      // directories, 30 and later
constexpr uint32_t kHardLinked = 1u << 9;
constexpr uint32_t kSameDev = 1u << 10;      // 28 and 29
constexpr uint32_t kUserName = 1u << 10;     // 30 and later
constexpr uint32_t kMinorIsByte = 1u << 11;  // 28 and 29
constexpr uint32_t kGroupName = 1u << 11;    // 30 and later
constexpr uint32_t kHardLinkFirst = 1u << 12;
constexpr uint32_t kIoErrorEnd = 1u << 12;  // with kExtended alone: the end of a list
constexpr uint32_t kNanosecondsFollow = 1u << 13;
constexpr uint32_t kSameAtime = 1u << 14;
constexpr uint32_t kCrtimeIsMtime = 1u << 17;

constexpr size_t kMaxShared = 255;

bool is_dir(uint32_t mode) { return (mode & kTypeMask) == kTypeDir; }
bool is_regular(uint32_t mode) { return (mode & kTypeMask) == kTypeRegular; }
bool is_symlink(uint32_t mode) { return (mode & kTypeMask) == kTypeSymlink; }

bool known_type(uint32_t mode) {
  if (mode & ~uint32_t{0177777}) return false;
  return is_regular(mode) || is_dir(mode) || is_symlink(mode) || is_device(mode) || is_special(mode);
}

// Whether this entry carries a device number: devices, and the zero that specials had until version 30.
bool has_device_number(uint32_t mode, const EntryFields& fields, const Agreement& agreed) {
  return (fields.devices && is_device(mode)) || (fields.specials && agreed.specials_have_rdev && is_special(mode));
}

// Version 27 sends the number as the kernel interface of its time packed it; what does not fit 32 bits is lost.
uint32_t pack_rdev(uint32_t major, uint32_t minor) {
  return (minor & 0xff) | (major & 0xfff) << 8 | (minor & 0xfff00) << 12;
}
uint32_t packed_major(uint32_t rdev) { return rdev >> 8 & 0xfff; }
uint32_t packed_minor(uint32_t rdev) { return (rdev & 0xff) | (rdev >> 12 & 0xfff00); }

// Whether device and inode travel (below 30): version 27 has no flag for it and sends them for every regular file.
bool has_dev_ino(bool flagged, uint32_t mode, const EntryFields& fields, const Agreement& agreed) {
  if (!fields.hard_links || agreed.hard_link_groups) return false;
  return agreed.extended_entry_flags ? flagged : is_regular(mode);
}

size_t shared_bytes(const std::string& a, const std::string& b) {
  const size_t most = std::min({a.size(), b.size(), kMaxShared});
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
                             a.begin());
}

// Bytes of one entry on their way into the writer: small fields gather here, so that the writer is called seldom.
class Record {
 public:
  void u8(uint32_t value) { *at_++ = static_cast<std::byte>(value); }
  void u16(uint32_t value) { fixed(static_cast<uint16_t>(value)); }
  void i32(uint32_t value) { fixed(value); }
  void varint(uint32_t value) { at_ = store_varint(at_, static_cast<int32_t>(value)); }
  void varlong(int64_t value, int min_bytes) { at_ = store_varlong(at_, value, min_bytes); }
  void longint(int64_t value) { at_ = store_longint(at_, value); }
  void varint30(uint32_t value, bool compact) { compact ? varint(value) : i32(value); }
  void varlong30(int64_t value, int min_bytes, bool compact) { compact ? varlong(value, min_bytes) : longint(value); }
  void short_text(std::string_view text) {
    u8(static_cast<uint32_t>(text.size()));
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  Status send(Writer& out) {
    const Bytes bytes(data_.data(), at_);
    at_ = data_.data();
    return out.bytes(bytes);
  }

 private:
  template <class T>
  void fixed(T value) {
    store_le(at_, value);
    at_ += sizeof value;
  }
  // Two names of 255 bytes and all numbers at their longest stay below 700 bytes.
  std::array<std::byte, 768> data_;
  std::byte* at_ = data_.data();
};

}  // namespace

// --- writing --------------------------------------------------------------------------------------------------------

EntryEncoder::EntryEncoder(const Agreement& agreed, const EntryFields& fields) : agreed_(agreed), fields_(fields) {}

// All flags but those of the name.
uint32_t EntryEncoder::flags_for(const WireEntry& e) const {
  uint32_t flags = 0;
  const auto set = [&flags](bool on, uint32_t bit) { flags |= on ? bit : 0; };
  const bool is_first = previous_.name.empty();

  if (is_dir(e.mode)) {
    set(e.top_dir, kTopDir);
    set(e.no_content && agreed_.compact_numbers, kNoContent);
  }
  set(e.mode == previous_.mode, kSameMode);
  set(e.mtime == previous_.mtime, kSameTime);
  set(e.mtime_nsec != 0 && agreed_.mtime_has_nanoseconds, kNanosecondsFollow);
  set(fields_.crtimes && e.crtime == e.mtime, kCrtimeIsMtime);
  // One byte of flags has no room for this bit, so version 27 always gets the value.
  set(fields_.atimes && !is_dir(e.mode) && agreed_.extended_entry_flags && e.atime == previous_.atime, kSameAtime);
  // The first entry of a session always tells its owner: the far side has no earlier one to take it from.
  set(!fields_.uid || (e.uid == previous_.uid && !is_first), kSameUid);
  set(!fields_.gid || (e.gid == previous_.gid && !is_first), kSameGid);

  if (agreed_.compact_numbers && fields_.names && e.link != HardLink::kAbbreviated) {
    set(!(flags & kSameUid) && !e.user_name.empty() && e.user_name.size() <= kMaxIdName, kUserName);
    set(!(flags & kSameGid) && !e.group_name.empty() && e.group_name.size() <= kMaxIdName, kGroupName);
  }

  if (has_device_number(e.mode, fields_, agreed_)) {
    const bool special = is_special(e.mode);
    if (!agreed_.extended_entry_flags) {
      set(special || pack_rdev(e.rdev_major, e.rdev_minor) == previous_.rdev27, kSameRdev27);
    } else {
      set(special || e.rdev_major == previous_.rdev_major, kSameRdevMajor);
      set(!agreed_.compact_numbers && (special || e.rdev_minor <= 0xff), kMinorIsByte);
    }
  }

  if (fields_.hard_links && e.link != HardLink::kNone) {
    assert((e.link == HardLink::kDevIno) == !agreed_.hard_link_groups);
    set(true, kHardLinked);
    set(e.link == HardLink::kFirst, kHardLinkFirst);
    set(e.link == HardLink::kDevIno && e.link_dev == previous_.dev && agreed_.extended_entry_flags, kSameDev);
  }
  return flags;
}

void EntryEncoder::remember(const WireEntry& e) {
  previous_.name = e.name;
  previous_.mode = e.mode;
  previous_.mtime = e.mtime;
  if (!is_dir(e.mode)) previous_.atime = e.atime;
  previous_.uid = e.uid;
  previous_.gid = e.gid;
  if (fields_.devices && is_device(e.mode)) {
    previous_.rdev_major = e.rdev_major;
    previous_.rdev27 = pack_rdev(e.rdev_major, e.rdev_minor);
  } else if (!has_device_number(e.mode, fields_, agreed_)) {
    previous_.rdev27 = 0;
  }
  if (e.link == HardLink::kDevIno) previous_.dev = e.link_dev;
}

Status EntryEncoder::encode(const WireEntry& e, Writer& out) {
  if (e.name.empty() || e.name.size() >= kMaxPath)
    return fail(Fault::kPartial, "name is too long to be sent: " + e.name);
  const bool sends_target = is_symlink(e.mode) && fields_.links && e.link != HardLink::kAbbreviated;
  if (sends_target && (e.target.empty() || e.target.size() >= kMaxPath))
    return fail(Fault::kPartial, "target of the symlink cannot be sent: " + e.name);

  const bool compact = agreed_.compact_numbers;
  uint32_t flags = flags_for(e);
  const size_t shared = shared_bytes(previous_.name, e.name);
  const size_t rest = e.name.size() - shared;
  if (shared > 0) flags |= kSameName;
  if (rest > 255) flags |= kLongName;

  // A flag value of zero would end the list; each form has its own harmless bit against that.
  Record record;
  if (agreed_.varint_entry_flags) {
    record.varint(flags ? flags : kExtended);
  } else if (agreed_.extended_entry_flags) {
    flags &= 0xffff;
    if (!flags && !is_dir(e.mode)) flags |= kTopDir;
    if (flags & 0xff00 || !flags) {
      flags |= kExtended;
      record.u16(flags);
    } else {
      record.u8(flags);
    }
  } else {
    flags &= 0xff;
    if (!flags) flags |= is_dir(e.mode) ? kLongName : kTopDir;
    record.u8(flags);
  }

  if (flags & kSameName) record.u8(static_cast<uint32_t>(shared));
  if (flags & kLongName)
    record.varint30(static_cast<uint32_t>(rest), compact);
  else
    record.u8(static_cast<uint32_t>(rest));
  TRY(record.send(out));
  TRY(out.text(std::string_view(e.name).substr(shared)));

  if (fields_.hard_links && (e.link == HardLink::kFollower || e.link == HardLink::kAbbreviated)) {
    record.varint(static_cast<uint32_t>(e.link_group));
    if (e.link == HardLink::kAbbreviated) {
      remember(e);
      return record.send(out);
    }
  }

  record.varlong30(e.size, 3, compact);
  if (!(flags & kSameTime)) {
    if (compact)
      record.varlong(e.mtime, 4);
    else
      record.i32(static_cast<uint32_t>(e.mtime));
  }
  if (flags & kNanosecondsFollow) record.varint(e.mtime_nsec);
  if (fields_.crtimes && !(flags & kCrtimeIsMtime)) record.varlong(e.crtime, 4);
  if (!(flags & kSameMode)) record.i32(e.mode);
  if (fields_.atimes && !is_dir(e.mode) && !(flags & kSameAtime)) record.varlong(e.atime, 4);
  if (!(flags & kSameUid)) {
    record.varint30(e.uid, compact);
    if (compact && (flags & kUserName)) record.short_text(e.user_name);
  }
  if (!(flags & kSameGid)) {
    record.varint30(e.gid, compact);
    if (compact && (flags & kGroupName)) record.short_text(e.group_name);
  }
  if (has_device_number(e.mode, fields_, agreed_)) {
    const uint32_t minor = is_special(e.mode) ? 0 : e.rdev_minor;
    if (!agreed_.extended_entry_flags) {
      if (!(flags & kSameRdev27)) record.i32(pack_rdev(e.rdev_major, minor));
    } else {
      if (!(flags & kSameRdevMajor)) record.varint30(e.rdev_major, compact);
      if (compact)
        record.varint(minor);
      else if (flags & kMinorIsByte)
        record.u8(minor);
      else
        record.i32(minor);
    }
  }
  if (sends_target) {
    record.varint30(static_cast<uint32_t>(e.target.size()), compact);
    TRY(record.send(out));
    TRY(out.text(e.target));
  }
  if (has_dev_ino(e.link == HardLink::kDevIno, e.mode, fields_, agreed_)) {
    // One more than the number, so that it is never zero.
    if (!agreed_.extended_entry_flags || !(flags & kSameDev))
      record.longint(static_cast<int64_t>(static_cast<uint64_t>(e.link_dev) + 1));
    record.longint(e.link_ino);
  }
  TRY(record.send(out));

  if (fields_.checksums && (is_regular(e.mode) || !agreed_.extended_entry_flags)) {
    // Nothing but zeros for what has no content, and for content that could not be read.
    Digest sum;
    if (is_regular(e.mode)) sum = e.checksum;
    TRY(out.bytes(Bytes(sum.data).first(digest_bytes(agreed_.list_digest))));
  }
  remember(e);
  return {};
}

Result<bool> EntryEncoder::encode_end(int32_t io_error, Writer& out) {
  if (agreed_.varint_entry_flags) {
    TRY(out.u8(0));
    TRY(write_varint(io_error, out));
    return true;
  }
  if (io_error == 0 || !agreed_.safe_list_end) {
    TRY(out.u8(0));
    return io_error == 0;
  }
  TRY(out.u16(kExtended | kIoErrorEnd));
  TRY(write_varint(io_error, out));
  return true;
}

// --- reading --------------------------------------------------------------------------------------------------------

EntryDecoder::EntryDecoder(const Agreement& agreed, const EntryFields& fields) : agreed_(agreed), fields_(fields) {}

Result<std::optional<ListEnd>> EntryDecoder::decode(Reader& in, WireEntry& entry, int32_t list_start, int32_t count,
                                                    const FindLeader& leader) {
  uint32_t flags = 0;
  if (const auto end = TRY(read_flags(in, flags))) return end;
  TRY(read_name(in, flags, entry));

  const bool linked = agreed_.hard_link_groups && (flags & kHardLinked);
  entry.link = linked && fields_.hard_links ? HardLink::kFirst : HardLink::kNone;
  entry.link_group = linked ? list_start + count : -1;
  entry.link_dev = entry.link_ino = 0;
  bool abbreviated = false;
  if (linked && !(flags & kHardLinkFirst)) {
    entry.link_group = TRY(read_varint(in));
    if (entry.link_group < 0 || entry.link_group >= list_start + count)
      return fail(Fault::kProtocol, "hard-link reference out of range: " + std::to_string(entry.link_group) + " (" +
                                        std::to_string(list_start + count) + ")");
    abbreviated = entry.link_group >= list_start;
    if (fields_.hard_links) entry.link = HardLink::kFollower;
  }

  if (abbreviated)
    TRY(read_abbreviated(entry, list_start, leader));
  else
    TRY(read_fields(in, flags, entry));

  // Taken for a file, the transfer root would be replaced by one, with everything in it.
  if (!is_dir(entry.mode) && (entry.name == "." || entry.name.ends_with("/.")))
    return fail(Fault::kProtocol, "ERROR: rejecting non-directory transfer-root entry: " + entry.name);
  if (is_dir(entry.mode)) {
    entry.link = HardLink::kNone;
    entry.top_dir = (flags & kTopDir) != 0;
    entry.no_content = agreed_.compact_numbers && (flags & kNoContent) != 0;
  } else {
    entry.top_dir = entry.no_content = false;
  }
  if (entry.link == HardLink::kNone) {
    entry.link_group = -1;
    entry.link_dev = entry.link_ino = 0;
  }
  return std::nullopt;
}

Result<std::optional<ListEnd>> EntryDecoder::read_flags(Reader& in, uint32_t& flags) {
  if (agreed_.varint_entry_flags) {
    flags = static_cast<uint32_t>(TRY(read_varint(in)));
    if (flags == 0) return ListEnd{TRY(read_varint(in)) & kIoErrorBits};
    return std::nullopt;
  }
  flags = TRY(in.u8());
  if (flags == 0) return ListEnd{};
  if (agreed_.extended_entry_flags && (flags & kExtended)) flags |= static_cast<uint32_t>(TRY(in.u8())) << 8;
  if (agreed_.extended_entry_flags && flags == (kExtended | kIoErrorEnd)) {
    if (!agreed_.safe_list_end) return fail(Fault::kProtocol, "Invalid flist flag: 1004");
    return ListEnd{TRY(read_varint(in)) & kIoErrorBits};
  }
  return std::nullopt;
}

Status EntryDecoder::read_name(Reader& in, uint32_t flags, WireEntry& entry) {
  const uint32_t shared = flags & kSameName ? TRY(in.u8()) : 0;
  uint32_t rest = 0;
  if (flags & kLongName)
    rest = static_cast<uint32_t>(TRY(read_varint30(agreed_, in)));
  else
    rest = TRY(in.u8());
  if (rest >= kMaxPath - shared)
    return fail(Fault::kMemory, "overflow: l1=" + std::to_string(shared) + " l2=" + std::to_string(rest) +
                                    " lastname=" + previous_.name);
  if (shared > previous_.name.size())
    return fail(Fault::kProtocol, "name shares more than there is with its predecessor");

  previous_.name.resize(shared + rest);
  TRY(in.exact(std::as_writable_bytes(std::span(previous_.name.data() + shared, rest))));
  if (previous_.name.empty()) return fail(Fault::kProtocol, "empty name from sender");
  if (std::memchr(previous_.name.data() + shared, 0, rest))
    return fail(Fault::kProtocol, "zero byte in a name from sender");

  entry.shared_prefix = static_cast<uint8_t>(shared);
  entry.name = previous_.name;  // the next entry shares bytes with what stood on the wire, not with its clean form
  return clean_name(entry.name, fields_.absolute_names);
}

// Everything but the name is that of the group's first member, which stands earlier in this very list.
Status EntryDecoder::read_abbreviated(WireEntry& entry, int32_t list_start, const FindLeader& leader) {
  const WireEntry* const first = entry.link_group >= list_start ? TRY(leader(entry.link_group)) : nullptr;
  if (!first || is_dir(first->mode))
    return fail(Fault::kProtocol, "hard-link reference to what is no file: " + std::to_string(entry.link_group));
  entry.mode = first->mode;
  entry.size = first->size;
  entry.mtime = first->mtime;
  entry.mtime_nsec = first->mtime_nsec;
  entry.atime = first->atime;
  entry.crtime = first->crtime;
  entry.uid = first->uid;
  entry.gid = first->gid;
  entry.user_name.clear();
  entry.group_name.clear();
  entry.rdev_major = first->rdev_major;
  entry.rdev_minor = first->rdev_minor;
  entry.target = first->target;
  entry.checksum = first->checksum;
  if (fields_.hard_links) entry.link = HardLink::kAbbreviated;

  previous_.mode = entry.mode;
  previous_.mtime = entry.mtime;
  if (fields_.atimes) previous_.atime = entry.atime;
  if (fields_.uid) previous_.uid = entry.uid;
  if (fields_.gid) previous_.gid = entry.gid;
  if (fields_.devices && is_device(entry.mode)) previous_.rdev_major = entry.rdev_major;
  return {};
}

Status EntryDecoder::read_fields(Reader& in, uint32_t flags, WireEntry& entry) {
  const bool compact = agreed_.compact_numbers;
  entry.size = TRY(read_varlong30(3, agreed_, in));
  if (entry.size < 0) return fail(Fault::kUnsupported, "Offset underflow: file-length is negative");

  if (!(flags & kSameTime))
    previous_.mtime = compact ? TRY(read_varlong(4, in)) : int64_t{static_cast<uint32_t>(TRY(in.i32()))};
  entry.mtime = previous_.mtime;
  entry.mtime_nsec = 0;
  if (flags & kNanosecondsFollow && !agreed_.mtime_has_nanoseconds)
    return fail(Fault::kProtocol, "nanoseconds in a version that has none");
  if (flags & kNanosecondsFollow)
    entry.mtime_nsec = static_cast<uint32_t>(TRY(read_varint_within("modtime_nsec", 0, kNanoseconds - 1, in)));
  entry.crtime = 0;
  if (fields_.crtimes) entry.crtime = flags & kCrtimeIsMtime ? entry.mtime : TRY(read_varlong(4, in));

  if (!(flags & kSameMode)) previous_.mode = static_cast<uint32_t>(TRY(in.i32()));
  entry.mode = previous_.mode;
  if (!known_type(entry.mode) && !(entry.mode == 0 && fields_.missing_args))
    return fail(Fault::kProtocol, "invalid file mode for " + entry.name);

  entry.atime = 0;
  if (fields_.atimes && !is_dir(entry.mode)) {
    if (!(flags & kSameAtime)) previous_.atime = TRY(read_varlong(4, in));
    entry.atime = previous_.atime;
  }

  entry.user_name.clear();
  entry.group_name.clear();
  if (fields_.uid && !(flags & kSameUid)) {
    previous_.uid = static_cast<uint32_t>(TRY(read_varint30(agreed_, in)));
    if (compact && (flags & kUserName)) TRY(read_short_text(entry.user_name, in));
  }
  if (fields_.gid && !(flags & kSameGid)) {
    previous_.gid = static_cast<uint32_t>(TRY(read_varint30(agreed_, in)));
    if (compact && (flags & kGroupName)) TRY(read_short_text(entry.group_name, in));
  }
  entry.uid = previous_.uid;
  entry.gid = previous_.gid;

  TRY(read_device(in, flags, entry));
  TRY(read_target(in, entry));

  if (has_dev_ino((flags & kHardLinked) != 0, entry.mode, fields_, agreed_)) {
    if (!agreed_.extended_entry_flags || !(flags & kSameDev))
      previous_.dev = static_cast<int64_t>(static_cast<uint64_t>(TRY(read_longint(in))) - 1);
    entry.link = HardLink::kDevIno;
    entry.link_dev = previous_.dev;
    entry.link_ino = TRY(read_longint(in));
  }

  entry.checksum.size = 0;
  if (fields_.checksums && (is_regular(entry.mode) || !agreed_.extended_entry_flags)) {
    const size_t bytes = digest_bytes(agreed_.list_digest);
    TRY(in.exact(MutableBytes(entry.checksum.data).first(bytes)));
    if (is_regular(entry.mode)) entry.checksum.size = static_cast<uint8_t>(bytes);
  }
  return {};
}

Status EntryDecoder::read_device(Reader& in, uint32_t flags, WireEntry& entry) {
  entry.rdev_major = entry.rdev_minor = 0;
  const bool device = is_device(entry.mode);
  if (device || is_special(entry.mode)) entry.size = 0;
  if (!has_device_number(entry.mode, fields_, agreed_)) {
    if (!device) previous_.rdev27 = 0;
    return {};
  }
  if (!agreed_.extended_entry_flags) {
    if (!(flags & kSameRdev27)) previous_.rdev27 = static_cast<uint32_t>(TRY(in.i32()));
    if (device) {
      entry.rdev_major = packed_major(previous_.rdev27);
      entry.rdev_minor = packed_minor(previous_.rdev27);
    }
    return {};
  }
  if (!(flags & kSameRdevMajor)) previous_.rdev_major = static_cast<uint32_t>(TRY(read_varint30(agreed_, in)));
  uint32_t minor = 0;
  if (agreed_.compact_numbers)
    minor = static_cast<uint32_t>(TRY(read_varint(in)));
  else if (flags & kMinorIsByte)
    minor = TRY(in.u8());
  else
    minor = static_cast<uint32_t>(TRY(in.i32()));
  if (device) {
    entry.rdev_major = previous_.rdev_major;
    entry.rdev_minor = minor;
  }
  return {};
}

Status EntryDecoder::read_target(Reader& in, WireEntry& entry) {
  entry.target.clear();
  if (!fields_.links || !is_symlink(entry.mode)) return {};
  const int32_t bytes = TRY(read_varint30(agreed_, in));
  if (bytes < 0 || static_cast<size_t>(bytes) >= kMaxPath)
    return fail(Fault::kMemory, "overflow: linkname_len=" + std::to_string(bytes));
  TRY(in.text(entry.target, static_cast<size_t>(bytes)));
  if (entry.target.find('\0') != std::string::npos)
    return fail(Fault::kProtocol, "zero byte in a symlink's target from sender");
  return {};
}

Status clean_name(std::string& name, bool absolute) {
  const auto refuse = [&] { return fail(Fault::kUnsupported, "ABORTING due to unsafe pathname from sender: " + name); };
  if (name.empty() || (name.front() == '/' && !absolute)) return refuse();

  // Most names are clean: look first, copy only when there is something to drop.
  bool dirty = false;
  size_t begin = name.front() == '/' ? 1 : 0;
  const size_t top = begin;
  while (true) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const bool last = end == name.size();
    const std::string_view part(name.data() + begin, end - begin);
    if (part == "..") return refuse();
    if (part.empty() || (part == "." && !last)) dirty = true;
    if (last) break;
    begin = end + 1;
  }
  if (!dirty) return {};

  std::string clean(name, 0, top);
  for (begin = top; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part(name.data() + begin, end - begin);
    if (!part.empty() && (part != "." || end == name.size())) {
      if (clean.size() > top) clean += '/';
      clean += part;
    }
    begin = end + 1;
  }
  name = clean.empty() ? "." : clean;
  return {};
}

}  // namespace ocsync::proto
