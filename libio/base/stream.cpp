#include "libio/base/stream.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <condition_variable>
#include <mutex>

namespace ocsync {

Reader::Reader(ByteSource& source, size_t buffer_bytes)
    : source_(source), buffer_(std::make_unique_for_overwrite<std::byte[]>(buffer_bytes)), capacity_(buffer_bytes) {}

// Makes at least `at_least` (<= capacity_) bytes available at begin_.
Status Reader::fill(size_t at_least) {
  assert(at_least <= capacity_);
  if (capacity_ - begin_ < at_least) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  while (end_ - begin_ < at_least) {
    if (begin_ == end_) begin_ = end_ = 0;
    const size_t got = TRY(source_.read_some(MutableBytes(buffer_.get() + end_, capacity_ - end_)));
    if (got == 0) return fail(Fault::kStream, "unexpected end of stream");
    end_ += got;
  }
  return {};
}

Result<uint16_t> Reader::u16() { return load_le<uint16_t>(TRY(view(2)).data()); }
Result<int32_t> Reader::i32() { return load_le<int32_t>(TRY(view(4)).data()); }
Result<int64_t> Reader::i64() { return load_le<int64_t>(TRY(view(8)).data()); }

Status Reader::exact(MutableBytes into) {
  position_ += into.size();
  while (!into.empty()) {
    size_t got = std::min(into.size(), buffered());
    if (got > 0) {
      std::memcpy(into.data(), buffer_.get() + begin_, got);
      begin_ += got;
    } else if (into.size() < capacity_) {
      TRY(fill(1));  // the source may well have more than is wanted now
    } else {
      got = TRY(source_.read_some(into));
      if (got == 0) return fail(Fault::kStream, "unexpected end of stream");
    }
    into = into.subspan(got);
  }
  return {};
}

Status Reader::text(std::string& text, size_t bytes) {
  text.resize(bytes);
  return exact(std::as_writable_bytes(std::span(text.data(), bytes)));
}

Result<Bytes> Reader::some(size_t most) {
  if (begin_ == end_) TRY(fill(1));
  const size_t count = std::min(most, buffered());
  const Bytes out(buffer_.get() + begin_, count);
  begin_ += count;
  position_ += count;
  return out;
}

Status Reader::skip(uint64_t bytes) {
  while (bytes > 0) bytes -= TRY(some(bytes)).size();
  return {};
}

Result<size_t> Reader::some_into(MutableBytes into) {
  if (begin_ == end_) {
    if (into.size() >= capacity_) {
      const size_t got = TRY(source_.read_some(into));
      position_ += got;
      return got;
    }
    if (TRY(top_up()) == 0) return size_t{0};
  }
  const size_t count = std::min(into.size(), buffered());
  std::memcpy(into.data(), buffer_.get() + begin_, count);
  consume(count);
  return count;
}

Result<size_t> Reader::top_up() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (end_ == capacity_) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const size_t got = TRY(source_.read_some(MutableBytes(buffer_.get() + end_, capacity_ - end_)));
  end_ += got;
  return got;
}

Result<bool> Reader::at_end() {
  if (begin_ != end_) return false;
  begin_ = end_ = 0;
  end_ = TRY(source_.read_some(MutableBytes(buffer_.get(), capacity_)));
  return end_ == 0;
}

Writer::Writer(ByteSink& sink, size_t buffer_bytes) : sink_(sink), buffer_(buffer_bytes) { assert(buffer_bytes > 0); }

Status Writer::bytes(Bytes bytes) {
  position_ += bytes.size();
  if (bytes.size() > buffer_.size() - used_) {
    TRY(drain());
    if (bytes.size() >= buffer_.size()) return sink_.write(bytes);
  }
  if (!bytes.empty()) std::memcpy(buffer_.data() + used_, bytes.data(), bytes.size());
  used_ += bytes.size();
  return {};
}

Status Writer::pieces(std::span<const Bytes> pieces) {
  assert(pieces.size() <= kMostPieces);
  std::array<Bytes, kMostPieces + 1> all;
  size_t count = 0;
  if (used_ > 0) all[count++] = Bytes(buffer_.data(), used_);
  used_ = 0;
  for (const Bytes piece : pieces) {
    position_ += piece.size();
    all[count++] = piece;
  }
  return sink_.write_v(std::span(all).first(count));
}

Status Writer::drain() {
  if (used_ == 0) return {};
  const Bytes out(buffer_.data(), used_);
  used_ = 0;
  return sink_.write(out);
}

Status Writer::flush() {
  TRY(drain());
  return sink_.flush();
}

Status Writer::u16(uint16_t value) {
  std::byte b[2];
  store_le(b, value);
  return bytes(b);
}
Status Writer::i32(int32_t value) {
  std::byte b[4];
  store_le(b, value);
  return bytes(b);
}
Status Writer::i64(int64_t value) {
  std::byte b[8];
  store_le(b, value);
  return bytes(b);
}

Result<size_t> MemorySource::read_some(MutableBytes into) {
  const size_t count = std::min({into.size(), bytes_.size(), chunk_});
  if (count > 0) std::memcpy(into.data(), bytes_.data(), count);
  bytes_ = bytes_.subspan(count);
  return count;
}

Status MemorySink::write(Bytes bytes) {
  data_.insert(data_.end(), bytes.begin(), bytes.end());
  return {};
}

namespace {

// One direction of a pair: a ring of bytes between a writing and a reading thread.
class Pipe {
 public:
  explicit Pipe(size_t capacity) : ring_(capacity) {}

  Result<size_t> read_some(MutableBytes into) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ > 0 || closed_; });
    if (count_ == 0) return size_t{0};
    const size_t count = std::min({into.size(), count_, ring_.size() - head_});
    std::memcpy(into.data(), ring_.data() + head_, count);
    head_ = (head_ + count) % ring_.size();
    count_ -= count;
    changed_.notify_all();
    return count;
  }

  Status write(Bytes bytes) {
    while (!bytes.empty()) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return count_ < ring_.size() || closed_; });
      if (closed_) return fail(Fault::kClosed, "the other end of the pair is closed");
      const size_t tail = (head_ + count_) % ring_.size();
      const size_t count = std::min({bytes.size(), ring_.size() - count_, ring_.size() - tail});
      std::memcpy(ring_.data() + tail, bytes.data(), count);
      count_ += count;
      bytes = bytes.subspan(count);
      changed_.notify_all();
    }
    return {};
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  bool ready() {
    const std::lock_guard lock(mutex_);
    return count_ > 0 || closed_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::byte> ring_;
  size_t head_ = 0;
  size_t count_ = 0;
  bool closed_ = false;
};

class PipeSource final : public ByteSource {
 public:
  explicit PipeSource(std::shared_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}
  ~PipeSource() override { pipe_->close(); }
  Result<size_t> read_some(MutableBytes into) override { return pipe_->read_some(into); }
  bool ready() override { return pipe_->ready(); }

 private:
  std::shared_ptr<Pipe> pipe_;
};

class PipeSink final : public ByteSink {
 public:
  explicit PipeSink(std::shared_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}
  ~PipeSink() override { pipe_->close(); }
  Status write(Bytes bytes) override { return pipe_->write(bytes); }

 private:
  std::shared_ptr<Pipe> pipe_;
};

}  // namespace

std::pair<StreamEnd, StreamEnd> make_stream_pair(size_t capacity) {
  auto there = std::make_shared<Pipe>(capacity);
  auto back = std::make_shared<Pipe>(capacity);
  return {StreamEnd{std::make_unique<PipeSource>(back), std::make_unique<PipeSink>(there)},
          StreamEnd{std::make_unique<PipeSource>(there), std::make_unique<PipeSink>(back)}};
}

}  // namespace ocsync
