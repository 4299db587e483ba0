// Tokens compressed by zlib: a raw deflate stream per file. With kZlib matched blocks enter the history of both ends,
// with kZlibx they don't. See docs/tokens.md.
#include <algorithm>

#include "libio/base/codec.h"
#include "libproto/tokens_compressed.h"

namespace ocsync::proto {

namespace {

// A sync flush ends with these; they are left out on the wire.
constexpr std::array<std::byte, 4> kSyncTail{std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};
constexpr size_t kMaxStored = 65535;
constexpr int kStandardLevel = 6;

int zlib_level(const Agreement& agreed) {
  if (!agreed.compression_level_given || agreed.compression_level < 0) return kStandardLevel;
  return std::min(agreed.compression_level, 9);
}

// Puts a block into the history of either codec. Versions below 31 repeat the head of a block longer than a stored
// deflate block can be, where its rest should stand; both ends must agree on that.
template <class Codec>
Status insert_block(Codec& codec, Bytes block, bool head_again) {
  if (!head_again) return codec.insert_history(block);
  for (size_t left = block.size(); left > 0;) {
    const size_t now = std::min(left, kMaxStored);
    TRY(codec.insert_history(block.first(now)));
    left -= now;
  }
  return {};
}

class ZlibTokenWriter final : public CompressedTokenWriter {
 public:
  explicit ZlibTokenWriter(const Agreement& agreed)
      : deflater_(zlib_level(agreed)),
        with_blocks_(agreed.compression == Compression::kZlib),
        head_again_(agreed.insert_bug) {}
  bool needs_content() const override { return with_blocks_; }

 protected:
  void fresh() override {
    if (used_) deflater_.reset();
    used_ = false;
    held_ = 0;
  }
  Status compress(Bytes bytes, Writer& out) override { return feed(bytes, Flush::kNone, out); }
  Status close_run(Writer& out) override {
    TRY(feed({}, Flush::kSync, out));
    // The flush is complete, so what is held ends with kSyncTail.
    const size_t chunk = held_ - kSyncTail.size();
    held_ = 0;
    if (chunk == 0) return {};
    return write_chunk(Bytes(buffer_).first(chunk), out);
  }
  Status remember(Bytes block) override {
    if (!with_blocks_) return {};
    used_ = true;
    return insert_block(deflater_, block, head_again_);
  }

 private:
  // A full chunk is only sent while kSyncTail.size() more bytes are held back: they might be the tail of the flush.
  Status feed(Bytes bytes, Flush flush, Writer& out) {
    used_ = true;
    for (;;) {
      const Step step = TRY(deflater_.step(bytes, MutableBytes(buffer_).subspan(held_), flush));
      bytes = bytes.subspan(step.consumed);
      held_ += step.produced;
      if (held_ >= kMaxCompressedChunk + kSyncTail.size()) {
        TRY(write_chunk(Bytes(buffer_).first(kMaxCompressedChunk), out));
        held_ -= kMaxCompressedChunk;
        std::memmove(buffer_.data(), buffer_.data() + kMaxCompressedChunk, held_);
      }
      if (step.done) return {};
    }
  }

  Deflater deflater_;
  // Twice the need, so that every step finds ample space: a flush that fills its output exactly is repeated.
  std::array<std::byte, 2 * kMaxCompressedChunk> buffer_;
  size_t held_ = 0;
  bool with_blocks_, head_again_;
  bool used_ = false;
};

class ZlibTokenReader final : public CompressedTokenReader {
 public:
  explicit ZlibTokenReader(const Agreement& agreed)
      : with_blocks_(agreed.compression == Compression::kZlib),
        head_again_(agreed.insert_bug),
        buffer_(std::make_unique_for_overwrite<std::byte[]>(kBufferBytes)) {}
  bool needs_content() const override { return with_blocks_; }
  Status matched(Bytes content) override {
    if (!with_blocks_) return {};
    used_ = true;
    return insert_block(inflater_, content, head_again_);
  }

 protected:
  void fresh() override {
    if (used_) inflater_.reset();
    used_ = false;
  }
  Result<Bytes> decompress(Bytes& input, bool& done) override {
    used_ = true;
    const Step step = TRY(inflater_.step(input, {buffer_.get(), kBufferBytes}));
    input = input.subspan(step.consumed);
    done = step.done;
    if (!done && step.consumed == 0 && step.produced == 0) return fail(Fault::kStream, "inflate makes no progress");
    return Bytes(buffer_.get(), step.produced);
  }
  Status close_run() override {
    if (!inflater_.at_sync_point()) return fail(Fault::kStream, "decompressor lost sync!");
    const Step step = TRY(inflater_.step(kSyncTail, {buffer_.get(), kBufferBytes}));
    if (step.consumed != kSyncTail.size() || step.produced != 0) return fail(Fault::kStream, "decompressor lost sync!");
    return {};
  }

 private:
  static constexpr size_t kBufferBytes = 64 * 1024;

  Inflater inflater_;
  bool with_blocks_, head_again_;
  bool used_ = false;
  std::unique_ptr<std::byte[]> buffer_;
};

}  // namespace

std::unique_ptr<TokenWriter> make_zlib_writer(const Agreement& agreed) {
  return std::make_unique<ZlibTokenWriter>(agreed);
}
std::unique_ptr<TokenReader> make_zlib_reader(const Agreement& agreed) {
  return std::make_unique<ZlibTokenReader>(agreed);
}

}  // namespace ocsync::proto
