// Workers that take tasks in order.
#include "libio/os/pool.h"

#include <algorithm>

namespace ocsync::io {

Pool::Pool(unsigned threads, size_t capacity) : capacity_(capacity > 0 ? capacity : size_t{2} * std::max(threads, 1u)) {
  for (unsigned i = 0; i < std::max(threads, 1u); ++i) workers_.emplace_back([this] { work(); });
}

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  filled_.notify_all();
  for (std::thread& w : workers_) w.join();
}

void Pool::submit(Task task) {
  {
    std::unique_lock lock(mutex_);
    space_.wait(lock, [&] { return waiting_.size() < capacity_; });
    waiting_.push_back(std::move(task));
  }
  filled_.notify_one();
}

bool Pool::try_submit(Task& task) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= capacity_) return false;
    waiting_.push_back(std::move(task));
  }
  filled_.notify_one();
  return true;
}

void Pool::wait_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return waiting_.empty() && running_ == 0; });
}

void Pool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    filled_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    {
      Task task = std::move(waiting_.front());
      waiting_.pop_front();
      ++running_;
      lock.unlock();
      space_.notify_one();
      task();
      // The task, and what it holds, ends before it counts as done.
    }
    lock.lock();
    if (--running_ == 0 && waiting_.empty()) idle_.notify_all();
  }
}

}  // namespace ocsync::io
