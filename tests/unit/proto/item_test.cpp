#include "libproto/item.h"

#include <catch2/catch.hpp>

using namespace ocsync;
using namespace ocsync::proto;

namespace {

std::string written(const Item& item, int version) {
  MemorySink sink;
  Writer out(sink);
  REQUIRE(write_item(item, Agreement::from(version, 0), out));
  REQUIRE(out.flush());
  return to_hex(sink.bytes());
}

Result<Item> read_back(std::string_view bytes, int version) {
  MemorySource source(as_bytes(bytes), 1);
  Reader in(source);
  return read_item(Agreement::from(version, 0), in);
}

}  // namespace

TEST_CASE("item: flags, basis and name in this order") {
  CHECK(written({.flags = kTransfer | kIsNew}, 32) == "00a0");
  CHECK(written({.flags = kTransfer | kBasisTypeFollows | kXnameFollows, .basis = kBasisFuzzy, .xname = "hard1"}, 29) ==
        "0098"
        "83"
        "056861726431");
  CHECK(written({.flags = kReportTime | kMissingData | kDeleted | kMatched}, 32) == "0800");
}

TEST_CASE("item: below version 29 nothing travels") {
  CHECK(written({.flags = kTransfer | kIsNew}, 28).empty());
  const Result<Item> item = read_back("", 28);
  REQUIRE(item);
  CHECK(item->flags == (kTransfer | kMissingData));
  CHECK(item->basis == kBasisTarget);
}

TEST_CASE("item: what was written is read back, name of 4095 bytes included") {
  for (const size_t length : {size_t{0}, size_t{1}, size_t{127}, size_t{128}, size_t{4095}}) {
    const Item item{
        .flags = kLocalChange | kXnameFollows | kBasisTypeFollows, .basis = 7, .xname = std::string(length, 'x')};
    MemorySink sink;
    Writer out(sink);
    REQUIRE(write_item(item, Agreement::from(31, 0), out));
    REQUIRE(out.flush());
    const Result<Item> back = read_back(as_text(sink.bytes()), 31);
    REQUIRE(back);
    CHECK(back->flags == item.flags);
    CHECK(back->basis == item.basis);
    CHECK(back->xname == item.xname);
  }
}

TEST_CASE("item: a name of 4096 bytes and a torn record are refused") {
  std::string bytes("\x00\x10\x90\x00", 4);
  bytes += std::string(4096, 'x');
  const Result<Item> item = read_back(bytes, 32);
  REQUIRE_FALSE(item);
  CHECK(item.error().fault == Fault::kProtocol);
  const Result<Item> torn = read_back(std::string_view("\x00\x18\x80\x05h", 5), 32);
  REQUIRE_FALSE(torn);
  CHECK(torn.error().fault == Fault::kStream);
}
