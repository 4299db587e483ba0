// Tokens compressed by lz4: every chunk is a block of its own. See docs/tokens.md.
#include <algorithm>

#include "libio/base/codec.h"
#include "libproto/tokens_compressed.h"

namespace ocsync::proto {

namespace {

// The content of one chunk as upstream cuts it.
constexpr size_t kMaxContent = 16383;
// What a reader must be ready for.
constexpr size_t kMaxContentRead = 32912;
// After a chunk that would not shrink, this many are tried at the size that worked, without trying the full size first.
constexpr int kStayHalved = 8;

class Lz4TokenWriter final : public CompressedTokenWriter {
 protected:
  void fresh() override { held_ = 0; }
  Status compress(Bytes bytes, Writer& out) override {
    while (held_ + bytes.size() >= kMaxContent) {
      if (held_ == 0) {
        bytes = bytes.subspan(TRY(send_chunk(bytes.first(kMaxContent), out)));
        continue;
      }
      hold(bytes, kMaxContent - held_);
      TRY(send_held(out));
    }
    hold(bytes, bytes.size());
    return {};
  }
  Status close_run(Writer& out) override {
    while (held_ > 0) TRY(send_held(out));
    return {};
  }

 private:
  void hold(Bytes& bytes, size_t count) {
    if (count > 0) std::memcpy(content_.data() + held_, bytes.data(), count);
    held_ += count;
    bytes = bytes.subspan(count);
  }

  // Sends some of the content held, at least half.
  Status send_held(Writer& out) {
    const size_t sent = TRY(send_chunk(Bytes(content_).first(held_), out));
    held_ -= sent;
    std::memmove(content_.data(), content_.data() + sent, held_);
    return {};
  }

  // Sends as much of the beginning of `content` as fits a chunk; returns how much that was.
  Result<size_t> send_chunk(Bytes content, Writer& out) {
    size_t size = content.size();
    if (stay_halved_ > 0 && size == kMaxContent) {
      --stay_halved_;
      size /= 2;
    }
    for (;; size /= 2, stay_halved_ = kStayHalved) {
      const std::optional<size_t> packed = lz4_compress(content.first(size), chunk_);
      if (!packed) continue;
      TRY(write_chunk(Bytes(chunk_).first(*packed), out));
      return size;
    }
  }

  std::array<std::byte, kMaxContent> content_;
  std::array<std::byte, kMaxCompressedChunk> chunk_;
  size_t held_ = 0;
  int stay_halved_ = 0;
};

class Lz4TokenReader final : public CompressedTokenReader {
 public:
  Status matched(Bytes) override { return {}; }

 protected:
  Result<Bytes> decompress(Bytes& input, bool& done) override {
    const size_t bytes = TRY(lz4_decompress(input, buffer_));
    if (bytes == 0) return fail(Fault::kStream, "empty lz4 block");
    input = {};
    done = true;
    return Bytes(buffer_).first(bytes);
  }

 private:
  std::array<std::byte, kMaxContentRead> buffer_;
};

}  // namespace

std::unique_ptr<TokenWriter> make_lz4_writer() { return std::make_unique<Lz4TokenWriter>(); }
std::unique_ptr<TokenReader> make_lz4_reader() { return std::make_unique<Lz4TokenReader>(); }

}  // namespace ocsync::proto
