// Telling the kernel what will be read next, so that slow disks work while we do.
#pragma once

#include <cstdint>

#include "libio/os/dir.h"
#include "libio/os/file.h"
#include "libio/os/io_metrics.h"

namespace ocsync::io {

// Starts reading the first `bytes` of a file that will soon be opened; never waits for them, never fails. Costs an open
// and a close, so ask IoStrategy first whether this file is worth it.
void expect_file(const Dir& dir, Leaf name, uint64_t bytes);

// Follows one file: notices whether it is read in order, then asks for what lies ahead, several chunks at once; and
// lets go of what lies behind, so that a large copy does not push everything else out of memory. One owner thread.
class ReadAhead {
 public:
  static constexpr uint64_t kChunk = uint64_t{512} * 1024;
  struct Manner {
    uint64_t ahead_bytes = 16 * kChunk;  // how far ahead of the reader, at most 64 chunks; 0: asks for nothing
    bool drop_behind = false;
    IoMetrics* metrics = nullptr;
  };
  ReadAhead(const File& file, uint64_t size, const Manner& manner);
  // What is left of it is let go, too.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  // Everything before `offset` was read, as far as it will be. A step back, or one over more than what was asked for,
  // ends the asking until three steps in order followed.
  void reached(uint64_t offset);

 private:
  void drop(uint64_t until);
  const File& file_;
  uint64_t size_;
  Manner manner_;
  uint64_t last_ = 0;
  int in_order_;
  uint64_t asked_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace ocsync::io
