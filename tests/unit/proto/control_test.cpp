// Messages: bytes as recorded, everything comes back, and what is out of range is told or dropped as promised.
#include "libproto/control.h"

#include <catch2/catch.hpp>

#include "libproto/limits.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

std::vector<std::byte> framed(const Message& m) {
  std::vector<std::byte> out;
  append_frame(m, out);
  return out;
}

Result<Message> back(const std::vector<std::byte>& bytes) {
  const auto h = load_le<uint32_t>(bytes.data());
  REQUIRE((h & 0xffffff) == bytes.size() - 4);
  return parse_message(static_cast<uint8_t>((h >> 24) - 7), Bytes(bytes).subspan(4));
}

}  // namespace

TEST_CASE("control: frames have the recorded bytes") {
  CHECK(to_hex(framed(ErrorExitMessage{true, 11})) == "0400005d0b000000");
  CHECK(to_hex(framed(ErrorExitMessage{false, 0})) == "0000005d");
  CHECK(to_hex(framed(DeletedMessage{"old/x", false})) == "0500006c6f6c642f78");
  CHECK(to_hex(framed(DeletedMessage{"old", true})) == "0400006c6f6c6400");
  CHECK(to_hex(framed(IoErrorMessage{1})) == "0400001d01000000");
  CHECK(to_hex(framed(NoSendMessage{2})) == "0400006d02000000");
  CHECK(to_hex(framed(NoopMessage{})) == "00000031");
}

TEST_CASE("control: every message comes back as it was") {
  for (const Code code : {Code::kErrorXfer, Code::kInfo, Code::kError, Code::kWarning}) {
    const auto m = std::get<TextMessage>(*back(framed(TextMessage{code, "text\n"})));
    CHECK(m.code == code);
    CHECK(m.text == "text\n");
  }
  CHECK(std::get<IoTimeoutMessage>(*back(framed(IoTimeoutMessage{86400}))).seconds == 86400);
  CHECK(std::get<SuccessMessage>(*back(framed(SuccessMessage{INT32_MAX}))).ndx == INT32_MAX);
  const auto placed = std::get<SuccessMessage>(*back(framed(SuccessMessage{7, SuccessMessage::Place{UINT64_MAX, 1}})));
  CHECK(placed.ndx == 7);
  REQUIRE(placed.place);
  CHECK(placed.place->dev == UINT64_MAX);
  CHECK(placed.place->ino == 1);
  CHECK(!std::get<SuccessMessage>(*back(framed(SuccessMessage{7}))).place);
  for (const uint32_t bytes : {0u, 3u, 5u, 19u, 21u, 0xffffffu}) CHECK_FALSE(check_message_header(100, bytes));
  CHECK(std::get<NoSendMessage>(*back(framed(NoSendMessage{0}))).ndx == 0);
  const auto d = std::get<DeletedMessage>(*back(framed(DeletedMessage{"a b\nc", true})));
  CHECK(d.name == "a b\nc");
  CHECK(d.is_dir);
  CHECK(!std::get<ErrorExitMessage>(*back(framed(ErrorExitMessage{false, 0}))).has_code);
}

TEST_CASE("control: io error bits are masked and meaningless time-outs dropped") {
  CHECK(std::get<IoErrorMessage>(*back(framed(IoErrorMessage{-1}))).bits == 7);
  for (const int32_t seconds : {0, -5, 86401}) {
    CHECK(std::holds_alternative<NoopMessage>(*back(framed(IoTimeoutMessage{seconds}))));
  }
}

TEST_CASE("control: long text is cut to what a far side takes") {
  CHECK(framed(TextMessage{Code::kInfo, std::string(100000, 'x')}).size() == 4 + kMaxTextMessage);
  const auto deleted = framed(DeletedMessage{std::string(100000, 'x'), true});
  CHECK(deleted.size() == 4 + kMaxTextMessage);
  CHECK(std::get<DeletedMessage>(*back(deleted)).is_dir);
}

TEST_CASE("control: a deleted name is neither empty nor cut by a zero byte") {
  for (const std::string_view body : {std::string_view(""), std::string_view("\0", 1), std::string_view("a\0b", 3)}) {
    const auto m = parse_message(101, as_bytes(body));
    REQUIRE(!m);
    CHECK(m.error().fault == Fault::kProtocol);
  }
}
