// Both directions of a connected far side: frames, buffers, index memories. Reading and writing belong to one thread
// each (which may be the same until the roles start).
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>

#include "libio/base/stream.h"
#include "libio/os/fd_stream.h"
#include "libproto/frames.h"
#include "libproto/index.h"
#include "libsync/session/recording.h"

namespace ocsync::sync {

class Channel {
 public:
  // Borrows the raw streams and what counts their bytes. `on_message` is called on the reading thread.
  Channel(ByteSource& raw_in, ByteSink& raw_out, const io::Activity& activity, proto::DemuxSource::OnMessage on_message)
      : demux(raw_in, std::move(on_message)),
        mux(raw_out),
        heard(demux),
        said(mux),
        in(heard),
        out(said),
        activity_(activity) {}

  proto::DemuxSource demux;
  proto::MuxSink mux;
  RecordingSource heard;
  RecordingSink said;
  Reader in;
  Writer out;
  std::optional<proto::IndexReader> indexes_in;
  std::optional<proto::IndexWriter> indexes_out;

  bool error_codes_travel = false;

  void agree(const proto::Agreement& agreed) {
    error_codes_travel = agreed.error_codes_travel;
    indexes_in.emplace(agreed);
    indexes_out.emplace(agreed);
  }

  // What the two sides say before they have agreed does not count as sent or received, as with rsync: the handshake is
  // over, and nothing is framed yet.
  void begin_count() {
    sent_before_ = out.position();
    received_before_ = in.position();
  }
  // Nor does what follows the statistics.
  void end_count() {
    sent_until_ = activity_.bytes_out.load();
    received_until_ = activity_.bytes_in.load();
  }
  // Bytes that have moved between the two, frames and all. Any thread.
  uint64_t sent() const { return between(sent_before_, std::min<uint64_t>(activity_.bytes_out, sent_until_)); }
  uint64_t received() const {
    return between(received_before_, std::min<uint64_t>(activity_.bytes_in, received_until_));
  }

 private:
  static uint64_t between(uint64_t before, uint64_t now) { return before < now ? now - before : 0; }
  static constexpr uint64_t kNotYet = UINT64_MAX;
  const io::Activity& activity_;
  std::atomic<uint64_t> sent_before_{kNotYet}, received_before_{kNotYet};
  std::atomic<uint64_t> sent_until_{kNotYet}, received_until_{kNotYet};
};

}  // namespace ocsync::sync
