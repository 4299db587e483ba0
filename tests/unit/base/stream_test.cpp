// Readers and writers over torn input, and the pair in memory between two threads.
#include "libio/base/stream.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace ocsync;

namespace {

std::vector<std::byte> pattern(size_t bytes) {
  std::vector<std::byte> out(bytes);
  for (size_t i = 0; i < bytes; ++i) out[i] = std::byte(i * 7 + i / 251);
  return out;
}

bool same(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

// Delivers some bytes, then a failure of the world.
class BrokenSource final : public ByteSource {
 public:
  Result<size_t> read_some(MutableBytes into) override {
    if (given_) return fail(Fault::kSocket, "cable cut");
    given_ = true;
    into[0] = std::byte{42};
    return size_t{1};
  }
  bool ready() override { return false; }

 private:
  bool given_ = false;
};

class BrokenSink final : public ByteSink {
 public:
  Status write(Bytes) override { return fail(Fault::kSocket, "cable cut"); }
};

// Counts calls, to see what is gathered.
class CallCounter final : public ByteSink {
 public:
  Status write(Bytes bytes) override {
    ++writes;
    total += bytes.size();
    return {};
  }
  Status flush() override {
    ++flushes;
    return {};
  }
  int writes = 0, flushes = 0;
  size_t total = 0;
};

}  // namespace

TEST_CASE("stream: what a writer forms a reader gets back, torn anywhere, with buffers of any size") {
  const std::vector<std::byte> blob = pattern(300);
  for (const size_t buffer : {16UL, 17UL, 64UL, 65536UL}) {
    MemorySink sink;
    Writer writer(sink, buffer);
    REQUIRE(writer.u8(0xfe).has_value());
    REQUIRE(writer.u16(0xbeef).has_value());
    REQUIRE(writer.i32(-2).has_value());
    REQUIRE(writer.i64(INT64_MIN + 1).has_value());
    REQUIRE(writer.bytes(blob).has_value());
    REQUIRE(writer.text("text").has_value());
    REQUIRE(writer.bytes({}).has_value());
    REQUIRE(writer.u8(9).has_value());
    REQUIRE(writer.flush().has_value());
    REQUIRE(sink.bytes().size() == 1 + 2 + 4 + 8 + 300 + 4 + 1);
    CHECK(writer.position() == sink.bytes().size());
    CHECK(to_hex(sink.bytes().first(7)) == "feefbefeffffff");

    for (size_t chunk = 1; chunk <= sink.bytes().size(); ++chunk) {
      CAPTURE(buffer, chunk);
      MemorySource source(sink.bytes(), chunk);
      Reader reader(source, buffer);
      CHECK(reader.u8().value() == 0xfe);
      CHECK(reader.u16().value() == 0xbeef);
      CHECK(reader.i32().value() == -2);
      CHECK(reader.i64().value() == INT64_MIN + 1);
      std::vector<std::byte> first(100);
      REQUIRE(reader.exact(first).has_value());
      CHECK(same(first, Bytes(blob).first(100)));
      REQUIRE(reader.skip(50).has_value());
      size_t at = 150;
      while (at < 280) {
        const Result<Bytes> some = reader.some(280 - at);
        REQUIRE(some.has_value());
        REQUIRE(!some->empty());
        CHECK(same(*some, Bytes(blob).subspan(at, some->size())));
        at += some->size();
      }
      CHECK(at == 280);
      CHECK(same(reader.view(4).value(), Bytes(blob).subspan(280, 4)));
      CHECK(same(reader.view(16).value(), Bytes(blob).last(16)));
      std::string text = "old";
      REQUIRE(reader.text(text, 4).has_value());
      CHECK(text == "text");
      CHECK_FALSE(reader.at_end().value());
      CHECK(reader.u8().value() == 9);
      CHECK(reader.at_end().value());
      CHECK(reader.position() == sink.bytes().size());
      CHECK(reader.u8().error().fault == Fault::kStream);
    }
  }
}

TEST_CASE("stream: an early end is a stream fault in every form of reading") {
  const std::vector<std::byte> three = pattern(3);
  const auto fault_of = [&](auto read) {
    MemorySource source(three, 2);
    Reader reader(source, 32);
    const auto result = read(reader);
    REQUIRE_FALSE(result.has_value());
    return result.error().fault;
  };
  CHECK(fault_of([](Reader& r) { return r.i32(); }) == Fault::kStream);
  CHECK(fault_of([](Reader& r) { return r.i64(); }) == Fault::kStream);
  CHECK(fault_of([](Reader& r) { return r.view(4); }) == Fault::kStream);
  CHECK(fault_of([](Reader& r) { return r.skip(4); }) == Fault::kStream);
  CHECK(fault_of([](Reader& r) {
          std::byte into[4];
          return r.exact(into);
        }) == Fault::kStream);
  CHECK(fault_of([](Reader& r) {
          std::vector<std::byte> into(100);
          return r.exact(into);
        }) == Fault::kStream);
}

TEST_CASE("stream: failures of source and sink arrive as they are") {
  BrokenSource source;
  Reader reader(source);
  CHECK_FALSE(reader.ready());
  CHECK(reader.u8().value() == 42);
  const Result<int32_t> broken = reader.i32();
  REQUIRE_FALSE(broken.has_value());
  CHECK(broken.error().text == "cable cut");

  BrokenSink sink;
  Writer writer(sink, 4);
  CHECK(writer.i32(1).has_value());
  CHECK(writer.u8(1).error().fault == Fault::kSocket);
}

TEST_CASE("stream: a writer gathers small pieces and passes large ones on") {
  CallCounter sink;
  Writer writer(sink, 100);
  for (int i = 0; i < 100; ++i) REQUIRE(writer.u8(1).has_value());
  CHECK(sink.writes == 0);
  REQUIRE(writer.u8(1).has_value());
  CHECK(sink.writes == 1);
  REQUIRE(writer.bytes(pattern(1000)).has_value());
  CHECK(sink.writes == 3);
  CHECK(sink.total == 1101);
  REQUIRE(writer.u8(1).has_value());
  REQUIRE(writer.drain().has_value());
  CHECK(sink.total == 1102);
  CHECK(sink.flushes == 0);
  REQUIRE(writer.flush().has_value());
  CHECK(sink.writes == 4);
  CHECK(sink.flushes == 1);
}

TEST_CASE("stream: a reader asks its source for more than it needs right now") {
  const std::vector<std::byte> content = pattern(1000);
  MemorySource source(content);
  Reader reader(source, 512);
  std::byte two[2];
  REQUIRE(reader.exact(two).has_value());
  CHECK(reader.buffered() == 510);
  CHECK(reader.ready());
}

TEST_CASE("stream: a pair carries bytes both ways between two threads") {
  for (const size_t capacity : {1UL, 7UL, 4096UL}) {
    auto [near, far] = make_stream_pair(capacity);
    const std::vector<std::byte> content = pattern(capacity < 100 ? 2000 : 20000);
    std::thread echo([end = std::move(far)]() mutable {
      std::byte buffer[333];
      for (;;) {
        const Result<size_t> got = end.source->read_some(buffer);
        if (!got || *got == 0) break;
        if (!end.sink->write(Bytes(buffer).first(*got))) break;
      }
    });
    std::vector<std::byte> back(content.size());
    std::thread reading([&, source = near.source.get()] {
      Reader reader(*source, 100);
      const Status status = reader.exact(back);
      if (!status) back.clear();
    });
    CHECK(near.sink->write(content).has_value());
    reading.join();
    CHECK(same(back, content));
    near.sink.reset();  // the echo sees the end and leaves
    echo.join();
    std::byte more[1];
    CHECK(near.source->read_some(more).value() == 0);
  }
}

TEST_CASE("stream: closing one end of a pair") {
  auto [near, far] = make_stream_pair(16);
  CHECK_FALSE(far.source->ready());
  REQUIRE(near.sink->write(pattern(10)).has_value());
  CHECK(far.source->ready());
  near.sink.reset();
  // What was written before the end is still delivered, then the end.
  std::byte buffer[100];
  CHECK(far.source->read_some(buffer).value() == 10);
  CHECK(far.source->ready());
  CHECK(far.source->read_some(buffer).value() == 0);
  CHECK(far.source->read_some(buffer).value() == 0);

  // Nobody reads any more: writing fails, also a write that waits for room.
  Fault fault = Fault::kSystem;
  std::thread writer([&, sink = far.sink.get()] {
    const Status status = sink->write(pattern(1000));
    if (!status) fault = status.error().fault;
  });
  near.source.reset();
  writer.join();
  CHECK(fault == Fault::kClosed);
}

TEST_CASE("stream: the counting sink counts") {
  CountingSink sink;
  REQUIRE(sink.write(pattern(10)).has_value());
  REQUIRE(sink.write(pattern(5)).has_value());
  CHECK(sink.count() == 15);
}
