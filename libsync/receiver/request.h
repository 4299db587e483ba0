// What the generator asks for, and what became of it: the words that the receiving roles exchange.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "libio/base/queue.h"
#include "libio/os/dir.h"
#include "libproto/closing.h"
#include "libproto/item.h"
#include "libsync/list/segment.h"

namespace ocsync::sync {

// The old content that a transfer builds on.
struct Basis {
  uint8_t type = proto::kBasisTarget;  // as on the wire
  std::shared_ptr<const io::Dir> dir;  // null: no basis
  std::string leaf;
  std::string path;  // for messages
  uint64_t bytes = 0;
  explicit operator bool() const { return dir != nullptr; }
};

// New content for one regular file. Keeps alive all it points to.
struct Request {
  int32_t ndx = 0;
  std::shared_ptr<Segment> segment;
  Entry* entry = nullptr;
  std::string path;                    // below the destination's root
  std::shared_ptr<const io::Dir> dir;  // where it goes; null: it has gone since it was made
  std::string leaf;
  uint32_t mode = 0;  // effective, after the local rules of a run without -p
  Basis basis;
  proto::Item item;
  bool redo = false;            // second attempt: full sums, no backup, no append
  bool from_alternate = false;  // content is copied from an alternate tree and takes its name at once
  bool whole = false;           // do not send sums
};

// What the generator learns from the other roles of its side, in order.
struct Event {
  enum class What : uint8_t {
    kSegment,  // a segment is complete and may be worked on
    kListEof,  // no further segments will come
    kDone,     // the request is in place
    kRedo,     // its content did not verify: ask again
    kFailed,   // it will not come
    kPhase,    // the sender has ended a phase
    kClosed,   // the reading role ended; error says why if it is not the normal end
  };
  What what;
  int32_t ndx = 0;
  std::shared_ptr<Segment> segment;
  Error error;
};

// Never waits when added to, so that the reading role never does.
using Events = Queue<Event>;

}  // namespace ocsync::sync
