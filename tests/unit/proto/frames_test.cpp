// Frames: data and messages share a stream, whatever the pieces; hostile headers are refused before their bodies are
// read.
#include "libproto/frames.h"

#include <catch2/catch.hpp>
#include <thread>

#include "libproto/limits.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

std::string header(uint32_t bytes, uint32_t code) {
  std::byte b[4];
  store_le(b, bytes | (code + 7) << 24);
  return std::string(as_text(b));
}

std::string frame(uint32_t code, std::string_view body) {
  return header(static_cast<uint32_t>(body.size()), code) + std::string(body);
}

struct Seen {
  std::string data;
  std::vector<Message> messages;
  std::optional<Error> error;
};

Seen read_all(std::string_view raw, size_t chunk = SIZE_MAX, size_t piece_bytes = 37) {
  Seen seen;
  MemorySource source(as_bytes(raw), chunk);
  DemuxSource demux(source, [&](const Message& m) -> Status {
    seen.messages.push_back(m);
    return {};
  });
  demux.enable();
  std::vector<std::byte> piece(piece_bytes);
  while (true) {
    const auto got = demux.read_some(piece);
    if (!got) seen.error = got.error();
    if (!got || *got == 0) return seen;
    seen.data += as_text(Bytes(piece).first(*got));
  }
}

// A sink that counts how often it is written to.
class CallSink final : public ByteSink {
 public:
  Status write(Bytes bytes) override {
    calls.emplace_back(as_text(bytes));
    return {};
  }
  std::string all() const {
    std::string joined;
    for (const std::string& call : calls) joined += call;
    return joined;
  }
  std::vector<std::string> calls;
};

// A source that has nothing more for now once its bytes are gone.
class LiveSource final : public ByteSource {
 public:
  Result<size_t> read_some(MutableBytes into) override {
    REQUIRE(!waiting.empty());  // it would block for ever
    const size_t count = std::min(into.size(), waiting.size());
    std::memcpy(into.data(), waiting.data(), count);
    waiting.erase(0, count);
    return count;
  }
  bool ready() override { return !waiting.empty(); }
  std::string waiting;
};

}  // namespace

TEST_CASE("frames: data is joined and messages are delivered, however the bytes are torn") {
  const std::string raw = frame(0, "hello ") + frame(0, "") + frame(2, "note\n") + frame(0, "world") +
                          frame(100, std::string("\x07\0\0\0", 4)) + frame(101, std::string("old\0", 4)) +
                          frame(0, "!");
  for (size_t chunk = 1; chunk <= raw.size(); ++chunk) {
    for (const size_t piece : {1, 3, 100}) {
      const Seen seen = read_all(raw, chunk, piece);
      CHECK(!seen.error);
      CHECK(seen.data == "hello world!");
      REQUIRE(seen.messages.size() == 3);
      CHECK(std::get<TextMessage>(seen.messages[0]).text == "note\n");
      CHECK(std::get<SuccessMessage>(seen.messages[1]).ndx == 7);
      CHECK(std::get<DeletedMessage>(seen.messages[2]).name == "old");
      CHECK(std::get<DeletedMessage>(seen.messages[2]).is_dir);
    }
  }
}

TEST_CASE("frames: the largest data frame passes without being held") {
  std::string raw = header(kMaxFrame, 0) + std::string(kMaxFrame, 'd');
  const Seen seen = read_all(raw, 100000, 64 * 1024);
  CHECK(!seen.error);
  CHECK(seen.data.size() == kMaxFrame);
}

TEST_CASE("frames: what no process may send is refused by its header") {
  const auto fault = [](const std::string& raw) {
    const Seen seen = read_all(raw);
    REQUIRE(seen.error);
    CHECK(seen.messages.empty());
    CHECK(seen.error->fault == Fault::kStream);
    return seen.error->text;
  };
  CHECK(fault(std::string("\x01\0\0\x06", 4)) == "unexpected tag -1");
  CHECK(fault(std::string("\x01\0\0\x80", 4)) == "unexpected tag 121");
  CHECK(fault(header(1, 55)) == "unexpected tag 55");
  for (const uint32_t code : {5, 6, 7, 8, 9, 10}) CHECK(fault(header(4, code)).starts_with("invalid multi-message"));
  for (const uint32_t code : {22, 33, 100, 102}) {
    CHECK(fault(header(3, code)).starts_with("invalid multi-message"));
    CHECK(fault(header(5, code)).starts_with("invalid multi-message"));
  }
  CHECK(fault(header(1, 42)).starts_with("invalid multi-message"));
  CHECK(fault(header(3, 86)).starts_with("invalid multi-message"));
  for (const uint32_t code : {1, 2, 3, 4, 101}) {
    CHECK(fault(header(kBigPath, code)).starts_with("multiplexing overflow"));
    CHECK(fault(header(kMaxFrame, code)).starts_with("multiplexing overflow"));
  }
}

TEST_CASE("frames: the longest text passes") {
  const Seen seen = read_all(frame(1, std::string(kMaxTextMessage, 't')), 1000);
  CHECK(!seen.error);
  REQUIRE(seen.messages.size() == 1);
  CHECK(std::get<TextMessage>(seen.messages[0]).text.size() == kMaxTextMessage);
}

TEST_CASE("frames: an end inside a frame is a failure, one between frames an end") {
  CHECK(!read_all(frame(0, "abc")).error);
  CHECK(read_all(header(5, 0) + "abc").error->fault == Fault::kStream);
  CHECK(read_all("\x05").error->fault == Fault::kStream);
  CHECK(read_all(header(4, 1) + "ab").error->fault == Fault::kStream);
}

TEST_CASE("frames: an error of the listener ends the stream with that error") {
  const std::string raw = frame(86, std::string("\x0b\0\0\0", 4)) + frame(0, "x");
  MemorySource source(as_bytes(raw));
  DemuxSource demux(source, [](const Message& m) -> Status {
    return fail(Fault::kFarExit, std::to_string(std::get<ErrorExitMessage>(m).exit_code));
  });
  demux.enable();
  std::byte b[8];
  const auto got = demux.read_some(b);
  REQUIRE(!got);
  CHECK(got.error().fault == Fault::kFarExit);
  CHECK(got.error().text == "11");
}

TEST_CASE("frames: nothing is read ahead of the moment when framing begins or pauses") {
  const std::string raw = "ab" + frame(0, "cd") + "plain" + frame(0, "ef");
  MemorySource source(as_bytes(raw));
  DemuxSource demux(source, [](const Message&) -> Status { return {}; });
  Reader in(demux);
  std::string text;
  REQUIRE(in.text(text, 2));
  CHECK(text == "ab");
  CHECK(in.buffered() == 0);
  demux.enable();
  REQUIRE(in.text(text, 2));
  CHECK(text == "cd");
  demux.disable();
  REQUIRE(in.text(text, 5));
  CHECK(text == "plain");
  demux.enable();
  REQUIRE(in.text(text, 2));
  CHECK(text == "ef");
}

TEST_CASE("frames: a direction without framing passes freely") {
  MemorySource source(as_bytes("never framed"));
  DemuxSource demux(source, [](const Message&) -> Status { return {}; });
  demux.pass_freely();
  std::byte b[64];
  CHECK(*demux.read_some(b) == 12);
}

TEST_CASE("frames: ready means data, not a keep-alive or half a message") {
  LiveSource live;
  std::vector<std::string> texts;
  DemuxSource demux(live, [&](const Message& m) -> Status {
    texts.push_back(std::get<TextMessage>(m).text);
    return {};
  });
  demux.enable();
  CHECK(!demux.ready());
  live.waiting = header(0, 0);
  CHECK(!demux.ready());
  live.waiting = std::string("\x05\0", 2);
  CHECK(!demux.ready());
  live.waiting = std::string("\0\x09", 2) + "no";
  CHECK(!demux.ready());
  CHECK(texts.empty());
  live.waiting = "te\n";
  CHECK(!demux.ready());
  CHECK(texts == std::vector<std::string>{"note\n"});
  live.waiting = frame(0, "xy");
  CHECK(demux.ready());
  std::byte b[8];
  CHECK(*demux.read_some(b) == 2);
  CHECK(!demux.ready());
  live.waiting = header(1, 99);
  CHECK(demux.ready());  // an error is news too
  CHECK(demux.read_some(b).error().fault == Fault::kStream);
}

TEST_CASE("frames: one write carries header and data; messages go first") {
  CallSink raw;
  MuxSink mux(raw);
  CHECK(!mux.post(TextMessage{Code::kInfo, "too early"}));
  REQUIRE(mux.write(as_bytes("plain")));
  mux.enable();
  REQUIRE(mux.write(as_bytes("da")));
  CHECK(mux.post(SuccessMessage{3}));
  REQUIRE(mux.write(as_bytes("ta")));
  REQUIRE(mux.flush());
  REQUIRE(mux.flush());
  CHECK(raw.calls == std::vector<std::string>{"plain", frame(100, std::string("\x03\0\0\0", 4)), frame(0, "data")});
}

TEST_CASE("frames: large data is cut into frames below 64 KiB and comes back whole") {
  std::string data;
  for (uint32_t i = 0; data.size() < 300000; i += 7919) data += static_cast<char>(i >> 3);
  for (const size_t buffer : {size_t{1}, size_t{100}, size_t{32768}, size_t{1} << 20}) {
    if (buffer == 1) data.resize(3000);
    CallSink raw;
    MuxSink mux(raw, buffer);
    mux.enable();
    REQUIRE(mux.write(as_bytes(data)));
    REQUIRE(mux.flush());
    for (const std::string& call : raw.calls) CHECK(call.size() <= 65536);
    const Seen seen = read_all(raw.all(), 5000, 4096);
    CHECK(!seen.error);
    CHECK(seen.data == data);
    if (buffer == 1) data.resize(300000, 'z');
  }
}

TEST_CASE("frames: pieces leave in one call, behind what waits and in frames below 64 KiB, and come back whole") {
  std::string data;
  for (uint32_t i = 0; data.size() < 300000; i += 7919) data += static_cast<char>(i >> 3);
  for (const bool gathers : {true, false})
    for (const size_t buffer : {size_t{100}, size_t{32768}, size_t{1} << 20}) {
      struct VectorSink final : ByteSink {
        std::string all;
        size_t calls = 0;
        Status write(Bytes bytes) override { return write_v({&bytes, 1}); }
        Status write_v(std::span<const Bytes> pieces) override {
          ++calls;
          for (const Bytes piece : pieces) all += as_text(piece);
          return {};
        }
      } raw;
      MuxSink mux(raw, buffer);
      mux.gather(gathers);
      mux.enable();
      Writer out(mux);
      REQUIRE(out.text("first"));
      CHECK(mux.post(SuccessMessage{3}));
      std::vector<Bytes> pieces;
      for (size_t at = 0; at < data.size(); at += 50000)
        pieces.push_back(as_bytes(data).subspan(at, std::min<size_t>(50000, data.size() - at)));
      REQUIRE(out.pieces(pieces));
      if (gathers) CHECK(raw.calls == 2);  // the message, and everything else
      REQUIRE(out.text("last"));
      REQUIRE(out.flush());
      CHECK(out.position() == data.size() + 9);
      const Seen seen = read_all(raw.all, 5000, 4096);
      CHECK(!seen.error);
      CHECK(seen.data == "first" + data + "last");
    }
}

TEST_CASE("frames: framing pauses at a frame border, and messages wait meanwhile") {
  CallSink raw;
  MuxSink mux(raw);
  mux.enable();
  REQUIRE(mux.write(as_bytes("one")));
  REQUIRE(mux.disable());
  CHECK(mux.post(NoopMessage{}));
  REQUIRE(mux.write(as_bytes("names")));
  mux.enable();
  REQUIRE(mux.flush());
  CHECK(raw.all() == frame(0, "one") + "names" + frame(42, ""));
}

TEST_CASE("frames: a keep-alive is an empty data frame after a lull with nothing waiting") {
  CallSink raw;
  MuxSink mux(raw);
  REQUIRE(mux.keep_alive(0));
  CHECK(raw.calls.empty());
  mux.enable();
  REQUIRE(mux.keep_alive(1000000));
  CHECK(raw.calls.empty());
  REQUIRE(mux.keep_alive(0));
  CHECK(raw.all() == header(0, 0));
  REQUIRE(mux.write(as_bytes("x")));
  REQUIRE(mux.keep_alive(0));
  CHECK(raw.all() == header(0, 0));
}

TEST_CASE("frames: messages of other threads arrive whole among the data") {
  CallSink raw;
  MuxSink mux(raw, 64);
  mux.enable();
  constexpr int kEach = 2000;
  int posted = 0;
  std::thread poster([&] {
    for (int i = 0; i < kEach; ++i) posted += mux.post(SuccessMessage{i});
  });
  int kept = 0;
  std::thread keeper([&] {
    for (int i = 0; i < 200; ++i) kept += mux.keep_alive(0).has_value();
  });
  std::string data;
  for (int i = 0; i < kEach; ++i) {
    const std::string piece = std::to_string(i) + ",";
    data += piece;
    REQUIRE(mux.write(as_bytes(piece)));
  }
  poster.join();
  CHECK(posted == kEach);
  keeper.join();
  CHECK(kept == 200);
  REQUIRE(mux.flush());
  const Seen seen = read_all(raw.all(), 999, 333);
  CHECK(!seen.error);
  CHECK(seen.data == data);
  REQUIRE(seen.messages.size() == kEach);
  for (int i = 0; i < kEach; ++i) CHECK(std::get<SuccessMessage>(seen.messages[static_cast<size_t>(i)]).ndx == i);
}
