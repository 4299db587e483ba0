#include "libproto/tokens.h"

#include <catch2/catch.hpp>
#include <random>

using namespace ocsync;
using namespace ocsync::proto;

namespace {

Agreement agreement(Compression method, int version = 32) {
  Agreement a = Agreement::from(version, 0);
  a.compression = method;
  return a;
}

// A step of a file's content: literal bytes, or a block.
struct Part {
  std::vector<std::byte> literal;
  int32_t block = -1;
};

constexpr Compression kAll[] = {Compression::kNone, Compression::kZlib, Compression::kZlibx, Compression::kZstd,
                                Compression::kLz4};

std::vector<std::byte> some_bytes(std::mt19937& random, size_t count, int kind) {
  std::vector<std::byte> bytes(count);
  unsigned value = 0;
  for (std::byte& b : bytes) {
    if (kind == 0) value = random();                             // does not compress
    if (kind == 1 && random() % 20 == 0) value = random() % 50;  // compresses
    b = static_cast<std::byte>(value);                           // kind 2: zeros
  }
  return bytes;
}

struct Basis {
  size_t block_bytes;
  std::vector<std::byte> content;
  Bytes block(int32_t number) const {
    return Bytes(content).subspan(static_cast<size_t>(number) * block_bytes, block_bytes);
  }
};

std::vector<std::byte> write_files(const Agreement& agreed, const std::vector<std::vector<Part>>& files,
                                   const Basis& basis, std::mt19937& random) {
  MemorySink sink;
  Writer out(sink);
  const std::unique_ptr<TokenWriter> writer = make_token_writer(agreed);
  for (const std::vector<Part>& parts : files) {
    REQUIRE(writer->begin_file());
    for (const Part& part : parts) {
      if (part.block >= 0) {
        REQUIRE(writer->match(part.block, basis.block(part.block), out));
        continue;
      }
      Bytes rest = part.literal;
      while (!rest.empty()) {  // torn anywhere
        const size_t now = std::min<size_t>(rest.size(), 1 + random() % 70000);
        REQUIRE(writer->literal(rest.first(now), out));
        rest = rest.subspan(now);
      }
    }
    REQUIRE(writer->end_file(out));
  }
  REQUIRE(out.flush());
  return {sink.bytes().begin(), sink.bytes().end()};
}

std::vector<std::byte> rebuild(TokenReader& reader, Reader& in, const Basis& basis) {
  std::vector<std::byte> content;
  REQUIRE(reader.begin_file());
  for (;;) {
    const Result<Token> token = reader.next(in);
    if (!token) FAIL(token.error().text);
    if (std::holds_alternative<EndToken>(*token)) return content;
    if (const auto* literal = std::get_if<LiteralToken>(&*token)) {
      REQUIRE_FALSE(literal->bytes.empty());
      content.insert(content.end(), literal->bytes.begin(), literal->bytes.end());
    } else {
      const Bytes block = basis.block(std::get<MatchToken>(*token).block);
      content.insert(content.end(), block.begin(), block.end());
      REQUIRE(reader.matched(block));
    }
  }
}

std::vector<std::byte> content_of(const std::vector<Part>& parts, const Basis& basis) {
  std::vector<std::byte> content;
  for (const Part& part : parts) {
    const Bytes bytes = part.block >= 0 ? basis.block(part.block) : Bytes(part.literal);
    content.insert(content.end(), bytes.begin(), bytes.end());
  }
  return content;
}

Result<Token> first_token(Compression method, std::string_view bytes) {
  MemorySource source(as_bytes(bytes));
  Reader in(source);
  const std::unique_ptr<TokenReader> reader = make_token_reader(agreement(method));
  REQUIRE(reader->begin_file());
  return reader->next(in);
}

std::string wire(Compression method, const std::vector<int32_t>& blocks) {
  MemorySink sink;
  Writer out(sink);
  const std::unique_ptr<TokenWriter> writer = make_token_writer(agreement(method));
  REQUIRE(writer->begin_file());
  for (const int32_t block : blocks) REQUIRE(writer->match(block, {}, out));
  REQUIRE(writer->end_file(out));
  REQUIRE(out.flush());
  return to_hex(sink.bytes());
}

}  // namespace

TEST_CASE("tokens: files written by each method are read back, whatever the versions repeat") {
  for (const int version : {27, 30, 31, 32}) {
    for (const Compression method : kAll) {
      for (const size_t block_bytes : {size_t{700}, size_t{131072}}) {
        INFO("version " << version << " method " << static_cast<int>(method) << " block " << block_bytes);
        std::mt19937 random(static_cast<unsigned>(version) * 10 + static_cast<unsigned>(method));
        Basis basis{block_bytes, some_bytes(random, 12 * block_bytes, 1)};
        std::vector<std::vector<Part>> files(4);
        for (std::vector<Part>& parts : files) {
          int32_t block = 0;
          for (unsigned i = random() % 12; i > 0; --i) {
            if (random() % 3 == 0) {
              Part part;
              part.literal = some_bytes(random, 1 + random() % (random() % 4 == 0 ? 200000 : 3000),
                                        static_cast<int>(random() % 3));
              parts.push_back(std::move(part));
            } else {
              block = random() % 2 == 0 ? static_cast<int32_t>(random() % 12) : (block + 1) % 12;
              Part part;
              part.block = block;
              parts.push_back(std::move(part));
            }
          }
        }
        const std::vector<std::byte> bytes = write_files(agreement(method, version), files, basis, random);
        MemorySource source(bytes, 1 + random() % 5000);
        Reader in(source);
        const std::unique_ptr<TokenReader> reader = make_token_reader(agreement(method, version));
        for (const std::vector<Part>& parts : files) {
          const bool same = rebuild(*reader, in, basis) == content_of(parts, basis);
          REQUIRE(same);
        }
        CHECK(in.at_end().value());
      }
    }
  }
}

TEST_CASE("tokens: plain form") {
  CHECK(wire(Compression::kNone, {0, 1, 6}) ==
        "ffffffff"
        "feffffff"
        "f9ffffff"
        "00000000");
  const Result<Token> highest = first_token(Compression::kNone, std::string_view("\x00\x00\x00\x80", 4));
  REQUIRE(highest);
  CHECK(std::get<MatchToken>(*highest).block == 2147483647);
}

TEST_CASE("tokens: a plain literal of any length is read in pieces") {
  std::string bytes("\x00\x00\x01\x00", 4);
  bytes += std::string(65536, 'x');
  bytes += std::string(4, '\0');
  MemorySource source(as_bytes(bytes));
  Reader in(source);
  const std::unique_ptr<TokenReader> reader = make_token_reader(agreement(Compression::kNone));
  CHECK(rebuild(*reader, in, {}) == std::vector<std::byte>(65536, std::byte{'x'}));
}

TEST_CASE("tokens: runs of blocks are gathered, near ones relative") {
  const Compression method = Compression::kZlibx;
  CHECK(wire(method, {}) == "00");
  CHECK(wire(method, {0}) ==
        "80"
        "00");
  CHECK(wire(method, {0, 1, 2}) ==
        "c00200"
        "00");
  CHECK(wire(method, {63}) ==
        "bf"
        "00");
  CHECK(wire(method, {64}) ==
        "2040000000"
        "00");
  CHECK(wire(method, {5, 5}) ==
        "85"
        "80"
        "00");
  CHECK(wire(method, {5, 6, 2, 3}) ==
        "c50100"
        "21020000000100"
        "00");
  std::vector<int32_t> many(65537);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int32_t>(i);
  CHECK(wire(method, many) ==
        "c0ffff"
        "81"
        "00");
}

TEST_CASE("tokens: numbers that cannot be blocks are refused") {
  const Compression method = Compression::kZlib;
  CHECK(first_token(method, std::string_view("\x20\xfe\xff\xff\x7f", 5)));
  const auto refused = [&](std::string_view bytes) {
    const Result<Token> token = first_token(method, bytes);
    return !token && token.error().fault == Fault::kProtocol;
  };
  CHECK(refused(std::string_view("\x20\xff\xff\xff\x7f", 5)));
  CHECK(refused(std::string_view("\x20\xff\xff\xff\xff", 5)));
  CHECK(refused(std::string_view("\xc0\x00\x00", 3)));
  CHECK(refused(std::string_view("\x21\xfe\xff\xff\x7f\x01\x00", 7)));
  CHECK(refused("\x01"));
  CHECK(refused("\x3f"));
}

TEST_CASE("tokens: damaged compressed data is an error of the stream") {
  for (const Compression method : {Compression::kZlib, Compression::kZlibx, Compression::kZstd, Compression::kLz4}) {
    INFO(static_cast<int>(method));
    const Result<Token> token = first_token(method, std::string_view("\x40\x04\xff\xff\xff\xff", 6));
    REQUIRE_FALSE(token);
    CHECK(token.error().fault == Fault::kStream);
  }
  // Deflated data that stops between two byte borders.
  MemorySink sink;
  Writer out(sink);
  const std::unique_ptr<TokenWriter> writer = make_token_writer(agreement(Compression::kZlibx));
  REQUIRE(writer->begin_file());
  REQUIRE(writer->literal(as_bytes("some text that is some text"), out));
  REQUIRE(writer->end_file(out));
  REQUIRE(out.flush());
  std::string bytes(as_text(sink.bytes()));
  bytes[1] = static_cast<char>(bytes[1] - 1);
  bytes.erase(bytes.size() - 2, 1);
  MemorySource source(as_bytes(bytes));
  Reader in(source);
  const std::unique_ptr<TokenReader> reader = make_token_reader(agreement(Compression::kZlibx));
  REQUIRE(reader->begin_file());
  Result<Token> token = reader->next(in);
  while (token && !std::holds_alternative<EndToken>(*token)) token = reader->next(in);
  REQUIRE_FALSE(token);
  CHECK(token.error().text == "decompressor lost sync!");
}

TEST_CASE("tokens: lz4 cuts what does not shrink in halves") {
  std::mt19937 random(3);
  const std::vector<std::byte> noise = some_bytes(random, 16383, 0);
  MemorySink sink;
  Writer out(sink);
  const std::unique_ptr<TokenWriter> writer = make_token_writer(agreement(Compression::kLz4));
  REQUIRE(writer->begin_file());
  REQUIRE(writer->literal(noise, out));
  REQUIRE(writer->end_file(out));
  REQUIRE(out.flush());
  // 8191 bytes of noise become 8191 + 8191/255 + few.
  CHECK(sink.bytes().size() > 16383);
  CHECK(sink.bytes().size() < 16383 + 100);
  MemorySource source(sink.bytes());
  Reader in(source);
  const std::unique_ptr<TokenReader> reader = make_token_reader(agreement(Compression::kLz4));
  REQUIRE(reader->begin_file());
  const Result<Token> token = reader->next(in);
  REQUIRE(token);
  CHECK(std::get<LiteralToken>(*token).bytes.size() == 8191);
}
