// Windows of mapped files in which the end of the file is not the end of the program.
//
// Another program may truncate a file that we have mapped; touching what is gone raises SIGBUS. A guarded window then
// reads as zeros from that page on, and remembers it. Faults outside of guarded windows go to whoever handled SIGBUS
// before.
#pragma once

#include <cstddef>

#include "libio/base/bytes.h"
#include "libio/base/result.h"

namespace ocsync::io {

// One window at a time. One owner thread, but any thread may read the window while it stands.
class GuardedWindow {
 public:
  GuardedWindow() = default;
  ~GuardedWindow();
  GuardedWindow(const GuardedWindow&) = delete;
  GuardedWindow& operator=(const GuardedWindow&) = delete;

  // Replaces the window by `bytes` of fd at `offset` (a multiple of the page size). kUnsupported if too many windows
  // are guarded already (64 in a process).
  Status map(int fd, uint64_t offset, size_t bytes);
  Bytes bytes() const { return bytes_; }
  // Whether any window of this object lost its file while it was read.
  bool lost() const;

 private:
  void unmap();
  int slot_ = -1;
  Bytes bytes_;
  bool lost_before_ = false;
};

}  // namespace ocsync::io
