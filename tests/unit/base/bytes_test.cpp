// Hexadecimal and little-endian loads and stores.
#include "libio/base/bytes.h"

#include <catch2/catch.hpp>

using namespace ocsync;

TEST_CASE("bytes: hexadecimal is lower case, two digits a byte") {
  CHECK(to_hex({}).empty());
  CHECK(to_hex(as_bytes(std::string_view("\x00\x0f\xa5\xff", 4))) == "000fa5ff");
}

TEST_CASE("bytes: loads and stores are little-endian at any address") {
  std::byte memory[9]{};
  store_le(memory + 1, uint32_t{0x01020304});
  CHECK(to_hex(memory) == "000403020100000000");
  CHECK(load_le<uint16_t>(memory + 1) == 0x0304);
  CHECK(load_le<uint64_t>(memory + 1) == 0x01020304);
  CHECK(load_le<int32_t>(memory) == 0x02030400);
}

TEST_CASE("bytes: text and bytes are views of each other") {
  CHECK(as_text(as_bytes("abc")) == "abc");
  CHECK(as_bytes("").empty());
}
