// List entries at every version: all kinds come back as they were, and hostile ones are refused with their faults.
#include "libproto/entry_wire.h"

#include <catch2/catch.hpp>
#include <random>

#include "libproto/limits.h"
#include "libproto/numbers.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

constexpr uint32_t kModernFlags = 0x1fe;

// Every version, and from 30 on both forms of entry flags.
std::vector<Agreement> all_agreements() {
  std::vector<Agreement> all;
  for (int version = kOldestVersion; version <= kNewestVersion; ++version) {
    all.push_back(Agreement::from(version, 0x1e));
    if (version >= 30) all.push_back(Agreement::from(version, kModernFlags));
  }
  for (Agreement& a : all) a.list_digest = a.version >= 30 ? DigestKind::kXxh128 : DigestKind::kMd4;
  return all;
}

EntryFields every_field(const Agreement& a) {
  EntryFields f;
  f.uid = f.gid = f.links = f.devices = f.specials = f.hard_links = f.atimes = f.checksums = true;
  f.names = a.compact_numbers;
  f.crtimes = a.varint_entry_flags;
  return f;
}

const EntryDecoder::FindLeader kNoLeader = [](int32_t) -> Result<const WireEntry*> { return nullptr; };

std::string encoded(const Agreement& a, const EntryFields& f, const std::vector<WireEntry>& entries) {
  EntryEncoder encoder(a, f);
  MemorySink sink;
  Writer out(sink);
  for (const WireEntry& e : entries) REQUIRE(encoder.encode(e, out));
  REQUIRE(encoder.encode_end(0, out));
  REQUIRE(out.flush());
  return std::string(as_text(sink.bytes()));
}

Result<std::vector<WireEntry>> decoded(const Agreement& a, const EntryFields& f, std::string_view bytes,
                                       int32_t start = 0, size_t chunk = SIZE_MAX) {
  EntryDecoder decoder(a, f);
  MemorySource source(as_bytes(bytes), chunk);
  Reader in(source);
  std::vector<WireEntry> list;
  const auto leader = [&](int32_t ndx) -> Result<const WireEntry*> {
    return &list.at(static_cast<size_t>(ndx - start));
  };
  while (true) {
    WireEntry e;
    const auto end = TRY(decoder.decode(in, e, start, static_cast<int32_t>(list.size()), leader));
    if (end) return list;
    list.push_back(e);
  }
}

Error refused(const Agreement& a, const EntryFields& f, std::string_view bytes, int32_t start = 0) {
  const auto list = decoded(a, f, bytes, start);
  REQUIRE(!list);
  return list.error();
}

// What remains of an entry at this version.
WireEntry as_received(WireEntry e, const Agreement& a, const EntryFields& f) {
  const bool dir = (e.mode & kTypeMask) == kTypeDir;
  if (!a.compact_numbers) {
    e.mtime = static_cast<uint32_t>(e.mtime);
    e.user_name.clear(), e.group_name.clear();
    e.no_content = false;
  }
  if (!a.mtime_has_nanoseconds) e.mtime_nsec = 0;
  if (!f.crtimes) e.crtime = 0;
  if (dir) e.atime = 0;
  if (!dir) e.top_dir = e.no_content = false;
  if (is_device(e.mode) || is_special(e.mode)) e.size = 0;
  if (!is_device(e.mode)) e.rdev_major = e.rdev_minor = 0;
  return e;
}

void same(const WireEntry& got, const WireEntry& want) {
  INFO(want.name);
  CHECK(got.name == want.name);
  CHECK(got.mode == want.mode);
  CHECK(got.size == want.size);
  CHECK(got.mtime == want.mtime);
  CHECK(got.mtime_nsec == want.mtime_nsec);
  CHECK(got.atime == want.atime);
  CHECK(got.crtime == want.crtime);
  CHECK(got.uid == want.uid);
  CHECK(got.gid == want.gid);
  CHECK(got.user_name == want.user_name);
  CHECK(got.group_name == want.group_name);
  CHECK(got.rdev_major == want.rdev_major);
  CHECK(got.rdev_minor == want.rdev_minor);
  CHECK(got.target == want.target);
  CHECK(got.link == want.link);
  CHECK(got.link_group == want.link_group);
  CHECK(got.link_dev == want.link_dev);
  CHECK(got.link_ino == want.link_ino);
  CHECK(to_hex(got.checksum.bytes()) == to_hex(want.checksum.bytes()));
  CHECK(got.top_dir == want.top_dir);
  CHECK(got.no_content == want.no_content);
}

WireEntry entry(std::string name, uint32_t mode, int64_t size = 0, int64_t mtime = 1600000000) {
  WireEntry e;
  e.name = std::move(name);
  e.mode = mode;
  e.size = size;
  e.mtime = mtime;
  return e;
}

// A list with something of everything.
std::vector<WireEntry> zoo(const Agreement& a) {
  std::vector<WireEntry> list;
  const auto add = [&](WireEntry e) -> WireEntry& {
    if ((e.mode & kTypeMask) == kTypeRegular) {
      e.checksum.size = static_cast<uint8_t>(digest_bytes(a.list_digest));
      for (size_t i = 0; i < e.checksum.size; ++i) e.checksum.data[i] = static_cast<std::byte>(list.size() * 16 + i);
      // Version 27 sends device and inode of every regular file.
      if (!a.extended_entry_flags)
        e.link = HardLink::kDevIno, e.link_dev = 2049, e.link_ino = static_cast<int64_t>(list.size()) + 100;
    }
    list.push_back(std::move(e));
    return list.back();
  };
  add(entry(".", 040755, 4096)).top_dir = true;
  add(entry("a", 0100644, 5));
  add(entry("a", 0100644, 5));  // even the same name again
  WireEntry& big = add(entry("big", 0100600, (int64_t{1} << 40) + 7, 4102444800));
  big.mtime_nsec = 999999999;
  big.uid = 4294967294, big.gid = 1000;
  big.user_name = "nobody", big.group_name = std::string(255, 'g');
  WireEntry& old = add(entry("before 1970", 0107777, INT64_MAX, -86400));
  old.atime = -1, old.crtime = 77, old.mtime_nsec = 1;
  add(entry("d", 040700)).no_content = true;
  WireEntry& implied = add(entry("d/implied", 040700));
  implied.top_dir = implied.no_content = true;
  add(entry("d/link", 0120777, 2)).target = "f1";
  add(entry("d/link2", 0120777, 4000)).target = std::string(4095, 't');
  add(entry("d/" + std::string(250, 'x'), 0100644));
  add(entry("d/" + std::string(250, 'x') + std::string(3000, 'y'), 0100644));
  add(entry("d/" + std::string(4093, 'z'), 0100644));
  for (const uint32_t type : {kTypeChar, kTypeBlock}) {
    for (const uint32_t minor : {0u, 255u, 256u, 1048575u}) {
      WireEntry& dev = add(entry("dev" + std::to_string(type + minor), type | 0600));
      dev.rdev_major = type == kTypeChar ? 4 : 259;
      dev.rdev_minor = minor;
    }
  }
  add(entry("fifo", 0010600));
  add(entry("socket", 0140600));
  WireEntry& after = add(entry("tty", 0020620));
  after.rdev_major = 259, after.rdev_minor = 5;
  add(entry("\xff\n\x01", 0100644, 1));
  if (a.hard_link_groups) {
    WireEntry first = entry("h1", 0100640, 12, 99);
    first.link = HardLink::kFirst;
    first.link_group = static_cast<int32_t>(list.size());
    first.uid = 7, first.atime = 5;
    const WireEntry& leader = add(first);
    WireEntry again = leader;
    again.name = "h2", again.link = HardLink::kAbbreviated;
    list.push_back(again);
  } else {
    for (const int64_t ino : {5, 5, 6}) {
      WireEntry e = entry("h" + std::to_string(list.size()), 0100640, 12);
      e.link = HardLink::kDevIno, e.link_dev = INT32_MAX, e.link_ino = ino;
      list.push_back(e);
      list.back().checksum = list[1].checksum;
    }
  }
  add(entry("last", 0100644, 3));
  return list;
}

const Agreement& modern() {
  static const Agreement a = Agreement::from(32, kModernFlags);
  return a;
}
const Agreement& classic() {
  static const Agreement a = Agreement::from(29, 0);
  return a;
}

// The bytes of a modern regular file: flags, name, size 5, mtime 0 ("same"), mode.
std::string plain_entry(std::string_view name, uint32_t mode = 0100644, uint32_t flags = 0x80 | 0x18) {
  MemorySink sink;
  Writer out(sink);
  REQUIRE(write_varint(static_cast<int32_t>(flags), out));
  REQUIRE(out.u8(static_cast<uint8_t>(name.size())));
  REQUIRE(out.text(name));
  REQUIRE(write_varlong(5, 3, out));
  REQUIRE(out.i32(static_cast<int32_t>(mode)));
  REQUIRE(out.flush());
  return std::string(as_text(sink.bytes()));
}

}  // namespace

TEST_CASE("entry: something of everything comes back at every version and flag form") {
  for (const Agreement& a : all_agreements()) {
    DYNAMIC_SECTION("version " << a.version << (a.varint_entry_flags ? ", varint flags" : "")) {
      const EntryFields f = every_field(a);
      const std::vector<WireEntry> sent = zoo(a);
      const std::string bytes = encoded(a, f, sent);
      for (const size_t chunk : {size_t{1}, size_t{7}, SIZE_MAX}) {
        const auto list = decoded(a, f, bytes, 0, chunk);
        if (!list) FAIL(list.error().text);
        REQUIRE(list->size() == sent.size());
        for (size_t i = 0; i < sent.size(); ++i) same((*list)[i], as_received(sent[i], a, f));
        CHECK(encoded(a, f, *list) == bytes);
      }
    }
  }
}

TEST_CASE("entry: with no field preserved only names, sizes, times and modes travel") {
  for (const Agreement& a : all_agreements()) {
    WireEntry e = entry("link", 0120777, 4);
    e.uid = 5, e.gid = 6, e.target = "away", e.atime = 9;
    const auto list = decoded(a, {}, encoded(a, {}, {e, entry("next", 0100644)}));
    REQUIRE(list);
    REQUIRE(list->size() == 2);
    CHECK((*list)[0].target.empty());
    CHECK((*list)[0].uid == 0);
    CHECK((*list)[0].mode == 0120777);
    CHECK((*list)[1].name == "next");
  }
}

TEST_CASE("entry: an entry whose flags would be zero does not end the list") {
  for (const Agreement& a : all_agreements()) {
    EntryFields f;
    f.uid = f.gid = true;
    WireEntry file = entry("f", 0100644, 1, 7), dir = entry("d", 040755, 1, 8);
    file.uid = file.gid = 3, dir.uid = dir.gid = 4;
    const auto list = decoded(a, f, encoded(a, f, {file, dir}));
    REQUIRE(list);
    REQUIRE(list->size() == 2);
    CHECK(!(*list)[1].top_dir);
    CHECK((*list)[1].gid == 4);
  }
}

TEST_CASE("entry: state lives on between lists") {
  EntryFields f;
  f.uid = true;
  EntryEncoder encoder(modern(), f);
  EntryDecoder decoder(modern(), f);
  MemorySink sink;
  Writer out(sink);
  WireEntry a = entry("dir/a", 0100644), b = entry("dir/b", 0100644);
  a.uid = b.uid = 9;
  REQUIRE(encoder.encode(a, out));
  REQUIRE(encoder.encode_end(0, out));
  REQUIRE(encoder.encode(b, out));
  REQUIRE(encoder.encode_end(2, out));
  REQUIRE(out.flush());
  MemorySource source(sink.bytes());
  Reader in(source);
  WireEntry e;
  CHECK(!*decoder.decode(in, e, 1, 0, kNoLeader));
  CHECK((*decoder.decode(in, e, 1, 1, kNoLeader))->io_error == 0);
  CHECK(!*decoder.decode(in, e, 3, 0, kNoLeader));
  CHECK(e.name == "dir/b");
  CHECK(e.uid == 9);
  CHECK(e.shared_prefix == 4);
  CHECK((*decoder.decode(in, e, 3, 1, kNoLeader))->io_error == 2);
}

TEST_CASE("entry: a follower of an earlier list travels whole, one of this list abbreviated") {
  EntryFields f;
  f.hard_links = true;
  EntryEncoder encoder(modern(), f);
  MemorySink sink;
  Writer out(sink);
  WireEntry leader = entry("one", 0100644, 6);
  leader.link = HardLink::kFirst, leader.link_group = 4;
  WireEntry here = leader;
  here.name = "two", here.link = HardLink::kAbbreviated;
  WireEntry there = leader;
  there.name = "three", there.link = HardLink::kFollower, there.link_group = 2;
  for (const WireEntry* e : {&leader, &here, &there}) REQUIRE(encoder.encode(*e, out));
  REQUIRE(out.flush());

  EntryDecoder decoder(modern(), f);
  MemorySource source(sink.bytes());
  Reader in(source);
  WireEntry first, e;
  const auto find = [&](int32_t ndx) -> Result<const WireEntry*> {
    CHECK(ndx == 4);
    return &first;
  };
  REQUIRE(!*decoder.decode(in, first, 4, 0, find));
  CHECK(first.link == HardLink::kFirst);
  CHECK(first.link_group == 4);
  REQUIRE(!*decoder.decode(in, e, 4, 1, find));
  CHECK(e.link == HardLink::kAbbreviated);
  CHECK(e.size == 6);
  REQUIRE(!*decoder.decode(in, e, 4, 2, find));
  CHECK(e.link == HardLink::kFollower);
  CHECK(e.link_group == 2);
  CHECK(e.name == "three");
}

TEST_CASE("entry: the end of a list tells errors where the agreement has room") {
  const auto end = [](const Agreement& a, int32_t io_error) {
    EntryEncoder encoder(a, {});
    MemorySink sink;
    Writer out(sink);
    const auto told = encoder.encode_end(io_error, out);
    REQUIRE(told);
    REQUIRE(out.flush());
    return std::pair(to_hex(sink.bytes()), *told);
  };
  CHECK(end(modern(), 0) == std::pair(std::string("0000"), true));
  CHECK(end(modern(), 1) == std::pair(std::string("0001"), true));
  CHECK(end(Agreement::from(31, 0), 0) == std::pair(std::string("00"), true));
  CHECK(end(Agreement::from(31, 0), 3) == std::pair(std::string("041003"), true));
  CHECK(end(Agreement::from(30, kCompatSafeList), 1) == std::pair(std::string("041001"), true));
  CHECK(end(Agreement::from(30, 0), 1) == std::pair(std::string("00"), false));
  CHECK(end(classic(), 1) == std::pair(std::string("00"), false));

  const auto read = [](const Agreement& a, std::string_view bytes) {
    EntryDecoder decoder(a, {});
    MemorySource source(as_bytes(bytes));
    Reader in(source);
    WireEntry e;
    return decoder.decode(in, e, 0, 0, kNoLeader);
  };
  CHECK((*read(modern(), std::string_view("\0\x7f", 2)))->io_error == 7);
  CHECK((*read(Agreement::from(31, 0), "\x04\x10\x03"))->io_error == 3);
  CHECK(read(Agreement::from(30, 0), "\x04\x10\x03").error().fault == Fault::kProtocol);
  CHECK(read(modern(), "").error().fault == Fault::kStream);
}

TEST_CASE("entry: version 27 always tells the atime, for its flags cannot say that it is the same") {
  EntryFields f;
  f.atimes = true;
  const Agreement a = Agreement::from(27, 0);
  WireEntry one = entry("a", 0100644), two = entry("b", 0100644);
  one.atime = two.atime = 5;
  const auto list = decoded(a, f, encoded(a, f, {one, two}));
  REQUIRE(list);
  CHECK((*list)[1].atime == 5);
}

TEST_CASE("entry: names are cleaned or refused where they are read") {
  EntryFields relative;
  relative.absolute_names = true;
  const auto name = [&](std::string_view text, bool absolute = false) {
    const auto list =
        decoded(modern(), absolute ? relative : EntryFields{}, plain_entry(text, 040755) + std::string(2, '\0'));
    return list ? list->at(0).name : "fault " + std::to_string(static_cast<int>(list.error().fault));
  };
  const std::string unsafe = "fault " + std::to_string(static_cast<int>(Fault::kUnsupported));
  const std::string broken = "fault " + std::to_string(static_cast<int>(Fault::kProtocol));
  CHECK(name("a/b") == "a/b");
  CHECK(name("a//b/") == "a/b");
  CHECK(name("./a/./b") == "a/b");
  CHECK(name("./") == ".");
  CHECK(name("a/.") == "a/.");
  CHECK(name("a/..b/...") == "a/..b/...");
  for (const char* bad : {"..", "../a", "a/..", "a/../b", "/", "/a", "//a", "/..", "a//.."}) {
    INFO(bad);
    CHECK(name(bad) == unsafe);
  }
  CHECK(name("/a//b", true) == "/a/b");
  CHECK(name("//a", true) == "/a");
  CHECK(name("/.", true) == "/.");
  CHECK(name("/../a", true) == unsafe);
  CHECK(name("") == broken);
  CHECK(name(std::string_view("a\0b", 3)) == broken);
}

TEST_CASE("entry: the transfer root is a directory") {
  EntryFields relative;
  relative.absolute_names = true;
  for (const char* root : {".", "/.", "./", "d/."}) {
    INFO(root);
    const Error e = refused(modern(), relative, plain_entry(root, 0100644));
    CHECK(e.fault == Fault::kProtocol);
    CHECK(e.text.starts_with("ERROR: rejecting non-directory transfer-root entry"));
  }
}

TEST_CASE("entry: names as long as a path are refused, with any length that could overflow") {
  const auto with_length = [](uint32_t shared, int32_t rest) {
    MemorySink sink;
    Writer out(sink);
    REQUIRE(write_varint(0x80 | 0x18 | 0x20 | 0x40, out));
    REQUIRE(out.u8(static_cast<uint8_t>(shared)));
    REQUIRE(write_varint(rest, out));
    REQUIRE(out.text(std::string(rest > 0 && rest < 5000 ? static_cast<size_t>(rest) : 0, 'n')));
    REQUIRE(out.flush());
    return std::string(as_text(sink.bytes()));
  };
  for (const int32_t rest : {4096, INT32_MAX, -1, INT32_MIN})
    CHECK(refused(modern(), {}, with_length(0, rest)).fault == Fault::kMemory);
  const std::string before = plain_entry(std::string(255, 'n'));
  CHECK(refused(modern(), {}, before + with_length(255, 3841)).fault == Fault::kMemory);
  CHECK(refused(modern(), {}, before + with_length(255, 3840)).fault == Fault::kStream);  // long enough, but cut off
  // Sharing more than there is.
  CHECK(refused(modern(), {}, plain_entry("abc") + with_length(4, 1)).fault == Fault::kProtocol);
}

TEST_CASE("entry: values out of range have their faults") {
  EntryFields f;
  // Nanoseconds.
  const auto nsec = [&](int32_t value) {
    MemorySink sink;
    Writer out(sink);
    REQUIRE(write_varint(0x2000 | 0x80 | 0x18, out));
    REQUIRE(out.text(std::string("\x01n", 2)));
    REQUIRE(write_varlong(5, 3, out));
    REQUIRE(write_varint(value, out));
    REQUIRE(out.i32(0100644));
    REQUIRE(out.u16(0));
    REQUIRE(out.flush());
    return std::string(as_text(sink.bytes()));
  };
  CHECK(decoded(modern(), f, nsec(999999999)));
  CHECK(refused(modern(), f, nsec(1000000000)).fault == Fault::kProtocol);
  CHECK(refused(modern(), f, nsec(-1)).fault == Fault::kProtocol);
  CHECK(refused(Agreement::from(30, kModernFlags), f, nsec(5)).fault == Fault::kProtocol);

  // File types.
  for (const uint32_t mode : {0u, 0644u, 0170644u, 0030000u, 0100644u | 1u << 16, 0xffffffffu}) {
    const Error e = refused(modern(), f, plain_entry("n", mode));
    CHECK(e.fault == Fault::kProtocol);
    CHECK(e.text == "invalid file mode for n");
  }
  EntryFields missing;
  missing.missing_args = true;
  CHECK(decoded(modern(), missing, plain_entry("gone", 0) + std::string(2, '\0'))->at(0).mode == 0);
  CHECK(refused(modern(), missing, plain_entry("gone", 0644)).fault == Fault::kProtocol);
  // The same mode as none before.
  CHECK(refused(modern(), f, plain_entry("n", 0, 0x80 | 0x18 | 0x02)).fault == Fault::kProtocol);

  // Sizes.
  MemorySink negative;
  Writer w(negative);
  REQUIRE(write_varint(0x80 | 0x18, w));
  REQUIRE(w.text(std::string("\x01n", 2)));
  REQUIRE(write_varlong(-1, 3, w));
  REQUIRE(w.flush());
  const Error e = refused(modern(), f, as_text(negative.bytes()));
  CHECK(e.fault == Fault::kUnsupported);
  CHECK(e.text == "Offset underflow: file-length is negative");
}

TEST_CASE("entry: targets are bounded and hold no zero byte") {
  EntryFields f;
  f.links = true;
  const auto link = [](int32_t bytes, std::string_view target) {
    std::byte b[5];
    const std::byte* const end = store_varint(b, bytes);
    return plain_entry("l", 0120777) + std::string(as_text(Bytes(b, end))) + std::string(target) + std::string(2, '\0');
  };
  CHECK(decoded(modern(), f, link(2, "f1"))->at(0).target == "f1");
  CHECK(decoded(modern(), f, link(0, ""))->at(0).target.empty());
  for (const int32_t bytes : {4096, INT32_MAX, -1})
    CHECK(refused(modern(), f, link(bytes, "")).fault == Fault::kMemory);
  CHECK(refused(modern(), f, link(3, std::string_view("a\0b", 3))).fault == Fault::kProtocol);
}

TEST_CASE("entry: hard-link references stay within what was sent and name a file") {
  EntryFields f;
  f.hard_links = true;
  const auto follower = [](int32_t group) {
    std::byte b[5];
    const std::byte* const end = store_varint(b, group);
    return std::string("\x82\x98\x01h", 4) + std::string(as_text(Bytes(b, end)));
  };
  const std::string file = plain_entry("a", 0100644), dir = plain_entry("a", 040755);
  CHECK(decoded(modern(), f, file + follower(10) + std::string(2, '\0'), 10)->at(1).link == HardLink::kAbbreviated);
  for (const int32_t group : {-1, 11, 12, INT32_MAX, INT32_MIN}) {
    const Error e = refused(modern(), f, file + follower(group), 10);
    CHECK(e.fault == Fault::kProtocol);
    CHECK(e.text.starts_with("hard-link reference out of range"));
  }
  CHECK(refused(modern(), f, dir + follower(10), 10).fault == Fault::kProtocol);
  CHECK(refused(modern(), f, follower(0), 0).fault == Fault::kProtocol);
}

TEST_CASE("entry: a directory marked as a hard link is none") {
  EntryFields f;
  f.hard_links = true;
  // Version 28: flags 0x29c (same owners and time, link), name d, size 0, mode, dev + 1, inode; then the end.
  const std::string bytes = std::string(
      "\x9c\x02\x01"
      "d\0\0\0\0\xed\x41\0\0\x05\0\0\0\x07\0\0\0\0",
      21);
  const auto list = decoded(Agreement::from(28, 0), f, bytes);
  REQUIRE(list);
  CHECK(list->at(0).link == HardLink::kNone);
  CHECK(list->at(0).link_dev == 0);
  CHECK(list->at(0).link_ino == 0);
}

TEST_CASE("entry: what cannot travel leaves the encoder as it was") {
  EntryFields f;
  f.links = true;
  EntryEncoder encoder(modern(), f), fresh(modern(), f);
  MemorySink sink, expected;
  Writer out(sink), want(expected);
  CHECK(encoder.encode(entry("", 0100644), out).error().fault == Fault::kPartial);
  CHECK(encoder.encode(entry(std::string(4096, 'n'), 0100644), out).error().fault == Fault::kPartial);
  CHECK(encoder.encode(entry("l", 0120777), out).error().fault == Fault::kPartial);
  WireEntry long_target = entry("l", 0120777);
  long_target.target = std::string(4096, 't');
  CHECK(encoder.encode(long_target, out).error().fault == Fault::kPartial);
  REQUIRE(encoder.encode(entry("ok", 0100644), out));
  REQUIRE(fresh.encode(entry("ok", 0100644), want));
  REQUIRE(out.flush());
  REQUIRE(want.flush());
  CHECK(to_hex(sink.bytes()) == to_hex(expected.bytes()));
}

TEST_CASE("entry: a list cut anywhere is an early end, never an entry") {
  for (const Agreement& a : {modern(), classic(), Agreement::from(27, 0)}) {
    const EntryFields f = every_field(a);
    const std::vector<WireEntry> sent = zoo(a);
    const std::string bytes = encoded(a, f, sent);
    for (size_t cut = 0; cut < bytes.size(); cut += 1 + cut / 200) {
      const auto list = decoded(a, f, std::string_view(bytes).substr(0, cut));
      REQUIRE(!list);
      CHECK(list.error().fault == Fault::kStream);
    }
  }
}

TEST_CASE("entry: random lists come back at every version") {
  std::mt19937 random(20260101);
  const auto pick = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  for (const Agreement& a : all_agreements()) {
    EntryFields f = every_field(a);
    f.hard_links = false;
    std::vector<WireEntry> sent;
    for (int i = 0; i < 300; ++i) {
      constexpr uint32_t kTypes[] = {kTypeRegular, kTypeRegular, kTypeDir,  kTypeSymlink,
                                     kTypeChar,    kTypeBlock,   kTypeFifo, kTypeSocket};
      WireEntry e;
      for (uint32_t n = 1 + pick(6); n-- > 0;) e.name += static_cast<char>('a' + pick(3));
      if (pick(3) == 0) e.name += "/" + std::string(1 + pick(300), 'q');
      e.mode = kTypes[pick(8)] | pick(2) * 0111 | 0600;
      e.size = pick(4) ? pick(100) : static_cast<int64_t>(random()) << 20;
      e.mtime = pick(3) ? 1000 : static_cast<int64_t>(random());
      e.mtime_nsec = pick(3) ? 0 : pick(kNanoseconds);
      e.atime = pick(3) ? 1000 : static_cast<int64_t>(random());
      e.crtime = pick(2) ? e.mtime : 17;
      e.uid = pick(3), e.gid = pick(3);
      if (is_device(e.mode)) e.rdev_major = pick(3), e.rdev_minor = pick(600);
      if ((e.mode & kTypeMask) == kTypeSymlink) e.target = std::string(1 + pick(40), 't');
      if ((e.mode & kTypeMask) == kTypeRegular) e.checksum.size = static_cast<uint8_t>(digest_bytes(a.list_digest));
      sent.push_back(e);
    }
    const std::string bytes = encoded(a, f, sent);
    const auto list = decoded(a, f, bytes);
    if (!list) FAIL(list.error().text);
    REQUIRE(list->size() == sent.size());
    for (size_t i = 0; i < sent.size(); ++i) same((*list)[i], as_received(sent[i], a, f));
  }
}
