// The two streams of a channel, with a copy of what travels towards the receiving side (--write-batch).
//
// Each belongs to the thread that reads or writes the channel. Without a batch they only pass on.
#pragma once

#include <span>

#include "libio/base/stream.h"

namespace ocsync::sync {

// What a sender says.
class RecordingSink final : public ByteSink {
 public:
  enum class Path : uint8_t { kFarSide, kBoth, kBatch };
  explicit RecordingSink(ByteSink& far) : far_(far) {}
  // From now on a copy goes to `batch` (borrowed). Drain the Writer above before this and before every change of path.
  void copy_to(ByteSink& batch) {
    batch_ = &batch;
    path_ = Path::kBoth;
  }
  bool recording() const { return batch_ != nullptr; }
  // Where the next bytes go. Without a batch they go to the far side.
  void take(Path path) { path_ = recording() ? path : Path::kFarSide; }
  Status write(Bytes bytes) override {
    if (path_ != Path::kFarSide) TRY(batch_->write(bytes));
    if (path_ != Path::kBatch) TRY(far_.write(bytes));
    return {};
  }
  Status write_v(std::span<const Bytes> pieces) override {
    if (path_ != Path::kFarSide)
      for (const Bytes piece : pieces) TRY(batch_->write(piece));
    if (path_ != Path::kBatch) TRY(far_.write_v(pieces));
    return {};
  }
  Status flush() override { return far_.flush(); }

 private:
  ByteSink& far_;
  ByteSink* batch_ = nullptr;
  Path path_ = Path::kFarSide;
};

// What a receiver hears. Start it while the Reader above holds nothing back.
class RecordingSource final : public ByteSource {
 public:
  explicit RecordingSource(ByteSource& far) : far_(far) {}
  void copy_to(ByteSink& batch) { batch_ = &batch; }
  Result<size_t> read_some(MutableBytes into) override {
    const size_t got = TRY(far_.read_some(into));
    if (batch_ != nullptr) TRY(batch_->write(Bytes(into).first(got)));
    return got;
  }
  bool ready() override { return far_.ready(); }

 private:
  ByteSource& far_;
  ByteSink* batch_ = nullptr;
};

}  // namespace ocsync::sync
