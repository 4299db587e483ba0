// Values and bytes that two independent programs agree on, and numbers that must be refused.
#include "libproto/numbers.h"

#include <catch2/catch.hpp>

#include "libproto/limits.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  std::string digits;
  for (const char c : hex)
    if (c != ' ') digits += c;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

template <class Write>
std::string written(Write write) {
  MemorySink sink;
  Writer out(sink);
  REQUIRE(write(out));
  REQUIRE(out.flush());
  return to_hex(sink.bytes());
}

// Reads in pieces of every size and expects the same value, and nothing left.
template <class T, class Read>
void reads(std::string_view hex, T value, Read read) {
  const std::string bytes = from_hex(hex);
  for (size_t chunk = 1; chunk <= std::min<size_t>(bytes.size(), 9); ++chunk) {
    MemorySource source(as_bytes(bytes), chunk);
    Reader in(source);
    const Result<T> got = read(in);
    REQUIRE(got);
    CHECK(*got == value);
    CHECK(*in.at_end());
  }
}

template <class Read>
Error refused(std::string_view hex, Read read) {
  const std::string bytes = from_hex(hex);
  MemorySource source(as_bytes(bytes));
  Reader in(source);
  const auto got = read(in);
  REQUIRE(!got);
  return got.error();
}

std::string packed(std::string_view hex) { return to_hex(as_bytes(from_hex(hex))); }

}  // namespace

TEST_CASE("numbers: varint has the bytes of the table") {
  const std::pair<int32_t, const char*> table[] = {
      {0, "00"},
      {1, "01"},
      {127, "7f"},
      {128, "80 80"},
      {200, "80 c8"},
      {255, "80 ff"},
      {256, "81 00"},
      {300, "81 2c"},
      {511, "81 ff"},
      {999999999, "f0 ff c9 9a 3b"},
      {-1, "f0 ff ff ff ff"},
      {16383, "bf ff"},
      {16384, "c0 00 40"},
      {65535, "c0 ff ff"},
      {1000000, "cf 40 42"},
      {2097151, "df ff ff"},
      {2097152, "e0 00 00 20"},
      {123456789, "e7 15 cd 5b"},
      {268435455, "ef ff ff ff"},
      {268435456, "f0 00 00 00 10"},
      {2147483647, "f0 ff ff ff 7f"},
      {-2, "f0 fe ff ff ff"},
      {INT32_MIN, "f0 00 00 00 80"},
  };
  for (const auto& [value, hex] : table) {
    INFO(value);
    CHECK(written([v = value](Writer& out) { return write_varint(v, out); }) == packed(hex));
    reads<int32_t>(hex, value, [](Reader& in) { return read_varint(in); });
  }
}

TEST_CASE("numbers: varint accepts longer forms than needed and ignores bits above the 32nd") {
  const auto read = [](Reader& in) { return read_varint(in); };
  reads<int32_t>("80 05", 5, read);
  reads<int32_t>("c0 05 00", 5, read);
  reads<int32_t>("e0 05 00 00", 5, read);
  reads<int32_t>("f7 05 00 00 00", 5, read);
}

TEST_CASE("numbers: varint of five or six extra bytes is refused") {
  const auto read = [](Reader& in) { return read_varint(in); };
  for (const char* hex : {"f8 00 00 00 00 00", "fb 00 00 00 00 00", "fc 00 00 00 00 00 00", "ff 00 00 00 00 00 00"}) {
    const Error e = refused(hex, read);
    CHECK(e.fault == Fault::kStream);
    CHECK(e.text == "Overflow in read_varint()");
  }
  CHECK(refused("", read).fault == Fault::kStream);
  CHECK(refused("f0 00 00 00", read).fault == Fault::kStream);
}

TEST_CASE("numbers: varlong has the bytes of the table") {
  const struct {
    int least;
    int64_t value;
    const char* hex;
  } table[] = {
      {3, 0, "00 00 00"},
      {3, 5, "00 05 00"},
      {3, 4096, "00 00 10"},
      {3, 65535, "00 ff ff"},
      {3, 65536, "01 00 00"},
      {3, 8388607, "7f ff ff"},
      {3, 8388608, "80 00 00 80"},
      {3, 16777216, "81 00 00 00"},
      {3, 1073741823, "bf ff ff ff"},
      {3, 1073741824, "c0 00 00 00 40"},
      {3, 4294967295, "c0 ff ff ff ff"},
      {3, 4294967296, "c1 00 00 00 00"},
      {3, int64_t{1} << 40, "e1 00 00 00 00 00"},
      {3, INT64_MAX, "fc ff ff ff ff ff ff ff 7f"},
      {3, -1, "fc ff ff ff ff ff ff ff ff"},
      {4, 0, "00 00 00 00"},
      {4, 1, "00 01 00 00"},
      {4, 1600000000, "5f 00 10 5e"},
      {4, 2147483647, "7f ff ff ff"},
      {4, 2147483648, "80 00 00 00 80"},
      {4, 4102444800, "80 00 57 86 f4"},
      {4, 4294967296, "81 00 00 00 00"},
      {4, -1, "f8 ff ff ff ff ff ff ff ff"},
      {4, -86400, "f8 80 ae fe ff ff ff ff ff"},
  };
  for (const auto& row : table) {
    INFO(row.least << ": " << row.value);
    CHECK(written([&](Writer& out) { return write_varlong(row.value, row.least, out); }) == packed(row.hex));
    reads<int64_t>(row.hex, row.value, [&](Reader& in) { return read_varlong(row.least, in); });
  }
}

TEST_CASE("numbers: varlong of more than nine bytes is refused") {
  const Error e = refused("fc 00 00 00 00 00 00 00 00 00", [](Reader& in) { return read_varlong(4, in); });
  CHECK(e.fault == Fault::kStream);
  CHECK(e.text == "Overflow in read_varlong()");
}

TEST_CASE("numbers: varlong keeps every power of two and its neighbours") {
  for (int least = 3; least <= 8; ++least) {
    for (int bit = 0; bit < 64; ++bit) {
      for (const int64_t off : {-1, 0, 1}) {
        const auto value = static_cast<int64_t>((uint64_t{1} << bit) + static_cast<uint64_t>(off));
        MemorySink sink;
        Writer out(sink);
        REQUIRE(write_varlong(value, least, out));
        REQUIRE(out.flush());
        MemorySource source(sink.bytes());
        Reader in(source);
        CHECK(*read_varlong(least, in) == value);
        CHECK(*in.at_end());
      }
    }
  }
}

TEST_CASE("numbers: longint has the bytes of the table") {
  const std::pair<int64_t, const char*> table[] = {
      {5, "05 00 00 00"},
      {2147483647, "ff ff ff 7f"},
      {2147483648, "ff ff ff ff 00 00 00 80 00 00 00 00"},
      {78187493530, "ff ff ff ff 9a 78 56 34 12 00 00 00"},
      {-1, "ff ff ff ff ff ff ff ff ff ff ff ff"},
  };
  for (const auto& [value, hex] : table) {
    CHECK(written([v = value](Writer& out) { return write_longint(v, out); }) == packed(hex));
    reads<int64_t>(hex, value, [](Reader& in) { return read_longint(in); });
  }
  reads<int64_t>("fe ff ff ff", -2, [](Reader& in) { return read_longint(in); });
}

TEST_CASE("numbers: the agreement decides between plain and compact forms") {
  const Agreement old = Agreement::from(29, 0), current = Agreement::from(30, 0);
  CHECK(written([&](Writer& out) { return write_varint30(5, old, out); }) == packed("05 00 00 00"));
  CHECK(written([&](Writer& out) { return write_varint30(5, current, out); }) == packed("05"));
  CHECK(written([&](Writer& out) { return write_varlong30(5, 3, old, out); }) == packed("05 00 00 00"));
  CHECK(written([&](Writer& out) { return write_varlong30(5, 3, current, out); }) == packed("00 05 00"));
}

TEST_CASE("numbers: a bounded varint names itself when it is refused") {
  const auto read = [](Reader& in) { return read_varint_within("modtime_nsec", 0, 999999999, in); };
  reads<int32_t>("f0 ff c9 9a 3b", 999999999, read);
  const Error e = refused("f0 00 ca 9a 3b", read);
  CHECK(e.fault == Fault::kProtocol);
  CHECK(e.text == "wire value modtime_nsec out of range: 1000000000");
  CHECK(refused("f0 ff ff ff ff", read).fault == Fault::kProtocol);
}

TEST_CASE("numbers: vstring takes one or two bytes of length and is bounded by its field") {
  CHECK(written([](Writer& out) { return write_vstring("hard1", out); }) == packed("05 68 61 72 64 31"));
  const std::string text(300, 'x');
  CHECK(written([&](Writer& out) { return write_vstring(text, out); }) == packed("81 2c") + to_hex(as_bytes(text)));
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{127}, size_t{128}, size_t{255}, kMaxVstring}) {
    const std::string value(bytes, 'v');
    reads<std::string>(written([&](Writer& out) { return write_vstring(value, out); }), value,
                       [](Reader& in) { return read_vstring(kMaxVstring, in); });
  }
  CHECK(refused("81 00", [](Reader& in) { return read_vstring(255, in, Fault::kUnsupported); }).fault ==
        Fault::kUnsupported);
  MemorySink sink;
  Writer out(sink);
  CHECK(!write_vstring(std::string(kMaxVstring + 1, 'x'), out));
}
