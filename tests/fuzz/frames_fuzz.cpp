// Frames and messages: data and messages come out the same however the bytes are torn, and go back in the same.
#include "libproto/frames.h"
#include "libproto/limits.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

struct Seen {
  std::string data;
  std::vector<std::byte> messages;  // as frames
  bool failed = false;
};

Seen read_all(Bytes raw, size_t chunk, size_t piece_bytes, bool ask_ready) {
  Seen seen;
  MemorySource source(raw, chunk);
  DemuxSource demux(source, [&](const Message& m) -> Status {
    append_frame(m, seen.messages);
    return {};
  });
  demux.enable();
  std::vector<std::byte> piece(piece_bytes);
  while (true) {
    if (ask_ready) demux.ready();
    const auto got = demux.read_some(piece);
    if (!got) seen.failed = true;
    if (!got || *got == 0) return seen;
    seen.data += as_text(Bytes(piece).first(*got));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  const size_t chunk = input.chunk();
  const size_t piece = 1 + input.pick(200);
  const bool ask_ready = input.flag();
  const Seen whole = read_all(input.rest(), SIZE_MAX, 65536, false);
  const Seen torn = read_all(input.rest(), chunk, piece, ask_ready);
  FUZZ_REQUIRE(whole.data == torn.data);
  FUZZ_REQUIRE(whole.messages == torn.messages);
  FUZZ_REQUIRE(whole.failed == torn.failed);

  // What was accepted is accepted again, with the same meaning.
  const Seen messages = read_all(whole.messages, chunk, piece, ask_ready);
  FUZZ_REQUIRE(!messages.failed && messages.data.empty() && messages.messages == whole.messages);
  MemorySink sink;
  MuxSink mux(sink, 1 + piece);
  mux.enable();
  FUZZ_REQUIRE(mux.write(as_bytes(whole.data)));
  FUZZ_REQUIRE(mux.flush());
  const Seen again = read_all(sink.bytes(), chunk, piece, ask_ready);
  FUZZ_REQUIRE(!again.failed && again.data == whole.data);
  return 0;
}
