// The handshake: choices by table, both ends against each other at every version, and refusals.
#include "libproto/greeting.h"

#include <catch2/catch.hpp>
#include <thread>

#include "libproto/limits.h"
#include "libproto/numbers.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

constexpr auto kChecksum = AlgorithmList::kChecksum;
constexpr auto kCompression = AlgorithmList::kCompression;

struct Both {
  Result<Agreement> client, server;
};

Both shake(HandshakeWishes client, HandshakeWishes server) {
  auto [a, b] = make_stream_pair();
  Both both{Agreement{}, Agreement{}};
  std::thread far([&, end = std::move(b)]() mutable {
    Reader in(*end.source, 1024);
    Writer out(*end.sink);
    both.server = handshake_as_server(in, out, server);
    end.sink.reset();  // a failure closes the stream, as a dying process does
    end.source.reset();
  });
  {
    auto near = std::move(a);
    Reader in(*near.source, 1024);
    Writer out(*near.sink);
    both.client = handshake_as_client(in, out, client);
  }
  far.join();
  return both;
}

HandshakeWishes server_for(const HandshakeWishes& client) {
  HandshakeWishes server = client;
  server.max_version = kNewestVersion;
  server.far_capabilities =
      client.max_version >= 30 ? capability_text(Capabilities::ours(client.incremental, true, true)) : "";
  server.checksum_seed = 77;
  return server;
}

Agreement agree(const HandshakeWishes& client) {
  const Both both = shake(client, server_for(client));
  REQUIRE(both.client);
  REQUIRE(both.server);
  CHECK(both.client->version == both.server->version);
  CHECK(both.client->compat == both.server->compat);
  CHECK(both.client->seed == 77);
  CHECK(both.client->transfer_digest == both.server->transfer_digest);
  CHECK(both.client->list_digest == both.server->list_digest);
  CHECK(both.client->block_seed == both.server->block_seed);
  CHECK(both.client->compression == both.server->compression);
  CHECK(both.client->compression_level == both.server->compression_level);
  return *both.client;
}

Error client_error(const HandshakeWishes& client, const HandshakeWishes& server) {
  const Both both = shake(client, server);
  REQUIRE(!both.client);
  return both.client.error();
}

// A client that reads `bytes` from its server.
Result<Agreement> client_reads(std::string_view bytes, const HandshakeWishes& wishes = {}) {
  MemorySource source(as_bytes(bytes));
  Reader in(source);
  MemorySink sink;
  Writer out(sink);
  return handshake_as_client(in, out, wishes);
}

std::string i32(int32_t v) {
  std::byte b[4];
  store_le(b, v);
  return std::string(as_text(b));
}

}  // namespace

TEST_CASE("greeting: capability texts are written in order and read in any") {
  CHECK(capability_text(Capabilities::ours(true, true, true)) == ".iLsfxCIvu");
  CHECK(capability_text(Capabilities::ours(false, true, false)) == ".LfxCIvu");
  CHECK(capability_text(Capabilities{}) == ".");
  const Capabilities c = parse_capability_text(".uv?Zf");
  CHECK(c.id0_names);
  CHECK(c.varint_entry_flags);
  CHECK(c.safe_list_end);
  CHECK(!c.incremental);
  CHECK(!c.seed_fix);
  CHECK(c.prerelease_version == 0);
  CHECK(parse_capability_text("31.14iL").prerelease_version == 31);
  CHECK(parse_capability_text("31.14iL").prerelease_sub == 14);
  CHECK(parse_capability_text("31.0iL").prerelease_version == 0);
  CHECK(parse_capability_text("").prerelease_version == 0);
}

TEST_CASE("greeting: modern pairs have the recorded flags") {
  HandshakeWishes server;
  server.incremental = true;
  CHECK(compat_flags(server, Capabilities::ours(true, true, true)) == 0x1ff);
  CHECK(compat_flags(server, Capabilities::ours(false, true, true)) == 0x1fe);
  server.incremental = false;
  CHECK(compat_flags(server, Capabilities::ours(true, true, true)) == 0x1fe);
  CHECK(compat_flags(server, parse_capability_text("")) == 0x006);
}

TEST_CASE("greeting: versions settle on the lower one; noise and old versions are refused") {
  CHECK(*settle_version(32, 32) == 32);
  CHECK(*settle_version(40, 32) == 32);
  CHECK(*settle_version(29, 32) == 29);
  CHECK(*settle_version(32, 27) == 27);
  for (const int32_t far : {19, 41, 0, -1, 0x656d6f53}) {
    const auto v = settle_version(far, 32);
    REQUIRE(!v);
    CHECK(v.error().fault == Fault::kProtocol);
    CHECK(v.error().text.starts_with("protocol version mismatch -- is your shell clean?"));
  }
  for (const int32_t far : {20, 26}) {
    const auto v = settle_version(far, 32);
    REQUIRE(!v);
    CHECK(v.error().fault == Fault::kProtocol);
    CHECK(v.error().text.find("too old") != std::string::npos);
  }
}

TEST_CASE("greeting: a pre-release client gets a version that both finished") {
  CHECK(version_for_prerelease(32, parse_capability_text("31.2iL")) == 30);
  CHECK(version_for_prerelease(32, parse_capability_text("32.1iL")) == 31);
  CHECK(version_for_prerelease(32, parse_capability_text("33.1iL")) == 32);
  CHECK(version_for_prerelease(32, parse_capability_text(".iL")) == 32);
}

TEST_CASE("greeting: offered lists are in built-in order, whatever the environment's") {
  CHECK(offered_list(kChecksum, false, "") == "xxh128 xxh3 xxh64 md5 sha1");
  CHECK(offered_list(kChecksum, true, "") == "xxh128 xxh3 xxh64 md5 md4 sha1 none");
  CHECK(offered_list(kCompression, false, "") == "zstd lz4 zlibx zlib");
  CHECK(offered_list(kCompression, true, "") == "zstd lz4 zlibx zlib none");
  CHECK(offered_list(kChecksum, false, "md5 xxh128") == "xxh128 md5");
  CHECK(offered_list(kChecksum, false, "MD4\tmd4 bogus XXHash") == "xxh64 md4");
  CHECK(offered_list(kChecksum, false, "none md5") == "md5 none");
  CHECK(offered_list(kChecksum, false, "bogus") == "INVALID");
  CHECK(offered_list(kChecksum, false, " ") == "xxh128 xxh3 xxh64 md5 sha1");
  CHECK(offered_list(kChecksum, false, "md5 & sha1") == "md5");
  CHECK(offered_list(kChecksum, true, "md5 & sha1") == "sha1");
  CHECK(offered_list(kChecksum, true, "md5") == "md5");
  CHECK(offered_list(kChecksum, false, "& sha1") == "xxh128 xxh3 xxh64 md5 sha1");
}

TEST_CASE("greeting: both ends take the client's first name that the server has") {
  CHECK(choose_algorithm(kChecksum, "md5 xxh128", "xxh128 md5") == "md5");
  CHECK(choose_algorithm(kChecksum, "xxhash md5", "md5 xxh64") == "xxh64");
  CHECK(choose_algorithm(kChecksum, "future XXH3", "xxh3 none") == "xxh3");
  CHECK(!choose_algorithm(kChecksum, "future", "xxh3 none"));
  CHECK(!choose_algorithm(kChecksum, "future", "future"));
  CHECK(!choose_algorithm(kChecksum, "", "md5"));
  CHECK(choose_algorithm(kCompression, "zstd zlib", "zlib none") == "zlib");
}

TEST_CASE("greeting: both ends agree at every version") {
  for (int version = kOldestVersion; version <= kNewestVersion; ++version) {
    DYNAMIC_SECTION("version " << version) {
      HandshakeWishes client;
      client.max_version = version;
      client.incremental = true;
      client.compress = true;
      const Agreement a = agree(client);
      CHECK(a.version == version);
      CHECK(a.incremental == (version >= 30));
      CHECK(a.transfer_digest == (version >= 30 ? DigestKind::kXxh128 : DigestKind::kMd4));
      CHECK(a.block_seed == (version >= 30 ? SeedOrder::kNative : SeedOrder::kAfter));
      CHECK(a.seeded_file_sum == (version < 30));
      CHECK(a.compression == (version >= 30 ? Compression::kZstd : Compression::kZlib));
      CHECK(a.compression_level == (version >= 30 ? 3 : 6));
    }
  }
}

TEST_CASE("greeting: a peer without negotiation gets md5 and zlib") {
  // Version 30, flags without bit 7, seed 5.
  HandshakeWishes wishes;
  wishes.compress = true;
  const auto a = client_reads(i32(30) + std::string("\x0e", 1) + i32(5), wishes);
  REQUIRE(a);
  CHECK(a->transfer_digest == DigestKind::kMd5);
  CHECK(a->list_digest == DigestKind::kMd5);
  CHECK(a->block_seed == SeedOrder::kAfter);
  CHECK(!a->seeded_file_sum);
  CHECK(a->compression == Compression::kZlib);
  CHECK(a->seed == 5);
  // With the seed fix the seed goes first.
  CHECK(client_reads(i32(31) + std::string("\x2e", 1) + i32(5))->block_seed == SeedOrder::kBefore);
}

TEST_CASE("greeting: explicit choices decide without lists") {
  struct Row {
    const char* choice;
    DigestKind transfer, list;
    SeedOrder order;
  };
  for (const Row& row : {Row{"md5", DigestKind::kMd5, DigestKind::kMd5, SeedOrder::kBefore},
                         Row{"MD4", DigestKind::kMd4, DigestKind::kMd4, SeedOrder::kAfter},
                         Row{"sha1", DigestKind::kSha1, DigestKind::kSha1, SeedOrder::kBefore},
                         Row{"xxhash,md5", DigestKind::kXxh64, DigestKind::kMd5, SeedOrder::kNative},
                         Row{"none", DigestKind::kNone, DigestKind::kNone, SeedOrder::kUnseeded},
                         Row{"auto,sha1", DigestKind::kMd5, DigestKind::kSha1, SeedOrder::kBefore},
                         Row{"auto", DigestKind::kXxh128, DigestKind::kXxh128, SeedOrder::kNative},
                         Row{"auto,auto", DigestKind::kXxh128, DigestKind::kXxh128, SeedOrder::kNative}}) {
    DYNAMIC_SECTION(row.choice) {
      HandshakeWishes client;
      client.checksum_choice = row.choice;
      const Agreement a = agree(client);
      CHECK(a.transfer_digest == row.transfer);
      CHECK(a.list_digest == row.list);
      CHECK(a.block_seed == row.order);
      CHECK(!a.seeded_file_sum);
    }
  }
  HandshakeWishes client;
  client.checksum_choice = "md4";
  client.max_version = 28;
  CHECK(!agree(client).seeded_file_sum);  // chosen by name, it is not the implied one
}

TEST_CASE("greeting: with everything fixed nothing stands between flags and seed") {
  HandshakeWishes wishes;
  wishes.checksum_choice = "md5";
  wishes.compress = true;
  wishes.compress_choice = "zlibx";
  const auto a = client_reads(i32(32) + "\x81\xfe" + i32(9), wishes);
  REQUIRE(a);
  CHECK(a->compression == Compression::kZlibx);
  CHECK(a->seed == 9);
}

TEST_CASE("greeting: unknown and refused names end with unsupported") {
  HandshakeWishes client;
  client.checksum_choice = "sha256";
  Error e = client_error(client, server_for(client));
  CHECK(e.fault == Fault::kUnsupported);
  CHECK(e.text == "unknown checksum name: sha256");

  client = {};
  client.checksum_choice = "md5";
  HandshakeWishes server = server_for(client);
  server.checksum_list = "xxh128 & sha1";
  const Both both = shake(client, server);
  REQUIRE(!both.server);
  CHECK(both.server.error().fault == Fault::kUnsupported);
  CHECK(both.server.error().text == "Your --checksum-choice value (md5) was refused by the server.");

  client = {};
  client.checksum_list = "md5";
  server = server_for(client);
  server.checksum_list = "sha1";
  e = client_error(client, server);
  CHECK(e.fault == Fault::kUnsupported);
  CHECK(e.text == "Failed to negotiate a checksum choice.\nServer list: sha1\nClient list: md5");

  // An old peer cannot be told, so the implied name must be allowed.
  client = {};
  client.max_version = 29;
  client.checksum_list = "md5";
  e = client_error(client, server_for(client));
  CHECK(e.fault == Fault::kUnsupported);
  client.checksum_list = "md4";
  CHECK(agree(client).transfer_digest == DigestKind::kMd4);
}

TEST_CASE("greeting: batches are written with what any version can replay") {
  HandshakeWishes client;
  client.writes_batch = true;
  client.compress = true;
  HandshakeWishes server = server_for(client);
  server.writes_batch = false;
  const Both both = shake(client, server);
  REQUIRE(both.client);
  CHECK(both.client->transfer_digest == DigestKind::kMd5);
  CHECK(both.client->compression == Compression::kZlib);
}

TEST_CASE("greeting: compression levels are moved into what the method knows") {
  struct Row {
    const char* method;
    int level;
    Compression compression;
    int result;
  };
  for (const Row& row : {Row{"zlib", 0, Compression::kNone, 0}, Row{"zlib", -1, Compression::kZlib, 6},
                         Row{"zlibx", 99, Compression::kZlibx, 9}, Row{"zlib", -7, Compression::kZlib, 1},
                         Row{"zstd", 0, Compression::kZstd, 3}, Row{"zstd", 99, Compression::kZstd, 22},
                         Row{"zstd", -5, Compression::kZstd, -5}, Row{"lz4", 7, Compression::kLz4, 0}}) {
    HandshakeWishes client;
    client.compress = true;
    client.compress_choice = row.method;
    client.compress_level = row.level;
    client.compress_level_given = true;
    const Agreement a = agree(client);
    INFO(row.method << " " << row.level);
    CHECK(a.compression == row.compression);
    if (row.compression != Compression::kNone) CHECK(a.compression_level == row.result);
  }
}

TEST_CASE("greeting: what needs a newer version is refused below it") {
  const auto refused = [](HandshakeWishes client, int version) {
    client.max_version = version;
    const Error e = client_error(client, server_for(client));
    CHECK(e.fault == Fault::kProtocol);
    return e.text;
  };
  HandshakeWishes w;
  w.acls = true;
  CHECK(refused(w, 29) == "--acls requires protocol 30 or higher (negotiated 29).");
  w = {};
  w.xattrs = true;
  CHECK(refused(w, 27) == "--xattrs requires protocol 30 or higher (negotiated 27).");
  w = {};
  w.fuzzy = true;
  CHECK(refused(w, 28) == "--fuzzy requires protocol 29 or higher (negotiated 28).");
  w = {};
  w.basis_dirs = 2;
  w.basis_option = "--link-dest";
  CHECK(refused(w, 28) == "Using more than one --link-dest option requires protocol 29 or higher (negotiated 28).");
  w = {};
  w.prune_empty_dirs = true;
  CHECK(refused(w, 28).starts_with("--prune-empty-dirs requires protocol 29"));
  w = {};
  w.acls = w.xattrs = w.fuzzy = w.prune_empty_dirs = true;
  w.basis_dirs = 5;
  CHECK(agree(w).version == 32);
}

TEST_CASE("greeting: incremental recursion is never imposed on a client") {
  const auto a = client_reads(i32(31) + "\x81\xff" + i32(1));
  REQUIRE(!a);
  CHECK(a.error().fault == Fault::kUsage);
}

TEST_CASE("greeting: unknown flags are ignored") {
  const auto a = client_reads(i32(31) + std::string("\xe0\x0e\x10\x40", 4) + i32(1));
  REQUIRE(a);
  CHECK(a->safe_list_end);
  CHECK(!a->incremental);
}

TEST_CASE("greeting: lists are bounded and hostile lists refused") {
  const std::string start = i32(32) + "\x81\xfe";
  const auto longer = client_reads(start + "\x81\x00" + std::string(256, 'x'));
  REQUIRE(!longer);
  CHECK(longer.error().fault == Fault::kUnsupported);
  for (const std::string_view list :
       {std::string_view("\0", 1), std::string_view("\x03???"), std::string_view("\x07INVALID")}) {
    const auto a = client_reads(start + std::string(list));
    REQUIRE(!a);
    CHECK(a.error().fault == Fault::kUnsupported);
  }
  CHECK(client_reads(start).error().fault == Fault::kStream);
  CHECK(client_reads(start + "\x03md5").error().fault == Fault::kStream);
}

TEST_CASE("greeting: a daemon's greeting has told the version, so no number travels") {
  HandshakeWishes client;
  client.far_version = 31;
  HandshakeWishes server = server_for(client);
  server.far_version = 32;
  server.max_version = 31;
  const Both both = shake(client, server);
  REQUIRE(both.client);
  REQUIRE(both.server);
  CHECK(both.client->version == 31);
  CHECK(both.server->version == 31);
  CHECK(both.server->compat == both.client->compat);
}

TEST_CASE("greeting: who is framed") {
  CHECK(client_writes_frames(Agreement::from(30, 0), true, false));
  CHECK(!client_writes_frames(Agreement::from(29, 0), true, false));
  CHECK(!client_writes_frames(Agreement::from(29, 0), true, true));
  CHECK(!client_writes_frames(Agreement::from(29, 0), false, false));
  CHECK(client_writes_frames(Agreement::from(29, 0), false, true));
}
