// Recorded sessions of rsync 3.5.0, versions 27 to 32: everything decodes, and encodes back to the same bytes.
#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <tuple>

#include "libproto/args.h"
#include "libproto/entry_wire.h"
#include "libproto/filters_wire.h"
#include "libproto/frames.h"
#include "libproto/greeting.h"
#include "libproto/ids_wire.h"
#include "libproto/index.h"
#include "libproto/limits.h"
#include "libproto/meta_wire.h"
#include "libproto/numbers.h"
#include "tests/support/captures.h"

using namespace ocsync;
using namespace ocsync::proto;
using ocsync::test::Capture;
using ocsync::test::load_capture;

namespace {

const char* const kCaptures[] = {
    "aclxattr-p32", "delete-p27",  "delete-p28",  "delete-p29",   "delete-p32",    "deletepull-p32", "dryrun-p32",
    "empty-p29",    "empty-p32",   "errexit-p30", "errexit-p32",  "filesfrom-p29", "filesfrom-p30",  "filesfrom-p31",
    "hlink-p28",    "hlink-p30",   "hlink-p32",   "iconv-p32",    "pullsum-p27",   "pullsum-p29",    "pullsum-p30",
    "pullsum-p32",  "push1-p27",   "push1-p28",   "push1-p29",    "push1-p30",     "push1-p31",      "push1-p32",
    "pushdir-p30",  "pushdir-p31", "pushdir-p32", "relative-p32", "remove-p29",    "remove-p32",     "secluded-p32",
    "special-p27",  "special-p28", "special-p29", "special-p30",  "special-p31",   "special-p32",    "idlists-p30",
};

// One direction after the handshake: its data bytes, and the messages between them.
struct Stream {
  std::string data;
  std::vector<Message> messages;
};

Status ignore(const Message&) { return {}; }

// Takes `value` out of a Result, failing the test with its sentence.
template <class T>
T must(Result<T> result) {
  if (!result) FAIL("error: " << result.error().text);
  return *std::move(result);
}
void must(Status result) {
  if (!result) FAIL("error: " << result.error().text);
}

int version_in(const std::string& bytes) { return load_le<int32_t>(as_bytes(bytes).data()); }

HandshakeWishes wishes_of(const Capture& c) {
  HandshakeWishes w;
  // The recorded clients offered md4 too; ours does so only when it is told to.
  w.checksum_list = "xxh128 xxh3 xxh64 md5 md4 sha1 & xxh128 xxh3 xxh64 md5 md4 sha1 none";
  w.incremental = c.capabilities.find('i') != std::string::npos;
  w.far_capabilities = c.capabilities;
  w.checksum_seed = 1;
  return w;
}

std::string take_args(const Capture& c, std::string& c2s) {
  if (!c.has('s')) return {};
  MemorySource source(as_bytes(c2s));
  Reader in(source);
  const auto args = must(read_args(in));
  MemorySink sink;
  Writer out(sink);
  must(write_args(args, out));
  must(out.flush());
  CHECK(as_text(sink.bytes()) == c2s.substr(0, in.position()));
  CHECK(args.front() == "rsync");
  c2s.erase(0, in.position());
  return args.back();
}

// Splits what follows the handshake into data and messages; writes both back and compares.
Stream deframe(std::string_view raw, size_t chunk) {
  Stream s;
  MemorySource source(as_bytes(raw), chunk);
  DemuxSource demux(source, [&](const Message& m) -> Status {
    s.messages.push_back(m);
    return {};
  });
  demux.enable();
  std::byte piece[700];
  while (const size_t got = must(demux.read_some(piece))) s.data += as_text(Bytes(piece, got));
  return s;
}

class Session {
 public:
  Session(const Capture& capture, Agreement agreement, std::string data, size_t chunk)
      : c(capture),
        agreed(agreement),
        bytes(std::move(data)),
        source(as_bytes(bytes), chunk),
        in(source),
        out(sink),
        fields(fields_of(capture, agreed)),
        decoder(agreed, fields),
        encoder(agreed, fields),
        index_in(agreed),
        index_out(agreed) {}

  static EntryFields fields_of(const Capture& c, const Agreement& a) {
    EntryFields f;
    f.uid = c.has('o');
    f.gid = c.has('g');
    f.names = a.incremental && !c.has("--numeric-ids");
    f.links = c.has('l');
    f.devices = f.specials = c.has('D');
    f.hard_links = c.has('H');
    f.atimes = c.has('U');
    f.checksums = c.has('c');
    f.acls = c.has('A');
    f.xattrs = c.has('X');
    f.absolute_names = c.has('R');
    return f;
  }

  // What `begin` bytes ago was read has just been encoded again.
  void same_again(uint64_t begin) {
    must(out.flush());
    CHECK(to_hex(sink.bytes()) == to_hex(as_bytes(std::string_view(bytes).substr(begin, in.position() - begin))));
    sink.clear();
  }

  void read_filters() {
    const uint64_t begin = in.position();
    must(write_rules(must(read_rules(in)), out));
    same_again(begin);
  }

  int32_t read_list() {
    const int32_t start = next_start;
    std::deque<WireEntry> entries;
    std::vector<std::pair<std::tuple<bool, bool, std::string>, int32_t>> sorted;
    const auto leader = [&](int32_t at) -> Result<const WireEntry*> {
      return &entries.at(static_cast<size_t>(at - start));
    };
    while (true) {
      const uint64_t begin = in.position();
      WireEntry& e = entries.emplace_back();
      const auto count = static_cast<int32_t>(entries.size()) - 1;
      const auto end = must(decoder.decode(in, e, start, count, leader));
      if (end) {
        entries.pop_back();
        must(encoder.encode_end(end->io_error, out));
        same_again(begin);
        break;
      }
      must(encoder.encode(e, out));
      if (fields.acls && (e.mode & kTypeMask) != kTypeSymlink) {
        again(AclKind::kAccess);
        if ((e.mode & kTypeMask) == kTypeDir) again(AclKind::kDefault);
      }
      int32_t set = -1;
      if (fields.xattrs) {
        set = must(xattrs_in.decode(in));
        CHECK(must(xattrs_out.encode(xattrs_in.at(set), out)) == set);
      }
      // One directory's entries are numbered with "." first, then files, then directories, each by name.
      sorted.push_back({{e.name != ".", (e.mode & kTypeMask) == kTypeDir, e.name}, set});
      names.push_back(e.name);
      if (is_device(e.mode)) devices[e.name] = {e.rdev_major, e.rdev_minor};
      same_again(begin);
    }
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < sorted.size(); ++i) sets[start + static_cast<int32_t>(i)] = sorted[i].second;
    next_start += static_cast<int32_t>(entries.size()) + 1;
    return static_cast<int32_t>(entries.size());
  }

  void after_first_list() {
    const uint64_t begin = in.position();
    if (!agreed.incremental && !c.has("--numeric-ids")) {
      if (c.has('o') || c.has('A')) must(write_id_list(must(read_id_list(agreed, in)), agreed, out));
      if (c.has('g') || c.has('A')) must(write_id_list(must(read_id_list(agreed, in)), agreed, out));
    }
    if (agreed.io_error_after_list) must(out.i32(must(in.i32())));
    same_again(begin);
  }

  // Item traffic of the sending side, as far as the end of the last phase.
  void read_items() {
    int lists = 1, released = 0, phases = agreed.third_phase ? 3 : 2;
    while (!must(in.at_end())) {
      const int32_t ndx = read_index();
      if (ndx == kNdxDone) {
        if (agreed.incremental && released + 1 < lists) {
          ++released;
        } else if (--phases == 0) {
          break;
        }
      } else if (ndx == kNdxListEof) {
      } else if (ndx == kNdxDelStats) {
        for (int i = 0; i < 5; ++i) must(read_varint(in));
      } else if (ndx <= kNdxListOffset) {
        ++lists;
        read_list();
      } else {
        read_item(ndx);
      }
    }
  }

  int32_t read_index() {
    const uint64_t begin = in.position();
    const int32_t ndx = must(index_in.read(in));
    must(index_out.write(ndx, out));
    same_again(begin);
    return ndx;
  }

  void read_item(int32_t ndx) {
    const uint32_t flags = agreed.item_flags ? must(in.u16()) : 0x8000u;
    if (flags & 0x800) must(in.u8());
    if (flags & 0x1000) must(read_vstring(kMaxPath - 1, in));
    if (c.has('X') && (flags & 0x100) && !c.has('n')) {
      const uint64_t begin = in.position();
      WireXattrs none;
      const auto found = sets.find(ndx);
      WireXattrs& set = found == sets.end() ? none : xattrs_in.at(found->second);
      for (WireXattr& x : set) x.asked = x.abbreviated();
      const auto values = must(read_xattr_values(set, in));
      fetched += values.size();
      must(write_xattr_values(values, out));
      same_again(begin);
    }
    if (!(flags & 0x8000) || c.has('n')) return;
    must(in.skip(16));
    while (const int32_t token = must(in.i32()))
      if (token > 0) must(in.skip(static_cast<uint64_t>(token)));
    must(in.skip(digest_bytes(agreed.transfer_digest)));
  }

  const Capture& c;
  const Agreement agreed;
  const std::string bytes;
  MemorySource source;
  Reader in;
  MemorySink sink;
  Writer out;
  EntryFields fields;
  EntryDecoder decoder;
  EntryEncoder encoder;
  IndexReader index_in;
  IndexWriter index_out;
  AclDecoder acls_in;
  AclEncoder acls_out;
  XattrDecoder xattrs_in;
  XattrEncoder xattrs_out;
  std::map<int32_t, int32_t> sets;  // of attributes, by index
  std::vector<std::string> names;
  std::map<std::string, std::pair<uint32_t, uint32_t>> devices;
  size_t fetched = 0;
  int32_t next_start = 0;

 private:
  void again(AclKind kind) { must(acls_out.encode(kind, acls_in.at(kind, must(acls_in.decode(kind, in))), out)); }
};

struct Greeted {
  Agreement agreed;
  std::string c2s, s2c;  // what follows
};

// Plays the client against the recorded server, and the server against the recorded client; each writes what was
// recorded.
Greeted greet(const Capture& c, size_t chunk) {
  std::string c2s = c.c2s;
  take_args(c, c2s);

  MemorySource from_server(as_bytes(c.s2c), chunk);
  DemuxSource client_demux(from_server, ignore);
  Reader client_in(client_demux);
  MemorySink client_sink;
  Writer client_out(client_sink);
  HandshakeWishes wishes = wishes_of(c);
  wishes.max_version = version_in(c2s);
  const Agreement as_client = must(handshake_as_client(client_in, client_out, wishes));
  must(client_out.flush());
  CHECK(client_in.buffered() == 0);
  const std::string said = std::string(as_text(client_sink.bytes()));
  CHECK(c2s.substr(0, said.size()) == said);

  MemorySource from_client(as_bytes(c2s), chunk);
  DemuxSource server_demux(from_client, ignore);
  Reader server_in(server_demux);
  MemorySink server_sink;
  Writer server_out(server_sink);
  wishes = wishes_of(c);
  const Agreement as_server = must(handshake_as_server(server_in, server_out, wishes));
  CHECK(server_in.buffered() == 0);
  CHECK(server_in.position() == said.size());
  CHECK(to_hex(server_sink.bytes()) == to_hex(as_bytes(c.s2c).first(server_sink.bytes().size())));
  CHECK(client_in.position() == server_sink.bytes().size());

  CHECK(as_client.version == as_server.version);
  CHECK(as_client.compat == as_server.compat);
  CHECK(as_client.seed == 1);
  CHECK(as_server.seed == 1);
  CHECK(as_client.transfer_digest == as_server.transfer_digest);
  CHECK(as_client.list_digest == as_server.list_digest);
  CHECK(as_client.block_seed == as_server.block_seed);
  CHECK(as_client.seeded_file_sum == as_server.seeded_file_sum);
  return {as_client, c2s.substr(said.size()), c.s2c.substr(server_sink.bytes().size())};
}

void replay(const Capture& c, size_t chunk) {
  const Greeted g = greet(c, chunk);
  const bool framed = client_writes_frames(g.agreed, !c.server_sends, c.has("--remove-source-files"));
  // The names of version 30's files-from stand between the frames; that is frames_test's business.
  const bool names_between = c.has("--files-from=-") && g.agreed.version == 30;
  Stream client, server = deframe(g.s2c, chunk);
  if (!framed)
    client.data = g.c2s;
  else if (!names_between)
    client = deframe(g.c2s, chunk);

  if (c.server_sends && !names_between) {
    Session filters(c, g.agreed, client.data, chunk);
    filters.read_filters();
  }
  Session s(c, g.agreed, c.server_sends ? server.data : client.data, chunk);
  s.next_start = g.agreed.incremental ? 1 : 0;
  if (!c.server_sends && c.name.starts_with("delete")) s.read_filters();
  s.read_list();
  s.after_first_list();
  s.read_items();

  if (c.name == "hlink-p32") {
    CHECK(s.names.size() == 12);
    CHECK(s.names.back() == "d1/d2/f3");
  }
  if (c.name.starts_with("special")) {
    CHECK(s.devices ==
          std::map<std::string, std::pair<uint32_t, uint32_t>>{
              {"big", {4, 300}}, {"blk", {259, 5}}, {"null", {1, 3}}, {"tty1", {4, 1}}, {"tty64", {4, 64}}});
  }
  if (c.name == "aclxattr-p32") CHECK(s.fetched == 1);
  if (c.name == "delete-p32" || c.name == "delete-p29") {
    std::vector<std::string> gone;
    for (const Message& m : server.messages)
      if (const auto* deleted = std::get_if<DeletedMessage>(&m))
        gone.push_back(deleted->name + (deleted->is_dir ? "/" : ""));
    CHECK(std::find(gone.begin(), gone.end(), "old/x") != gone.end());
    CHECK(std::find(gone.begin(), gone.end(), "old/") != gone.end());
  }
  if (c.name.starts_with("remove")) {
    size_t done = 0;
    for (const Message& m : client.messages) done += std::holds_alternative<SuccessMessage>(m);
    CHECK(done > 0);
  }
  if (c.name == "errexit-p32") {
    REQUIRE(!server.messages.empty());
    const auto* exit = std::get_if<ErrorExitMessage>(&server.messages.back());
    REQUIRE(exit);
    CHECK(exit->has_code);
    CHECK(exit->exit_code == 11);
  }
}

}  // namespace

TEST_CASE("captures: every recorded session decodes and encodes back to its bytes") {
  for (const char* name : kCaptures) {
    DYNAMIC_SECTION(name) {
      const Capture c = load_capture(name);
      REQUIRE(c.c2s.size() > 4);
      REQUIRE(c.s2c.size() > 4);
      replay(c, SIZE_MAX);
    }
  }
}

TEST_CASE("captures: sessions torn at every chunk size decode the same") {
  for (const char* name : {"push1-p27", "hlink-p28", "remove-p29", "pullsum-p30", "hlink-p32", "aclxattr-p32"}) {
    const Capture c = load_capture(name);
    for (const size_t chunk : {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 17, 31, 64, 100}) {
      DYNAMIC_SECTION(name << " in pieces of " << chunk) { replay(c, chunk); }
    }
  }
}
