// Tokens compressed by zstd: one stream for the whole session and direction, flushed after each literal run, never
// ended. See docs/tokens.md.
#include <algorithm>

#include "libio/base/codec.h"
#include "libproto/tokens_compressed.h"

namespace ocsync::proto {

namespace {

int zstd_level(const Agreement& agreed) {
  const LevelRange range = zstd_levels();
  if (!agreed.compression_level_given || agreed.compression_level == 0) return range.standard;
  return std::clamp(agreed.compression_level, range.low, range.high);
}

class ZstdTokenWriter final : public CompressedTokenWriter {
 public:
  explicit ZstdTokenWriter(const Agreement& agreed)
      : compressor_(zstd_level(agreed), std::max(agreed.compression_threads, 0)) {}

 protected:
  Status compress(Bytes bytes, Writer& out) override { return feed(bytes, Flush::kNone, out); }
  Status close_run(Writer& out) override {
    TRY(feed({}, Flush::kSync, out));
    if (held_ == 0) return {};
    const Bytes chunk = Bytes(buffer_).first(held_);
    held_ = 0;
    return write_chunk(chunk, out);
  }

 private:
  Status feed(Bytes bytes, Flush flush, Writer& out) {
    for (;;) {
      const Step step = TRY(compressor_.step(bytes, MutableBytes(buffer_).subspan(held_), flush));
      bytes = bytes.subspan(step.consumed);
      held_ += step.produced;
      if (held_ == buffer_.size()) {
        TRY(write_chunk(buffer_, out));
        held_ = 0;
      }
      if (step.done) return {};
    }
  }

  ZstdCompressor compressor_;
  std::array<std::byte, kMaxCompressedChunk> buffer_;
  size_t held_ = 0;
};

class ZstdTokenReader final : public CompressedTokenReader {
 public:
  ZstdTokenReader() : buffer_(std::make_unique_for_overwrite<std::byte[]>(kBufferBytes)) {}
  Status matched(Bytes) override { return {}; }

 protected:
  Result<Bytes> decompress(Bytes& input, bool& done) override {
    const Step step = TRY(decompressor_.step(input, {buffer_.get(), kBufferBytes}));
    input = input.subspan(step.consumed);
    done = step.done;
    if (!done && step.consumed == 0 && step.produced == 0) return fail(Fault::kStream, "zstd makes no progress");
    return Bytes(buffer_.get(), step.produced);
  }

 private:
  static constexpr size_t kBufferBytes = 256 * 1024;  // two of zstd's own blocks

  ZstdDecompressor decompressor_;
  std::unique_ptr<std::byte[]> buffer_;
};

}  // namespace

std::unique_ptr<TokenWriter> make_zstd_writer(const Agreement& agreed) {
  return std::make_unique<ZstdTokenWriter>(agreed);
}
std::unique_ptr<TokenReader> make_zstd_reader() { return std::make_unique<ZstdTokenReader>(); }

}  // namespace ocsync::proto
