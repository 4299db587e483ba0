// Telling the kernel what will be read next, so that slow disks work while we do.
#pragma once

#include <cstdint>

#include "libio/os/dir.h"
#include "libio/os/file.h"

namespace ocsync::io {

// Starts reading the first `bytes` of a file that will soon be opened; never waits for them, never fails. Costs an open
// and a close, so ask IoStrategy first whether this file is worth it.
void expect_file(const Dir& dir, Leaf name, uint64_t bytes);

// Follows one file that is read in order: asks for what lies ahead, and lets go of what lies behind (`drop_behind`) so
// that a large copy does not push everything else out of memory. One owner thread.
class ReadAhead {
 public:
  ReadAhead(const File& file, uint64_t size, bool drop_behind);
  // Everything before `offset` was read.
  void reached(uint64_t offset);

 private:
  const File& file_;
  uint64_t size_;
  bool drop_behind_;
  uint64_t asked_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace ocsync::io
