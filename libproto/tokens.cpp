#include "libproto/tokens.h"

#include <algorithm>
#include <array>
#include <span>

#include "libproto/tokens_compressed.h"

namespace ocsync::proto {

namespace {

class PlainTokenWriter final : public TokenWriter {
 public:
  Status begin_file() override { return {}; }
  Status literal(Bytes bytes, Writer& out) override {
    while (bytes.size() >= 2 * kChunk) {
      // Lengths and data of many chunks together, so that nothing has to be copied.
      std::array<Bytes, Writer::kMostPieces> pieces;
      std::array<std::array<std::byte, 4>, Writer::kMostPieces / 2> lengths;
      size_t count = 0;
      for (; count < pieces.size() && !bytes.empty(); count += 2) {
        const Bytes piece = bytes.first(std::min(bytes.size(), kChunk));
        store_le(lengths[count / 2].data(), static_cast<uint32_t>(piece.size()));
        pieces[count] = lengths[count / 2];
        pieces[count + 1] = piece;
        bytes = bytes.subspan(piece.size());
      }
      TRY(out.pieces(std::span(pieces).first(count)));
    }
    while (!bytes.empty()) {
      const Bytes piece = bytes.first(std::min(bytes.size(), kChunk));
      TRY(out.i32(static_cast<int32_t>(piece.size())));
      TRY(out.bytes(piece));
      bytes = bytes.subspan(piece.size());
    }
    return {};
  }
  Status match(int32_t block, Bytes, Writer& out) override { return out.i32(-block - 1); }
  Status end_file(Writer& out) override { return out.i32(0); }
};

class PlainTokenReader final : public TokenReader {
 public:
  Status begin_file() override {
    left_ = 0;
    return {};
  }
  Result<Token> next(Reader& in) override {
    if (left_ == 0) {
      const int32_t number = TRY(in.i32());
      if (number == 0) return EndToken{};
      if (number < 0) return MatchToken{-(number + 1)};
      left_ = static_cast<uint32_t>(number);
    }
    const Bytes piece = TRY(in.some(left_));
    left_ -= static_cast<uint32_t>(piece.size());
    return LiteralToken{piece};
  }
  Status matched(Bytes) override { return {}; }

 private:
  uint32_t left_ = 0;  // of the literal being read; any length is legal, upstream's writer stays within kChunk
};

// Flag bytes.
constexpr uint8_t kEnd = 0x00;
constexpr uint8_t kBlockLong = 0x20;
constexpr uint8_t kRunLong = 0x21;
constexpr uint8_t kData = 0x40;
constexpr uint8_t kBlockNear = 0x80;
constexpr uint8_t kRunNear = 0xc0;
constexpr uint8_t kKindMask = 0xc0;
constexpr uint8_t kValueMask = 0x3f;
constexpr int32_t kMaxNear = 63;
constexpr int32_t kMaxRun = 65536;

std::unexpected<Error> bad_block() { return fail(Fault::kProtocol, "invalid token number in compressed stream"); }

}  // namespace

Status CompressedTokenWriter::begin_file() {
  literals_open_ = blocks_open_ = false;
  position_ = 0;
  fresh();
  return {};
}

Status CompressedTokenWriter::literal(Bytes bytes, Writer& out) {
  if (bytes.empty()) return {};
  TRY(end_blocks(out));
  literals_open_ = true;
  return compress(bytes, out);
}

Status CompressedTokenWriter::match(int32_t block, Bytes content, Writer& out) {
  TRY(close_literals(out));
  if (blocks_open_ && block == run_last_ + 1 && block - run_start_ < kMaxRun) {
    run_last_ = block;
  } else {
    TRY(end_blocks(out));
    blocks_open_ = true;
    run_start_ = run_last_ = block;
  }
  return remember(content);
}

Status CompressedTokenWriter::end_file(Writer& out) {
  TRY(end_blocks(out));
  TRY(close_literals(out));
  return out.u8(kEnd);
}

Status CompressedTokenWriter::close_literals(Writer& out) {
  if (!literals_open_) return {};
  literals_open_ = false;
  return close_run(out);
}

Status CompressedTokenWriter::end_blocks(Writer& out) {
  if (!blocks_open_) return {};
  blocks_open_ = false;
  const int32_t distance = run_start_ - position_;
  const int32_t more = run_last_ - run_start_;
  if (distance >= 0 && distance <= kMaxNear) {
    TRY(out.u8(static_cast<uint8_t>((more == 0 ? kBlockNear : kRunNear) + distance)));
  } else {
    TRY(out.u8(more == 0 ? kBlockLong : kRunLong));
    TRY(out.i32(run_start_));
  }
  if (more != 0) TRY(out.u16(static_cast<uint16_t>(more)));
  position_ = run_last_;
  return {};
}

Status CompressedTokenWriter::write_chunk(Bytes chunk, Writer& out) {
  TRY(out.u8(static_cast<uint8_t>(kData + (chunk.size() >> 8))));
  TRY(out.u8(static_cast<uint8_t>(chunk.size())));
  return out.bytes(chunk);
}

Status CompressedTokenReader::begin_file() {
  left_ = {};
  in_chunk_ = data_open_ = false;
  block_ = 0;
  run_left_ = 0;
  fresh();
  return {};
}

Result<Token> CompressedTokenReader::next(Reader& in) {
  for (;;) {
    if (in_chunk_) {
      bool done = false;
      const Bytes content = TRY(decompress(left_, done));
      in_chunk_ = !done;
      if (!content.empty()) return LiteralToken{content};
      continue;
    }
    if (run_left_ > 0) {
      --run_left_;
      return MatchToken{++block_};
    }
    const uint8_t flag = TRY(in.u8());
    if ((flag & kKindMask) == kData) {
      const size_t bytes = (static_cast<size_t>(flag & kValueMask) << 8) + TRY(in.u8());
      if (bytes == 0) return fail(Fault::kStream, "empty chunk in compressed stream");
      TRY(in.exact(MutableBytes(chunk_).first(bytes)));
      left_ = Bytes(chunk_).first(bytes);
      in_chunk_ = data_open_ = true;
      continue;
    }
    if (data_open_) {
      data_open_ = false;
      TRY(close_run());
    }
    if (flag == kEnd) return EndToken{};
    return block_token(flag, in);
  }
}

Result<Token> CompressedTokenReader::block_token(uint8_t flag, Reader& in) {
  bool is_run = false;
  if ((flag & kBlockNear) != 0) {
    const int32_t distance = flag & kValueMask;
    if (block_ > kMaxBlockNumber - distance) return bad_block();
    block_ += distance;
    is_run = (flag & kKindMask) == kRunNear;
  } else {
    if (flag != kBlockLong && flag != kRunLong) return bad_block();
    block_ = TRY(in.i32());
    if (block_ < 0 || block_ > kMaxBlockNumber) return bad_block();
    is_run = flag == kRunLong;
  }
  if (is_run) {
    run_left_ = TRY(in.u16());
    if (run_left_ == 0 || block_ > kMaxBlockNumber - static_cast<int32_t>(run_left_)) return bad_block();
  }
  return MatchToken{block_};
}

std::unique_ptr<TokenWriter> make_token_writer(const Agreement& agreed) {
  switch (agreed.compression) {
    case Compression::kZlib:
    case Compression::kZlibx: return make_zlib_writer(agreed);
    case Compression::kZstd: return make_zstd_writer(agreed);
    case Compression::kLz4: return make_lz4_writer();
    case Compression::kNone: break;
  }
  return std::make_unique<PlainTokenWriter>();
}

std::unique_ptr<TokenReader> make_token_reader(const Agreement& agreed) {
  switch (agreed.compression) {
    case Compression::kZlib:
    case Compression::kZlibx: return make_zlib_reader(agreed);
    case Compression::kZstd: return make_zstd_reader();
    case Compression::kLz4: return make_lz4_reader();
    case Compression::kNone: break;
  }
  return std::make_unique<PlainTokenReader>();
}

}  // namespace ocsync::proto
