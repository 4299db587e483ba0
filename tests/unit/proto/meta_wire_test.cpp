// ACLs and extended attributes: recorded bytes, caches, completion of what was left out, and refusals.
#include "libproto/meta_wire.h"

#include <catch2/catch.hpp>

#include "libproto/limits.h"
#include "libproto/numbers.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

struct Wire {
  MemorySink sink;
  Writer out{sink};
  std::string hex() {
    REQUIRE(out.flush());
    std::string text = to_hex(sink.bytes());
    sink.clear();
    return text;
  }
};

template <class Read>
auto read_from(std::string_view bytes, Read read) {
  MemorySource source(as_bytes(bytes));
  Reader in(source);
  return read(in);
}

std::string varint(int32_t v) {
  std::byte b[5];
  return std::string(as_text(Bytes(b, store_varint(b, v))));
}

Result<int32_t> decode_acl(std::string_view bytes, bool wide = false) {
  AclDecoder decoder(wide);
  return read_from(bytes, [&](Reader& in) { return decoder.decode(AclKind::kAccess, in); });
}

Result<int32_t> decode_xattrs(std::string_view bytes) {
  XattrDecoder decoder;
  return read_from(bytes, [&](Reader& in) { return decoder.decode(in); });
}

WireXattrs two_values() {
  return {wire_xattr("user.long", as_bytes(std::string(40, 'L'))), wire_xattr("user.short", as_bytes("abc")),
          wire_xattr("user.zlong", as_bytes(std::string(33, 'Z')))};
}

}  // namespace

TEST_CASE("acl: literal forms have the recorded bytes") {
  AclEncoder encoder;
  Wire w;
  REQUIRE(encoder.encode(AclKind::kAccess, WireAcl{}, w.out));
  REQUIRE(encoder.encode(AclKind::kDefault, WireAcl{}, w.out));
  CHECK(w.hex() == "00000000");
  REQUIRE(encoder.encode(AclKind::kAccess, WireAcl{}, w.out));
  CHECK(w.hex() == "01");

  WireAcl named{.group_obj = 4, .names = {{.id = 1, .access = 6, .user = true, .name = "daemon"}}};
  REQUIRE(encoder.encode(AclKind::kAccess, named, w.out));
  CHECK(w.hex() == "00120401011b066461656d6f6e");
  REQUIRE(encoder.encode(AclKind::kAccess, named, w.out));
  CHECK(w.hex() == "02");
  named.names[0].name.clear();  // a name is told once; the ACL is the same
  REQUIRE(encoder.encode(AclKind::kAccess, named, w.out));
  CHECK(w.hex() == "02");

  AclEncoder numeric;
  REQUIRE(numeric.encode(AclKind::kAccess, named, w.out));
  CHECK(w.hex() == "00120401011a");
  const WireAcl standard{.user_obj = 7,
                         .group_obj = 5,
                         .mask = 5,
                         .other = 5,
                         .names = {{.id = 1, .access = 5, .user = false, .name = {}}}};
  REQUIRE(numeric.encode(AclKind::kDefault, standard, w.out));
  CHECK(w.hex() == "001f07050505010114");
}

TEST_CASE("acl: what was sent comes back, new or by number") {
  AclEncoder encoder;
  AclDecoder decoder;
  Wire w;
  const WireAcl some[] = {{},
                          {.mask = 0},
                          {.user_obj = 7, .other = 0},
                          {.names = {{.id = 0xffffffff, .access = 7, .user = true, .name = {}},
                                     {.id = 5, .access = 0, .user = false, .name = {}}}}};
  for (int round = 0; round < 2; ++round)
    for (const WireAcl& acl : some) REQUIRE(encoder.encode(AclKind::kAccess, acl, w.out));
  REQUIRE(w.out.flush());
  MemorySource source(w.sink.bytes(), 1);
  Reader in(source);
  for (int round = 0; round < 2; ++round) {
    for (int32_t i = 0; i < 4; ++i) {
      const auto number = decoder.decode(AclKind::kAccess, in);
      REQUIRE(number);
      CHECK(*number == i);
      CHECK(decoder.is_new() == (round == 0));
      CHECK(decoder.at(AclKind::kAccess, i) == some[i]);
    }
  }
  CHECK(decoder.count(AclKind::kDefault) == 0);
}

TEST_CASE("acl: the mode says what condensing leaves out") {
  WireAcl acl{.user_obj = 6,
              .group_obj = 4,
              .mask = 6,
              .other = 4,
              .names = {{.id = 1, .access = 6, .user = true, .name = {}}}};
  const WireAcl whole = acl;
  condense_access(acl, 0100664);
  CHECK(acl.user_obj == kNoAccess);
  CHECK(acl.group_obj == 4);
  CHECK(acl.mask == kNoAccess);
  complete_access(acl, 0100664);
  CHECK(acl == whole);

  WireAcl plain{.user_obj = 6, .group_obj = 4, .other = 4};
  condense_access(plain, 0100644);
  CHECK(plain.empty());
  complete_access(plain, 0100644);
  CHECK(plain == WireAcl{.user_obj = 6, .group_obj = 4, .other = 4});

  WireAcl unmasked{
      .user_obj = 7, .group_obj = 1, .other = 0, .names = {{.id = 1, .access = 4, .user = true, .name = {}}}};
  complete_default(unmasked);
  CHECK(unmasked.mask == 5);
}

TEST_CASE("acl: values out of range are refused") {
  CHECK(decode_acl("\x01").error().fault == Fault::kStream);  // nothing in the cache yet
  CHECK(decode_acl(varint(-1)).error().fault == Fault::kStream);
  CHECK(decode_acl(std::string_view("\0\x01\x08", 3)).error().fault == Fault::kStream);
  CHECK(decode_acl(std::string_view("\0\x01\x08", 3), true));
  CHECK(decode_acl(std::string("\0\x01", 2) + varint(128), true).error().fault == Fault::kStream);
  CHECK(decode_acl(std::string("\0\x01", 2) + varint(-1), true).error().fault == Fault::kStream);
  CHECK(decode_acl(std::string("\0\x10", 2) + varint(65537)).error().fault == Fault::kProtocol);
  CHECK(decode_acl(std::string("\0\x10", 2) + varint(-1)).error().fault == Fault::kProtocol);
  CHECK(decode_acl(std::string("\0\x10\x01\x05", 4) + varint(8 << 2)).error().fault == Fault::kStream);
  std::string most = std::string("\0\x10", 2) + varint(kMaxAclNames);
  for (int32_t i = 0; i < kMaxAclNames; ++i) most += "\x01\x04";
  CHECK(decode_acl(most));
}

TEST_CASE("xattr: sets have the recorded bytes") {
  XattrEncoder encoder;
  Wire w;
  REQUIRE(*encoder.encode({}, w.out) == 0);
  CHECK(w.hex() == "0000");
  REQUIRE(*encoder.encode({}, w.out) == 0);
  CHECK(w.hex() == "01");
  REQUIRE(*encoder.encode({wire_xattr("user.short", as_bytes("abc"))}, w.out) == 1);
  CHECK(w.hex() == "00010b03757365722e73686f727400616263");
}

TEST_CASE("xattr: long values travel as their digest and are fetched once") {
  XattrEncoder encoder;
  XattrDecoder decoder;
  Wire w;
  REQUIRE(*encoder.encode(two_values(), w.out) == 0);
  REQUIRE(w.out.flush());
  MemorySource source(w.sink.bytes(), 3);
  Reader in(source);
  REQUIRE(*decoder.decode(in) == 0);
  WireXattrs& set = decoder.at(0);
  CHECK(set == two_values());
  CHECK(set[0].abbreviated());
  CHECK(set[0].value.size() == kXattrDigestBytes);
  CHECK(!set[1].abbreviated());

  Wire ask;
  REQUIRE(write_xattr_request(set, {3, 1}, ask.out));
  REQUIRE(ask.out.flush());
  MemorySource asked(ask.sink.bytes());
  Reader request(asked);
  const auto numbers = read_xattr_request(encoder.at(0), request);
  REQUIRE(numbers);
  CHECK(*numbers == std::vector<int32_t>{3, 1});

  Wire answer;
  REQUIRE(write_xattr_values({{1, std::string(40, 'L')}, {3, "now short"}}, answer.out));
  REQUIRE(answer.out.flush());
  MemorySource answered(answer.sink.bytes(), 1);
  Reader values_in(answered);
  const auto values = read_xattr_values(set, values_in);
  REQUIRE(values);
  REQUIRE(values->size() == 2);
  CHECK((*values)[0].value == std::string(40, 'L'));
  CHECK((*values)[1].value == "now short");

  // Asking again is not honest.
  MemorySource again(ask.sink.bytes());
  Reader repeated(again);
  CHECK(read_xattr_request(encoder.at(0), repeated).error().fault == Fault::kProtocol);
}

TEST_CASE("xattr: request and answer have the recorded bytes") {
  WireXattrs set = {wire_xattr("user.long", as_bytes(std::string(40, 'L')))};
  Wire w;
  REQUIRE(write_xattr_request(set, {1}, w.out));
  CHECK(w.hex() == "0100");
  REQUIRE(write_xattr_values({{1, "LLL"}}, w.out));
  CHECK(w.hex() == "01034c4c4c00");
}

TEST_CASE("xattr: hostile sets are refused") {
  CHECK(decode_xattrs("\x01").error().fault == Fault::kStream);
  CHECK(decode_xattrs(varint(-5)).error().fault == Fault::kStream);
  const std::string literal("\0", 1);
  CHECK(decode_xattrs(literal + varint(65537)).error().fault == Fault::kProtocol);
  CHECK(decode_xattrs(literal + varint(-1)).error().fault == Fault::kProtocol);
  const std::string one = literal + varint(1);
  CHECK(decode_xattrs(one + varint(4097)).error().fault == Fault::kProtocol);
  CHECK(decode_xattrs(one + varint(2) + varint(-1)).error().fault == Fault::kProtocol);
  CHECK(decode_xattrs(one + varint(2) + varint((128 << 20) + 1)).error().fault == Fault::kProtocol);
  CHECK(decode_xattrs(one + varint(2) + varint(1) + "nnx").error().fault == Fault::kFileIo);
  CHECK(decode_xattrs(one + varint(1) + varint(1) + std::string("\0x", 2)).error().fault == Fault::kFileIo);
  CHECK(decode_xattrs(one + varint(0) + varint(1) + "x").error().fault == Fault::kFileIo);
  CHECK(decode_xattrs(one + varint(3) + varint(0) + std::string("\0a\0", 3)).error().fault == Fault::kFileIo);
  CHECK(decode_xattrs(one + varint(2) + varint(128 << 20) + std::string("n\0", 2) + std::string(16, 'd')));
  std::string set = literal + varint(5);
  for (char c = 'a'; c < 'f'; ++c) set += varint(2) + varint(128 << 20) + c + '\0' + std::string(16, 'd');
  CHECK(decode_xattrs(set).error().text == "xattr list exceeds per-file limit");
}

TEST_CASE("xattr: requests and answers outside the set are refused") {
  const auto request = [](std::string_view bytes) {
    WireXattrs set = two_values();
    return read_from(bytes, [&](Reader& in) { return read_xattr_request(set, in); });
  };
  CHECK(request(std::string_view("\x01\x02\0", 3)));
  for (const std::string& bad : {varint(2), varint(4), varint(-1), varint(INT32_MAX), varint(1) + varint(INT32_MAX),
                                 varint(1) + varint(-1), varint(3) + varint(-2) + varint(2)}) {
    const auto numbers = request(bad + std::string(1, '\0'));
    REQUIRE(!numbers);
    CHECK(numbers.error().fault == Fault::kProtocol);
  }
  WireXattrs set = two_values();
  set[0].asked = true;
  const auto answer = [&](const std::string& bytes) {
    return read_from(bytes, [&](Reader& in) { return read_xattr_values(set, in); });
  };
  CHECK(answer(varint(1) + varint(1) + "x" + std::string(1, '\0')));
  CHECK(answer(varint(3) + varint(1) + "x" + std::string(1, '\0')).error().fault == Fault::kProtocol);
  CHECK(answer(varint(1) + varint((128 << 20) + 1)).error().fault == Fault::kProtocol);
  CHECK(answer(varint(1) + varint(-1)).error().fault == Fault::kProtocol);
  CHECK(answer(varint(1) + varint(128 << 20) + "only this").error().fault == Fault::kStream);
}
