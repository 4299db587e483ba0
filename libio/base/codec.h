// zlib (raw deflate), zstd and lz4 as resumable compressors and decompressors that work in the caller's buffers.
//
// The streams here never end: a sender flushes, a receiver takes what there is. Each object has one owner thread and is
// movable. What comes from outside and does not decompress is Fault::kStream; wrong use is an assert.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "libio/base/bytes.h"
#include "libio/base/result.h"

struct z_stream_s;
struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace ocsync {

enum class Flush : uint8_t {
  kNone,  // keep what helps compression inside
  kSync,  // everything fed so far comes out, ending at a byte border
};

// What one step() did. `done` means there is nothing left to call for: the input is used up, and the output held
// everything there was to write (for kSync: the flush is complete). If not done, call again with the rest of the input,
// the same flush, and fresh output space.
struct Step {
  size_t consumed = 0;
  size_t produced = 0;
  bool done = false;
};

// Raw deflate: no header, 32 KiB window, memory level 8, default strategy. A sync flush ends in 00 00 FF FF.
class Deflater {
 public:
  explicit Deflater(int level);  // -1 (the library's choice) or 0 to 9
  Deflater(Deflater&&) noexcept;
  Deflater& operator=(Deflater&&) noexcept;
  ~Deflater();
  // Starts a new stream with no history, keeping the memory. The second form also changes the level.
  void reset();
  void reset(int level);
  // `out` needs more than 6 bytes for a kSync to make progress.
  Result<Step> step(Bytes in, MutableBytes out, Flush flush);
  // Makes `bytes` (of any length) part of the history without sending them: the other end must insert_history() the
  // same bytes at the same place. Only before the first byte or right after a completed kSync.
  Status insert_history(Bytes bytes);

 private:
  struct End {
    void operator()(z_stream_s* stream) const;
  };
  std::unique_ptr<z_stream_s, End> stream_;
  int level_;
  bool fed_ = false;  // input since the last completed flush
};

// Raw inflate. An end marker inside the data is an error: these streams never end.
class Inflater {
 public:
  Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;
  ~Inflater();
  void reset();
  // Call until done, also with empty input: output may still be waiting inside.
  Result<Step> step(Bytes in, MutableBytes out);
  // True right before the bytes 00 00 FF FF of a sync flush (which a protocol may leave out and then has to feed).
  bool at_sync_point() const;
  // Makes `bytes` part of the history without producing them. Only at a block border (after the 00 00 FF FF).
  Status insert_history(Bytes bytes);

 private:
  struct End {
    void operator()(z_stream_s* stream) const;
  };
  std::unique_ptr<z_stream_s, End> stream_;
};

class ZstdCompressor {
 public:
  // `workers` threads compress in the background (0: none; ignored by a library built without threads).
  explicit ZstdCompressor(int level, int workers = 0);
  ZstdCompressor(ZstdCompressor&&) noexcept;
  ZstdCompressor& operator=(ZstdCompressor&&) noexcept;
  ~ZstdCompressor();
  Result<Step> step(Bytes in, MutableBytes out, Flush flush);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
};

class ZstdDecompressor {
 public:
  ZstdDecompressor();
  ZstdDecompressor(ZstdDecompressor&&) noexcept;
  ZstdDecompressor& operator=(ZstdDecompressor&&) noexcept;
  ~ZstdDecompressor();
  // Call until done, also with empty input: output may still be waiting inside.
  Result<Step> step(Bytes in, MutableBytes out);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

struct LevelRange {
  int low, high, standard;
};
LevelRange zstd_levels();

// One independent lz4 block. Nothing if it does not fit into `out`.
std::optional<size_t> lz4_compress(Bytes in, MutableBytes out);
// The length of the content; a damaged block, or one with more content than `out` holds, is Fault::kStream.
Result<size_t> lz4_decompress(Bytes in, MutableBytes out);
// An output of this size always suffices for that much input (at most 2 GiB).
size_t lz4_bound(size_t input);

// The versions of the libraries in use, for reports: "1.2.13" and so on.
struct CodecVersions {
  const char *zlib, *zstd, *lz4;
};
CodecVersions codec_versions();

}  // namespace ocsync
