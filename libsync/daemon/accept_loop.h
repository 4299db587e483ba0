// The waiting part of the daemon's parent: listening sockets, signals and the time that running transfers are given.
//
// One thread, which is the process's only one: callers are served in forked children, and a child leaves the loop
// before it does anything else.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "libio/os/socket.h"

namespace ocsync::sync {

class AcceptLoop {
 public:
  struct Handlers {
    // A connection waits at this listener. False: it cannot be taken now (no descriptors, no processes left); the
    // listener is left alone for a while, the others and the signals are not.
    std::function<bool(int listener)> caller;
    // A signal that came, by number; several of a kind may have become one.
    std::function<void(int number)> signal;
  };
  // Takes the listeners (non-blocking) and the signals TERM, INT, HUP, CHLD and USR1 of the process until it is
  // destroyed.
  static Result<std::unique_ptr<AcceptLoop>> open(std::vector<io::Listener> listeners, Handlers handlers);
  ~AcceptLoop();

  // Until stop() is called by a handler, or the grace has passed.
  void run();
  // Closes the listeners; run() returns after `grace_ms` at the latest.
  void close_doors(int grace_ms);
  void stop();
  // In a child: closes what the child must not hold and gives signals back their effect. The loop must not be used or
  // destroyed there afterwards.
  void leave_in_child();

 private:
  struct Impl;
  explicit AcceptLoop(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ocsync::sync
