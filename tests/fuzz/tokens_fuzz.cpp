// Tokens of every method: hostile bytes are refused or read within bounds; whatever is written is read back.
#include "libproto/tokens.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

constexpr size_t kBlockBytes = 700;

std::string basis() {
  std::string text;
  for (int i = 0; text.size() < 64 * kBlockBytes; ++i) text += "line " + std::to_string(i * 7919) + "\n";
  return text;
}

Bytes block_of(const std::string& old, int32_t number) {
  return as_bytes(old).subspan(static_cast<size_t>(number) % 64 * kBlockBytes, kBlockBytes);
}

void read_hostile(ocsync::test::FuzzInput& input, const Agreement& agreed, const std::string& old) {
  const size_t chunk = input.chunk();
  MemorySource source(input.rest(), chunk);
  Reader in(source);
  const std::unique_ptr<TokenReader> reader = make_token_reader(agreed);
  uint64_t literals = 0;
  for (int files = 0, tokens = 0; files < 10 && tokens < 20000; ++files) {
    FUZZ_REQUIRE(reader->begin_file());
    for (;; ++tokens) {
      const Result<Token> token = reader->next(in);
      if (!token) {
        FUZZ_REQUIRE(token.error().fault == Fault::kProtocol || token.error().fault == Fault::kStream);
        return;
      }
      if (std::holds_alternative<EndToken>(*token)) break;
      if (const auto* literal = std::get_if<LiteralToken>(&*token)) {
        FUZZ_REQUIRE(!literal->bytes.empty() && literal->bytes.size() <= 256 * 1024);
        literals += literal->bytes.size();
        if (literals > 64u << 20) return;
      } else {
        const int32_t block = std::get<MatchToken>(*token).block;
        FUZZ_REQUIRE(block >= 0);
        if (!reader->matched(block_of(old, block))) return;
      }
      if (tokens > 20000) return;
    }
  }
}

void write_and_read(ocsync::test::FuzzInput& input, const Agreement& agreed, const std::string& old) {
  std::vector<std::string> files(1 + input.pick(3));
  MemorySink sink;
  Writer out(sink);
  const std::unique_ptr<TokenWriter> writer = make_token_writer(agreed);
  for (std::string& content : files) {
    FUZZ_REQUIRE(writer->begin_file());
    for (uint32_t parts = input.pick(40); parts > 0; --parts) {
      if (input.flag()) {
        const int32_t block = static_cast<int32_t>(input.pick(64));
        content += as_text(block_of(old, block));
        FUZZ_REQUIRE(writer->match(block, block_of(old, block), out));
        continue;
      }
      std::string literal;
      const uint32_t repeats = 1 + input.pick(200);
      for (uint32_t i = 0; i < repeats; ++i) {
        literal += as_text(input.rest().first(std::min<size_t>(input.rest().size(), input.pick(256))));
      }
      content += literal;
      FUZZ_REQUIRE(writer->literal(as_bytes(literal), out));
    }
    FUZZ_REQUIRE(writer->end_file(out));
  }
  FUZZ_REQUIRE(out.flush());
  MemorySource source(sink.bytes(), 1 + input.pick(256));
  Reader in(source);
  const std::unique_ptr<TokenReader> reader = make_token_reader(agreed);
  for (const std::string& content : files) {
    FUZZ_REQUIRE(reader->begin_file());
    std::string rebuilt;
    for (;;) {
      const Result<Token> token = reader->next(in);
      FUZZ_REQUIRE(token);
      if (std::holds_alternative<EndToken>(*token)) break;
      if (const auto* literal = std::get_if<LiteralToken>(&*token)) {
        rebuilt += as_text(literal->bytes);
      } else {
        const Bytes block = block_of(old, std::get<MatchToken>(*token).block);
        rebuilt += as_text(block);
        FUZZ_REQUIRE(reader->matched(block));
      }
    }
    FUZZ_REQUIRE(rebuilt == content);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string old = basis();
  ocsync::test::FuzzInput input(data, size);
  Agreement agreed = input.agreement();
  agreed.compression = static_cast<Compression>(input.pick(5));
  agreed.compression_level_given = true;
  agreed.compression_level = static_cast<int>(input.pick(4));
  if (input.flag())
    write_and_read(input, agreed, old);
  else
    read_hostile(input, agreed, old);
  return 0;
}
