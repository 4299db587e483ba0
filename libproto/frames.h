// Multiplexing: data bytes and messages share a stream as frames. See docs/frames.md.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libio/base/stream.h"
#include "libproto/control.h"

namespace ocsync::proto {

// The data bytes of a framed stream, in order; messages are given to `on_message` when they are met, on the reading
// thread. An error from on_message ends the stream with that error.
//
// Before enable() it hands out one byte per read_some(), so that a Reader above holds nothing back when framing begins
// in mid-stream. A direction that is never framed (C>S of versions below 30) calls pass_freely() instead.
class DemuxSource final : public ByteSource {
 public:
  using OnMessage = std::function<Status(const Message&)>;
  DemuxSource(ByteSource& raw, OnMessage on_message);
  void enable() { mode_ = Mode::kFrames; }
  void disable() { mode_ = Mode::kByteByByte; }  // only at a frame border (files-from of version 30)
  void pass_freely() { mode_ = Mode::kFreely; }
  Result<size_t> read_some(MutableBytes into) override;
  // True if data bytes, the end or an error can be had without waiting. Delivers messages that have arrived whole, so
  // that a lone keep-alive or message does not look like data.
  bool ready() override;

 private:
  enum class Found : uint8_t { kData, kEnd, kNothingYet };
  Result<Found> find_data(bool wait);
  Result<bool> have(size_t bytes, bool wait);

  Reader raw_;
  OnMessage on_message_;
  enum class Mode : uint8_t { kByteByByte, kFreely, kFrames };
  Mode mode_ = Mode::kByteByByte;
  uint32_t left_ = 0;  // of the data frame being read
  bool at_end_ = false;
  std::optional<Error> pending_;  // met by ready(), told by the next read_some()
};

// Frames what is written. write() buffers; flush() sends messages first, then data. post() never blocks and may be
// called from any thread: the message leaves with the next flush by the owner, or when the buffer fills.
// Everything else belongs to the owner thread. Before the first enable() bytes pass through unframed and post() is
// refused (returns false: the caller finds another way to say it). After disable() messages wait for the next enable().
class MuxSink final : public ByteSink {
 public:
  explicit MuxSink(ByteSink& raw, size_t buffer_bytes = size_t{64} * 1024);
  void enable();
  Status disable();  // flushes, then goes unframed (files-from of version 30)
  bool enabled() const { return enabled_; }
  Status write(Bytes bytes) override;
  // Large pieces leave at once behind what waits: headers, what waited and all of the pieces in one call of the raw
  // sink, without being copied together.
  Status write_v(std::span<const Bytes> pieces) override;
  Status flush() override;
  // Whether write_v() does that; otherwise it copies like write(). Before the first write.
  void gather(bool on) { gathers_ = on; }
  bool post(const Message& message);
  // Sends what was posted and leaves the data: last words.
  Status flush_posted();
  // An empty data frame, only if nothing was written for `lull_ms` and nothing waits; may be called from any thread.
  Status keep_alive(int64_t lull_ms);

 private:
  Status send_locked();
  Status take_posted_locked();
  Status write_raw_locked(Bytes bytes);
  Status gather_locked(std::span<const Bytes> pieces);
  ByteSink& raw_;
  std::mutex writing_;  // held while the raw sink is used
  std::mutex posting_;  // held while posted_ changes
  std::vector<std::byte> posted_;
  std::vector<std::byte> sending_;  // what was posted, while it is being written
  std::vector<std::byte> data_;     // four bytes for the header, then the payload
  size_t limit_;                    // of the payload
  size_t used_ = 0;                 // payload bytes waiting
  bool gathers_ = true;
  std::vector<std::array<std::byte, 4>> headers_;  // of frames that are being gathered
  std::vector<Bytes> gathered_;
  std::atomic<bool> enabled_ = false;
  std::atomic<bool> was_enabled_ = false;
  int64_t last_write_ms_ = 0;
};

}  // namespace ocsync::proto
