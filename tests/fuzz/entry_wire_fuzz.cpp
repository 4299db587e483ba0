// List entries: lists of arbitrary bytes are refused, or decode to entries that keep the promises of the header and
// encode to a list that decodes to the same.
#include <deque>

#include "libproto/entry_wire.h"
#include "libproto/limits.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

struct List {
  std::deque<WireEntry> entries;
  std::vector<int32_t> ends;  // how many entries stood before each end
  bool failed = false;
};

List decode_all(const Agreement& agreed, const EntryFields& fields, Bytes bytes, size_t chunk) {
  List list;
  EntryDecoder decoder(agreed, fields);
  MemorySource source(bytes, chunk);
  Reader in(source);
  int32_t start = 0;
  const auto leader = [&](int32_t ndx) -> Result<const WireEntry*> {
    FUZZ_REQUIRE(ndx >= start && static_cast<size_t>(ndx) < list.entries.size());
    return &list.entries[static_cast<size_t>(ndx)];
  };
  WireEntry e;
  while (true) {
    const auto count = static_cast<int32_t>(list.entries.size()) - start;
    const auto end = decoder.decode(in, e, start, count, leader);
    if (!end) {
      list.failed = true;
      return list;
    }
    if (*end) {
      start = static_cast<int32_t>(list.entries.size());
      list.ends.push_back(start);
    } else {
      list.entries.push_back(e);
    }
  }
}

void keeps_promises(const WireEntry& e, const EntryFields& fields) {
  FUZZ_REQUIRE(!e.name.empty() && e.name.size() < kMaxPath);
  FUZZ_REQUIRE(e.name.find('\0') == std::string::npos);
  FUZZ_REQUIRE(fields.absolute_names || e.name[0] != '/');
  const std::string framed = "/" + (e.name[0] == '/' ? e.name.substr(1) : e.name) + "/";
  FUZZ_REQUIRE(framed.find("/../") == std::string::npos);
  FUZZ_REQUIRE(e.name == "/." || e.name.find("//") == std::string::npos);
  FUZZ_REQUIRE(e.size >= 0 && e.mtime_nsec < kNanoseconds && e.target.size() < kMaxPath);
  std::string clean = e.name;
  FUZZ_REQUIRE(clean_name(clean, fields.absolute_names) && clean == e.name);
}

bool same(const WireEntry& a, const WireEntry& b) {
  return a.name == b.name && a.mode == b.mode && a.size == b.size && a.mtime == b.mtime &&
         a.mtime_nsec == b.mtime_nsec && a.atime == b.atime && a.crtime == b.crtime && a.uid == b.uid &&
         a.gid == b.gid && a.rdev_major == b.rdev_major && a.rdev_minor == b.rdev_minor && a.target == b.target &&
         a.link == b.link && a.link_group == b.link_group && a.link_dev == b.link_dev && a.link_ino == b.link_ino &&
         a.checksum == b.checksum && a.top_dir == b.top_dir && a.no_content == b.no_content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  const Agreement agreed = input.agreement();
  const uint32_t on = input.pick(256), more = input.pick(256);
  EntryFields fields;
  fields.uid = on & 1, fields.gid = on & 2, fields.names = on & 4, fields.links = on & 8;
  fields.devices = on & 16, fields.specials = on & 32, fields.hard_links = on & 64, fields.atimes = on & 128;
  fields.crtimes = more & 1 && agreed.varint_entry_flags;
  fields.checksums = more & 2, fields.missing_args = more & 4, fields.absolute_names = more & 8;
  const size_t chunk = input.chunk();

  const List list = decode_all(agreed, fields, input.rest(), chunk);
  const List whole = decode_all(agreed, fields, input.rest(), SIZE_MAX);
  FUZZ_REQUIRE(list.entries.size() == whole.entries.size() && list.ends == whole.ends);

  EntryEncoder encoder(agreed, fields);
  MemorySink sink;
  Writer out(sink);
  size_t ends = 0;
  for (size_t i = 0; i < list.entries.size(); ++i) {
    const WireEntry& e = list.entries[i];
    keeps_promises(e, fields);
    for (; ends < list.ends.size() && list.ends[ends] == static_cast<int32_t>(i); ++ends)
      FUZZ_REQUIRE(encoder.encode_end(0, out));
    // A symlink of length zero is tolerated, not sent.
    if (fields.links && (e.mode & kTypeMask) == kTypeSymlink && e.target.empty()) return 0;
    // An abbreviated entry without the option that makes it one was read by upstream's rule; it has no form of its own.
    FUZZ_REQUIRE(encoder.encode(e, out));
  }
  FUZZ_REQUIRE(out.flush());
  const List again = decode_all(agreed, fields, sink.bytes(), chunk);
  FUZZ_REQUIRE(again.entries.size() == list.entries.size());
  for (size_t i = 0; i < list.entries.size(); ++i) FUZZ_REQUIRE(same(again.entries[i], list.entries[i]));
  return 0;
}
