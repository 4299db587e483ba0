// Indexes: the recorded sequence, both memories, and what must be refused.
#include "libproto/index.h"

#include <catch2/catch.hpp>

using namespace ocsync;
using namespace ocsync::proto;

namespace {

struct Pair {
  int32_t value;
  const char* hex;
};

// One long sequence: each form depends on what went before.
constexpr Pair kSequence[] = {
    {0, "01"},
    {1, "01"},
    {1, "fe0000"},
    {5, "04"},
    {258, "fd"},
    {259, "01"},
    {513, "fe00fe"},
    {514, "01"},
    {-1, "00"},
    {767, "fd"},
    {767, "fe0000"},
    {33535, "fe80ff8200"},
    {33534, "fe80fe8200"},
    {100000, "fe80a08601"},
    {200000, "fe80400d03"},
    {2147483647, "feffffffff"},
    {-101, "ff64"},
    {-102, "ff01"},
    {-2, "fffe80020000"},
    {-104, "ff66"},
    {-103, "fffe80670000"},
    {-3, "fffe80030000"},
};

Result<int32_t> read_one(std::string_view bytes, const Agreement& agreed, IndexReader* reader = nullptr) {
  IndexReader fresh(agreed);
  MemorySource source(as_bytes(bytes));
  Reader in(source);
  return (reader ? *reader : fresh).read(in);
}

}  // namespace

TEST_CASE("index: the compact form has the bytes of the table") {
  const Agreement agreed = Agreement::from(30, 0);
  IndexWriter writer(agreed);
  MemorySink sink;
  Writer out(sink);
  std::string all;
  for (const auto& [value, hex] : kSequence) {
    INFO(value);
    REQUIRE(writer.write(value, out));
    REQUIRE(out.flush());
    CHECK(to_hex(sink.bytes()) == hex);
    all += as_text(sink.bytes());
    sink.clear();
  }
  for (size_t chunk = 1; chunk < 8; ++chunk) {
    IndexReader reader(agreed);
    MemorySource source(as_bytes(all), chunk);
    Reader in(source);
    for (const auto& [value, hex] : kSequence) CHECK(*reader.read(in) == value);
    CHECK(*in.at_end());
  }
}

TEST_CASE("index: the first negative values of a session are short") {
  const Agreement agreed = Agreement::from(31, 0);
  for (const auto& [value, hex] : {Pair{-2, "ff01"}, Pair{-3, "ff02"}, Pair{-101, "ff64"}, Pair{-102, "ff65"}}) {
    IndexWriter writer(agreed);
    MemorySink sink;
    Writer out(sink);
    REQUIRE(writer.write(value, out));
    REQUIRE(out.flush());
    CHECK(to_hex(sink.bytes()) == hex);
  }
}

TEST_CASE("index: below version 30 it is a plain number") {
  const Agreement agreed = Agreement::from(29, 0);
  IndexWriter writer(agreed);
  MemorySink sink;
  Writer out(sink);
  for (const int32_t ndx : {0, 1, -1, 70000}) REQUIRE(writer.write(ndx, out));
  REQUIRE(out.flush());
  CHECK(to_hex(sink.bytes()) == "0000000001000000ffffffff70110100");
  IndexReader reader(agreed);
  MemorySource source(sink.bytes());
  Reader in(source);
  for (const int32_t ndx : {0, 1, -1, 70000}) CHECK(*reader.read(in) == ndx);
}

TEST_CASE("index: sums beyond 31 bits are refused") {
  const Agreement agreed = Agreement::from(32, 0);
  IndexReader reader(agreed);
  CHECK(*read_one(std::string_view("\xfe\xff\xff\xff\xff", 5), agreed, &reader) == INT32_MAX);
  const auto more = read_one(std::string_view("\x01", 1), agreed, &reader);
  REQUIRE(!more);
  CHECK(more.error().fault == Fault::kProtocol);
  CHECK(more.error().text == "Invalid file index");
}

TEST_CASE("index: any value follows any other") {
  const Agreement agreed = Agreement::from(32, 0);
  const int32_t values[] = {0,       1,         253, 254, 255, 32767, 32768, 65535,
                            1 << 24, INT32_MAX, -1,  -2,  -3,  -101,  -355,  -INT32_MAX};
  IndexWriter writer(agreed);
  IndexReader reader(agreed);
  for (const int32_t a : values) {
    for (const int32_t b : values) {
      MemorySink sink;
      Writer out(sink);
      REQUIRE(writer.write(a, out));
      REQUIRE(writer.write(b, out));
      REQUIRE(out.flush());
      MemorySource source(sink.bytes());
      Reader in(source);
      CHECK(*reader.read(in) == a);
      CHECK(*reader.read(in) == b);
      CHECK(*in.at_end());
    }
  }
}
