// ACLs and extended attributes: what is accepted keeps the limits and encodes to bytes that decode to the same.
#include "libproto/limits.h"
#include "libproto/meta_wire.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

void acls(ocsync::test::FuzzInput& input) {
  const bool wide = input.flag();
  MemorySource source(input.rest(), input.chunk());
  Reader in(source);
  AclDecoder decoder(wide), decoder_again(wide);
  AclEncoder encoder;
  for (int i = 0;; ++i) {
    const auto kind = static_cast<AclKind>(i % 3 == 0);
    const auto number = decoder.decode(kind, in);
    if (!number) return;
    const WireAcl& acl = decoder.at(kind, *number);
    MemorySink sink;
    Writer out(sink);
    FUZZ_REQUIRE(encoder.encode(kind, acl, out));
    FUZZ_REQUIRE(out.flush());
    MemorySource back(sink.bytes(), 1);
    Reader in_again(back);
    const auto same = decoder_again.decode(kind, in_again);
    FUZZ_REQUIRE(same && decoder_again.at(kind, *same) == acl);
    WireAcl whole = acl;
    complete_access(whole, 0100644);
    FUZZ_REQUIRE(whole.user_obj != kNoAccess && whole.group_obj != kNoAccess && whole.other != kNoAccess);
  }
}

void xattrs(ocsync::test::FuzzInput& input) {
  MemorySource source(input.rest(), input.chunk());
  Reader in(source);
  XattrDecoder decoder, decoder_again;
  XattrEncoder encoder;
  while (true) {
    const auto number = decoder.decode(in);
    if (!number) break;
    WireXattrs& set = decoder.at(*number);
    for (const WireXattr& x : set)
      FUZZ_REQUIRE(!x.name.empty() && x.value.size() == (x.abbreviated() ? kXattrDigestBytes : x.value_bytes));
    MemorySink sink;
    Writer out(sink);
    FUZZ_REQUIRE(encoder.encode(set, out));
    FUZZ_REQUIRE(out.flush());
    MemorySource back(sink.bytes(), 1);
    Reader in_again(back);
    const auto same = decoder_again.decode(in_again);
    FUZZ_REQUIRE(same && decoder_again.at(*same) == set);
  }
  // Requests and answers over the bytes that are left.
  WireXattrs set;
  for (const size_t bytes : {40, 3, 33, 100}) set.push_back(wire_xattr("user.x", as_bytes(std::string(bytes, 'x'))));
  if (const auto numbers = read_xattr_request(set, in)) {
    for (const int32_t n : *numbers) FUZZ_REQUIRE(n >= 1 && n <= 4 && n != 2);
  }
  if (const auto values = read_xattr_values(set, in)) {
    for (const XattrValue& v : *values) FUZZ_REQUIRE(v.number >= 1 && v.number <= 4 && v.number != 2);
    MemorySink sink;
    Writer out(sink);
    FUZZ_REQUIRE(write_xattr_values(*values, out));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  if (input.flag())
    acls(input);
  else
    xattrs(input);
  return 0;
}
