// A fixed set of worker threads over a bounded queue.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "libio/base/result.h"

namespace ocsync::io {

// Tasks start in the order of submit(); they must not throw and report their results by themselves. Made and destroyed
// by one thread; submit() and wait_idle() from any thread but a worker's.
class Pool {
 public:
  using Task = std::move_only_function<void()>;
  // `capacity` tasks may wait (0: twice the number of threads).
  explicit Pool(unsigned threads, size_t capacity = 0);
  // Lets the waiting tasks run, then joins.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Waits while the queue is full.
  void submit(Task task);
  // False at once if the queue is full; `task` is then left as it was.
  bool try_submit(Task& task);
  // Until every task submitted so far is done.
  void wait_idle();
  unsigned threads() const { return static_cast<unsigned>(workers_.size()); }

 private:
  void work();
  const size_t capacity_;
  std::mutex mutex_;
  std::condition_variable filled_, space_, idle_;
  std::deque<Task> waiting_;
  size_t running_ = 0;
  bool ending_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace ocsync::io
