// The wish to stop, shared by every thread of a run: signals set it, long loops and blocking streams look at it.
//
// Setting is async-signal-safe. One Stop per process run; passed by reference, never global (the signal room keeps the
// one pointer that a handler needs).
#pragma once

#include <atomic>

#include "libio/base/result.h"
#include "libio/os/fd.h"

namespace ocsync::io {

class Stop {
 public:
  Stop();  // makes the wake-up descriptor
  // Asks for a stop because of `signal_number`; wakes every waiter. The first call wins.
  void request(int signal_number);
  bool requested() const { return signal_.load(std::memory_order_relaxed) != 0; }
  int signal_number() const { return signal_.load(std::memory_order_relaxed); }
  // Fault::kInterrupted (kUser1 for SIGUSR1) if a stop was requested.
  Status check() const;
  // Readable once a stop was requested; to be polled beside other descriptors.
  int wake_fd() const { return wake_.get(); }

 private:
  std::atomic<int> signal_{0};
  Fd wake_;
};

}  // namespace ocsync::io
