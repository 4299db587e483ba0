// Compressors and decompressors: round trips at every buffer size, history that is not sent, damaged input.
#include "libio/base/codec.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace ocsync;

namespace {

using Block = std::vector<std::byte>;

// Half text that repeats, half noise, the same every time.
Block sample(size_t bytes, uint32_t seed = 1) {
  Block out(bytes);
  uint32_t x = seed * 2654435761U + 12345;
  for (size_t i = 0; i < bytes; ++i) {
    x = x * 1664525 + 1013904223;
    out[i] = (i / 997) % 2 == 0 ? std::byte("some text that repeats; "[i % 24]) : std::byte(x >> 24);
  }
  return out;
}

void append(Block& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// Feeds `in` in pieces, takes the output in pieces, and flushes at the end if asked to.
template <class Compressor>
Block compress(Compressor& compressor, Bytes in, size_t piece, size_t room, Flush last) {
  Block out;
  Block buffer(room);
  do {
    Bytes part = in.first(std::min(piece, in.size()));
    in = in.subspan(part.size());
    const Flush flush = in.empty() ? last : Flush::kNone;
    for (bool done = false; !done;) {
      const Result<Step> step = compressor.step(part, buffer, flush);
      if (!step) FAIL(step.error().text);  // REQUIRE would count each of very many steps
      append(out, Bytes(buffer).first(step->produced));
      part = part.subspan(step->consumed);
      done = step->done;
    }
    if (!part.empty()) FAIL("done with input left");
  } while (!in.empty());
  return out;
}

template <class Decompressor>
Block decompress(Decompressor& decompressor, Bytes in, size_t piece, size_t room) {
  Block out;
  Block buffer(room);
  while (!in.empty()) {
    Bytes part = in.first(std::min(piece, in.size()));
    in = in.subspan(part.size());
    for (bool done = false; !done;) {
      const Result<Step> step = decompressor.step(part, buffer);
      if (!step) FAIL(step.error().text);  // REQUIRE would count each of very many steps
      append(out, Bytes(buffer).first(step->produced));
      part = part.subspan(step->consumed);
      done = step->done;
    }
    if (!part.empty()) FAIL("done with input left");
  }
  return out;
}

const Bytes kSyncEnd = as_bytes(std::string_view("\x00\x00\xff\xff", 4));

// What a far side does that has only the plain library: a stored block in front of the decompressor.
Block stored_block(Bytes content) {
  Block out(5);
  store_le(out.data() + 1, static_cast<uint16_t>(content.size()));
  store_le(out.data() + 3, static_cast<uint16_t>(~content.size()));
  append(out, content);
  return out;
}

}  // namespace

TEST_CASE("codec: deflate and inflate agree at every buffer size, and a sync flush ends in its mark") {
  const Block content = sample(40000);
  for (const int level : {-1, 0, 1, 6, 9}) {
    for (const size_t size : {7UL, 100UL, 16383UL, 100000UL}) {
      CAPTURE(level, size);
      Deflater deflater(level);
      const Block packed = compress(deflater, content, size, size, Flush::kSync);
      CHECK(std::equal(kSyncEnd.begin(), kSyncEnd.end(), packed.end() - 4));
      if (level != 0) CHECK(packed.size() < content.size());
      Inflater inflater;
      CHECK(decompress(inflater, packed, 1, size) == content);
      inflater.reset();
      CHECK(decompress(inflater, packed, size, 1) == content);
    }
  }
}

TEST_CASE("codec: a reset deflater writes the stream of a new one, at its new level") {
  const Block content = sample(20000);
  Deflater deflater(6);
  compress(deflater, sample(5000, 2), 1000, 1000, Flush::kNone);
  for (const int level : {1, 0, 9, 6}) {
    deflater.reset(level);
    Deflater fresh(level);
    CHECK(compress(deflater, content, 3000, 3000, Flush::kSync) == compress(fresh, content, 3000, 3000, Flush::kSync));
  }
  deflater.reset();
  Deflater fresh(6);
  CHECK(compress(deflater, content, 3000, 3000, Flush::kSync) == compress(fresh, content, 3000, 3000, Flush::kSync));
}

TEST_CASE("codec: without a flush, data may stay inside and comes with the next one") {
  Deflater deflater(6);
  const Block early = compress(deflater, sample(100), 100, 1000, Flush::kNone);
  CHECK(early.size() < 10);
  Block all = early;
  append(all, compress(deflater, {}, 1, 1000, Flush::kSync));
  Inflater inflater;
  CHECK(decompress(inflater, all, 1000, 1000) == sample(100));
  // A second flush with nothing new says nothing.
  CHECK(compress(deflater, {}, 1, 1000, Flush::kSync).empty());
}

TEST_CASE("codec: the sync point is right before the four bytes that a protocol may leave out") {
  Deflater deflater(6);
  Block packed = compress(deflater, sample(3000), 3000, 5000, Flush::kSync);
  packed.resize(packed.size() - 4);
  Inflater inflater;
  CHECK(decompress(inflater, Bytes(packed).first(packed.size() / 2), 10, 1000).size() < 3000);
  CHECK_FALSE(inflater.at_sync_point());
  decompress(inflater, Bytes(packed).subspan(packed.size() / 2), 10, 1000);
  CHECK(inflater.at_sync_point());
  CHECK(decompress(inflater, kSyncEnd, 4, 100).empty());
  Deflater again(6);
  CHECK(decompress(inflater, compress(again, sample(50), 50, 500, Flush::kSync), 100, 100) == sample(50));
}

TEST_CASE("codec: history given to both ends compresses and is understood, also by a stored block") {
  for (const size_t known_bytes : {1UL, 2UL, 3UL, 700UL, 32767UL, 32768UL, 32769UL, 65535UL, 200000UL}) {
    for (const int level : {0, 1, 6, 9}) {
      for (const bool at_start : {true, false}) {
        CAPTURE(known_bytes, level, at_start);
        const Block known = sample(known_bytes, 7);
        const Block first = sample(5000, 3);
        Deflater deflater(level);
        Inflater ours, theirs;
        if (!at_start) {
          const Block packed = compress(deflater, first, 5000, 9000, Flush::kSync);
          CHECK(decompress(ours, packed, 9000, 9000) == first);
          CHECK(decompress(theirs, packed, 9000, 9000) == first);
        }
        REQUIRE(deflater.insert_history(known).has_value());
        REQUIRE(ours.insert_history(known).has_value());
        for (size_t at = 0; at < known.size(); at += 65535) {
          const Bytes piece = Bytes(known).subspan(at, std::min<size_t>(65535, known.size() - at));
          decompress(theirs, stored_block(piece), 70000, 70000);
        }
        // What repeats the known bytes, and the bytes before them.
        Block content(known.end() - static_cast<ptrdiff_t>(std::min<size_t>(known.size(), 30000)), known.end());
        append(content, first);
        const Block packed = compress(deflater, content, 9000, 9000, Flush::kSync);
        if (level > 0 && known_bytes >= 32767) CHECK(packed.size() < 6000);
        CHECK(decompress(ours, packed, 9000, 9000) == content);
        CHECK(decompress(theirs, packed, 9000, 9000) == content);
      }
    }
  }
}

TEST_CASE("codec: history in many small pieces, between flushes") {
  Deflater deflater(6);
  Inflater inflater;
  for (uint32_t round = 0; round < 200; ++round) {
    const Block known = sample(100 + round * 13, round);
    REQUIRE(deflater.insert_history(known).has_value());
    REQUIRE(inflater.insert_history(known).has_value());
    if (round % 3 == 0) {
      Block content = sample(500, round + 1);
      append(content, known);
      REQUIRE(decompress(inflater, compress(deflater, content, 4000, 4000, Flush::kSync), 4000, 4000) == content);
    }
  }
}

TEST_CASE("codec: inflate refuses garbage and an end mark") {
  Inflater inflater;
  Block buffer(1000);
  const Result<Step> garbage = inflater.step(as_bytes("\xff\xff\xff\xff"), buffer);
  REQUIRE_FALSE(garbage.has_value());
  CHECK(garbage.error().fault == Fault::kStream);
  inflater.reset();
  // A final stored block of length 0.
  CHECK_FALSE(inflater.step(as_bytes(std::string_view("\x01\x00\x00\xff\xff", 5)), buffer).has_value());
}

TEST_CASE("codec: zstd agrees with itself at every buffer size, over flushes, in one endless stream") {
  const Block content = sample(40000);
  for (const int level : {-5, 1, 3, 19}) {
    for (const size_t size : {1UL, 100UL, 16383UL, 100000UL}) {
      CAPTURE(level, size);
      ZstdCompressor compressor(level);
      ZstdDecompressor decompressor;
      for (int round = 0; round < 3; ++round) {
        const Block packed = compress(compressor, content, 16384, size, Flush::kSync);
        // The frame header comes once.
        CHECK(std::equal(packed.begin(), packed.begin() + 4, as_bytes("\x28\xb5\x2f\xfd").begin()) == (round == 0));
        CHECK(decompress(decompressor, packed, size, 1000) == content);
      }
    }
  }
}

TEST_CASE("codec: zstd with workers writes what one without reads") {
  ZstdCompressor compressor(3, 2);
  ZstdDecompressor decompressor;
  const Block content = sample(300000);
  CHECK(decompress(decompressor, compress(compressor, content, 50000, 16383, Flush::kSync), 16383, 65536) == content);
}

TEST_CASE("codec: zstd refuses garbage") {
  ZstdDecompressor decompressor;
  Block buffer(1000);
  const Result<Step> step = decompressor.step(as_bytes("this is no zstd frame"), buffer);
  REQUIRE_FALSE(step.has_value());
  CHECK(step.error().fault == Fault::kStream);
}

TEST_CASE("codec: zstd levels") {
  CHECK(zstd_levels().low == -131072);
  CHECK(zstd_levels().high == 22);
  CHECK(zstd_levels().standard == 3);
}

TEST_CASE("codec: lz4 blocks") {
  const Block content = sample(16383);
  Block packed(lz4_bound(content.size()));
  const std::optional<size_t> size = lz4_compress(content, packed);
  REQUIRE(size.has_value());
  packed.resize(*size);
  Block out(content.size());
  CHECK(lz4_decompress(packed, out).value() == content.size());
  CHECK(out == content);

  Block small(*size - 1);
  CHECK_FALSE(lz4_compress(content, small).has_value());
  Block short_out(content.size() - 1);
  REQUIRE_FALSE(lz4_decompress(packed, short_out).has_value());
  CHECK(lz4_decompress(packed, short_out).error().fault == Fault::kStream);
  CHECK_FALSE(lz4_decompress(Bytes(packed).first(packed.size() - 1), out).has_value());
  CHECK_FALSE(lz4_decompress({}, out).has_value());
}
