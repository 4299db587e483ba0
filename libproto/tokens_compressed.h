// What the compressed token encodings share: flag bytes, runs of blocks, chunks of compressed data. Private to the
// token rooms. See docs/tokens.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "libproto/tokens.h"

namespace ocsync::proto {

inline constexpr size_t kMaxCompressedChunk = 16383;  // a length of 14 bits
inline constexpr int32_t kMaxBlockNumber = 0x7ffffffe;

class CompressedTokenWriter : public TokenWriter {
 public:
  Status begin_file() final;
  Status literal(Bytes bytes, Writer& out) final;
  Status match(int32_t block, Bytes content, Writer& out) final;
  Status end_file(Writer& out) final;

 protected:
  // A file begins.
  virtual void fresh() {}
  // Takes literal data; may keep some of it inside.
  virtual Status compress(Bytes bytes, Writer& out) = 0;
  // A literal run that had bytes is over: everything inside goes out.
  virtual Status close_run(Writer& out) = 0;
  // The far side will know these bytes too from here on.
  virtual Status remember(Bytes) { return {}; }

  // One chunk of 1 to kMaxCompressedChunk compressed bytes.
  static Status write_chunk(Bytes chunk, Writer& out);

 private:
  Status end_blocks(Writer& out);
  Status close_literals(Writer& out);

  bool literals_open_ = false;
  bool blocks_open_ = false;
  int32_t run_start_ = 0, run_last_ = 0;
  int32_t position_ = 0;  // the last block of the run before
};

class CompressedTokenReader : public TokenReader {
 public:
  Status begin_file() final;
  Result<Token> next(Reader& in) final;

 protected:
  virtual void fresh() {}
  // What can be had from `input` (a chunk, or what an earlier call left of it) right now; `input` shrinks by what was
  // taken. Done with the chunk when `done` is set.
  virtual Result<Bytes> decompress(Bytes& input, bool& done) = 0;
  // Compressed data is over for now.
  virtual Status close_run() { return {}; }

 private:
  Result<Token> block_token(uint8_t flag, Reader& in);

  std::array<std::byte, kMaxCompressedChunk> chunk_;
  Bytes left_;  // of the chunk
  bool in_chunk_ = false;
  bool data_open_ = false;
  int32_t block_ = 0;
  uint32_t run_left_ = 0;
};

std::unique_ptr<TokenWriter> make_zlib_writer(const Agreement& agreed);
std::unique_ptr<TokenReader> make_zlib_reader(const Agreement& agreed);
std::unique_ptr<TokenWriter> make_zstd_writer(const Agreement& agreed);
std::unique_ptr<TokenReader> make_zstd_reader();
std::unique_ptr<TokenWriter> make_lz4_writer();
std::unique_ptr<TokenReader> make_lz4_reader();

}  // namespace ocsync::proto
