// Both directions of a connected far side: frames, buffers, index memories. Reading and writing belong to one thread
// each (which may be the same until the roles start).
#pragma once

#include <memory>
#include <optional>

#include "libio/base/stream.h"
#include "libproto/frames.h"
#include "libproto/index.h"
#include "libsync/session/recording.h"

namespace ocsync::sync {

class Channel {
 public:
  // Borrows the raw streams. `on_message` is called on the reading thread.
  Channel(ByteSource& raw_in, ByteSink& raw_out, proto::DemuxSource::OnMessage on_message)
      : demux(raw_in, std::move(on_message)), mux(raw_out), heard(demux), said(mux), in(heard), out(said) {}

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
};

}  // namespace ocsync::sync
