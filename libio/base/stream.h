// Bytes until end or error. A ByteSource or ByteSink knows no meaning and has one owner thread.
//
// Reader and Writer add buffering and the fixed-size integers; everything that parses a stream is written against
// Reader, everything that forms one against Writer, so that both run from memory in tests and fuzzers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libio/base/bytes.h"
#include "libio/base/result.h"

namespace ocsync {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Reads at least one byte and at most into.size(); 0 means the end was reached. Blocks until one of these is so.
  virtual Result<size_t> read_some(MutableBytes into) = 0;
  // True if a read_some() would return at once with bytes, an end or an error.
  virtual bool ready() { return true; }
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Takes all of the bytes (it may buffer them) or fails.
  virtual Status write(Bytes bytes) = 0;
  // The same for several pieces in order; a sink that can sends them in one call without joining them.
  virtual Status write_v(std::span<const Bytes> pieces) {
    for (const Bytes piece : pieces) TRY(write(piece));
    return {};
  }
  // After this, everything written so far is on its way.
  virtual Status flush() { return {}; }
};

// A buffered reader with a one-sided view of its buffer. Owns the buffer, borrows the source. Not thread-safe.
class Reader {
 public:
  static constexpr size_t kDefaultBuffer = 64UL * 1024;

  explicit Reader(ByteSource& source, size_t buffer_bytes = kDefaultBuffer);

  Result<uint8_t> u8() {
    if (begin_ == end_) [[unlikely]]
      TRY(fill(1));
    ++position_;
    return std::to_integer<uint8_t>(buffer_[begin_++]);
  }
  Result<uint16_t> u16();
  Result<int32_t> i32();
  Result<int64_t> i64();
  // Exactly into.size() bytes; an early end is Fault::kStream.
  Status exact(MutableBytes into);
  // Replaces text by exactly `bytes` bytes. The caller has checked the length against its limit.
  Status text(std::string& text, size_t bytes);
  // At least one and at most `most` bytes, as a view valid until the next call; an end is Fault::kStream.
  Result<Bytes> some(size_t most);
  // Exactly `bytes` (at most the size of the buffer) as a view valid until the next call.
  Result<Bytes> view(size_t bytes) {
    if (end_ - begin_ < bytes) [[unlikely]]
      TRY(fill(bytes));
    const Bytes out(buffer_.get() + begin_, bytes);
    begin_ += bytes;
    position_ += bytes;
    return out;
  }
  Status skip(uint64_t bytes);
  // At least one and at most into.size() bytes, or 0 at the end. What is buffered comes first; otherwise large pieces
  // go straight into the caller's memory.
  Result<size_t> some_into(MutableBytes into);
  // What is buffered, in place, valid until the next call; and taking `bytes` of it.
  Bytes peek() const { return {buffer_.get() + begin_, end_ - begin_}; }
  void consume(size_t bytes) {
    begin_ += bytes;
    position_ += bytes;
  }
  // Asks the source once for more behind what is buffered (there must be room); 0 is the end.
  Result<size_t> top_up();
  bool source_ready() { return source_.ready(); }
  // True if no byte is left; blocks until that is known.
  Result<bool> at_end();
  // Bytes that can be read without asking the source.
  size_t buffered() const { return end_ - begin_; }
  // True if reading one byte would not block.
  bool ready() { return buffered() > 0 || source_.ready(); }
  // Bytes handed out so far.
  uint64_t position() const { return position_; }

 private:
  Status fill(size_t at_least);

  ByteSource& source_;
  std::unique_ptr<std::byte[]> buffer_;
  size_t capacity_;
  size_t begin_ = 0;
  size_t end_ = 0;
  uint64_t position_ = 0;
};

// A buffered writer over a sink. Nothing leaves before the buffer is full or flush() is called. Not thread-safe.
class Writer {
 public:
  explicit Writer(ByteSink& sink, size_t buffer_bytes = 32UL * 1024);

  Status u8(uint8_t value) {
    if (used_ == buffer_.size()) [[unlikely]]
      TRY(drain());
    buffer_[used_++] = std::byte{value};
    ++position_;
    return {};
  }
  Status u16(uint16_t value);
  Status i32(int32_t value);
  Status i64(int64_t value);
  Status bytes(Bytes bytes);
  Status text(std::string_view text) { return bytes(as_bytes(text)); }
  // Large pieces, handed to the sink at once behind what waits, and not copied here. At most kMostPieces.
  static constexpr size_t kMostPieces = 32;
  Status pieces(std::span<const Bytes> pieces);
  // Hands everything to the sink and flushes it.
  Status flush();
  // Hands everything to the sink without flushing it.
  Status drain();
  uint64_t position() const { return position_; }
  ByteSink& sink() { return sink_; }

 private:
  ByteSink& sink_;
  std::vector<std::byte> buffer_;
  size_t used_ = 0;
  uint64_t position_ = 0;
};

// Reads from memory that somebody else keeps alive. `chunk` bounds what one read returns, to test torn input.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(Bytes bytes, size_t chunk = SIZE_MAX) : bytes_(bytes), chunk_(chunk) {}
  Result<size_t> read_some(MutableBytes into) override;

 private:
  Bytes bytes_;
  size_t chunk_;
};

// Keeps what is written.
class MemorySink final : public ByteSink {
 public:
  Status write(Bytes bytes) override;
  Bytes bytes() const { return data_; }
  void clear() { data_.clear(); }

 private:
  std::vector<std::byte> data_;
};

// Counts what is written and forgets it.
class CountingSink final : public ByteSink {
 public:
  Status write(Bytes bytes) override {
    count_ += bytes.size();
    return {};
  }
  uint64_t count() const { return count_; }

 private:
  uint64_t count_ = 0;
};

// Two connected ends in memory, each readable and writable, safe between two threads. Writing blocks while more than
// `capacity` bytes wait; closing one end gives the other an end of stream (reads) or Fault::kClosed (writes).
struct StreamEnd {
  std::unique_ptr<ByteSource> source;
  std::unique_ptr<ByteSink> sink;
};
std::pair<StreamEnd, StreamEnd> make_stream_pair(size_t capacity = 256UL * 1024);

}  // namespace ocsync
