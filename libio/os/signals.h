// Signals become a flag and a wake-up, nothing more.
#pragma once

#include <csignal>
#include <vector>

#include "libio/os/stop.h"

namespace ocsync::io {

// While it lives: INT, TERM, HUP and USR1 request a stop (HUP and INT only if they were not ignored before, as under
// nohup), PIPE and XFSZ are ignored, VTALRM asks for a progress line. Restores what was there when destroyed. At most
// one per process; made and destroyed by the main thread.
class SignalWatch {
 public:
  explicit SignalWatch(Stop& stop);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  // In a forked child: from now on `stop` hears of signals, since the old one's wake-up is shared with the parent.
  static void redirect(Stop& stop);
  // True once after each request for a progress line.
  static bool take_progress_request();

 private:
  struct Saved {
    int number;
    struct sigaction action;
  };
  void replace(int number, void (*handler)(int));
  std::vector<Saved> saved_;
};

// After the end: dies of `number` as if nobody had caught it, so that a shell sees why. Returns only if that fails.
void die_of(int number);

}  // namespace ocsync::io
