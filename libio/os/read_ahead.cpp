// Hints to the page cache.
#include "libio/os/read_ahead.h"

#include <fcntl.h>

#include <algorithm>

#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

// How far behind the reader pages are kept: for readers that look back by a block or two.
constexpr uint64_t kBehind = uint64_t{1024} * 1024;
constexpr uint64_t kMostChunks = 64;
constexpr int kTrusted = 3;  // steps in order

}  // namespace

void expect_file(const Dir& dir, Leaf name, uint64_t bytes) {
  if (bytes == 0) return;
  if (const Result<File> file = dir.open_read(name)) sys::advise(file->fd(), 0, bytes, POSIX_FADV_WILLNEED);
}

ReadAhead::ReadAhead(const File& file, uint64_t size, const Manner& manner)
    : file_(file), size_(size), manner_(manner), in_order_(kTrusted) {
  manner_.ahead_bytes = std::min(manner_.ahead_bytes, kMostChunks * kChunk);
  reached(0);
}

ReadAhead::~ReadAhead() {
  // The end of the file was read, too, if its last window was reached.
  if (manner_.drop_behind && dropped_ < size_) drop(size_);
}

void ReadAhead::drop(uint64_t until) {
  file_.advise_drop(dropped_, until - dropped_);
  if (manner_.metrics != nullptr) IoMetrics::add(manner_.metrics->dropped, until - dropped_);
  dropped_ = until;
}

void ReadAhead::reached(uint64_t offset) {
  const bool in_order = offset >= last_ && offset <= std::max(asked_, last_ + kChunk);
  in_order_ = in_order ? std::min(in_order_ + 1, kTrusted) : 0;
  last_ = offset;
  if (manner_.ahead_bytes > 0 && in_order_ >= kTrusted) {
    const uint64_t from = std::max(asked_, offset);
    const uint64_t wanted = std::min(size_, offset + manner_.ahead_bytes);
    // Half of the way at a time, so that the disk always has several chunks to do.
    if (wanted > from && (wanted - from >= manner_.ahead_bytes / 2 || wanted == size_)) {
      for (uint64_t at = from; at < wanted; at += kChunk)
        sys::advise(file_.fd(), at, std::min(kChunk, wanted - at), POSIX_FADV_WILLNEED);
      asked_ = wanted;
    }
  }
  if (manner_.drop_behind && offset > dropped_ + kBehind + kChunk) drop(offset - kBehind);
}

}  // namespace ocsync::io
