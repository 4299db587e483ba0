// A blocking queue between threads, bounded or not, that can be closed.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "libio/base/result.h"

namespace ocsync {

// Any number of threads may push and pop. push() waits while `capacity` items wait (0: never waits). After close(),
// push() fails with kClosed and pop() drains what is left, then yields nothing.
template <class T>
class Queue {
 public:
  explicit Queue(size_t capacity = 0) : capacity_(capacity) {}

  Status push(T item) {
    TRY(add(std::move(item), false));
    filled_.notify_one();
    return {};
  }

  // Adds without waking the taker until there are more: for items that come in swarms, where a wake-up for each would
  // cost more than the work. Whoever adds so must call wake() before it waits for anything but this queue.
  Status push_quietly(T item) {
    if (TRY(add(std::move(item), true)) % kSwarm == 0) filled_.notify_one();
    return {};
  }
  // Costs next to nothing if the taker has it all already: it may be called before every read of a stream.
  void wake() {
    if (quiet_.load(std::memory_order_relaxed) && quiet_.exchange(false)) filled_.notify_one();
  }

  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return closed_ || !items_.empty(); });
    return take(lock);
  }

  std::optional<T> try_pop() {
    std::unique_lock lock(mutex_);
    return take(lock);
  }

  // Nothing after `wait` went by without an item (or when closed and empty).
  template <class Duration>
  std::optional<T> pop_for(Duration wait) {
    std::unique_lock lock(mutex_);
    filled_.wait_for(lock, wait, [&] { return closed_ || !items_.empty(); });
    return take(lock);
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    filled_.notify_all();
    space_.notify_all();
  }
  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  bool empty() const {
    const std::lock_guard lock(mutex_);
    return items_.empty();
  }
  size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }

 private:
  static constexpr size_t kSwarm = 16;

  // How many there are then.
  Result<size_t> add(T item, bool quietly) {
    std::unique_lock lock(mutex_);
    if (capacity_ > 0 && items_.size() >= capacity_) {
      filled_.notify_one();
      space_.wait(lock, [&] { return closed_ || items_.size() < capacity_; });
    }
    if (closed_) return fail(Fault::kClosed, "queue is closed");
    items_.push_back(std::move(item));
    if (quietly) quiet_.store(true, std::memory_order_relaxed);
    return items_.size();
  }

  std::optional<T> take(std::unique_lock<std::mutex>& lock) {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    if (items_.empty()) quiet_.store(false, std::memory_order_relaxed);
    // Half of it is to be free first, so that the two sides do not take turns at every item.
    const bool freed = items_.size() == capacity_ / 2;
    lock.unlock();
    if (freed) space_.notify_all();
    return item;
  }

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable filled_, space_;
  std::deque<T> items_;
  bool closed_ = false;
  std::atomic<bool> quiet_{false};  // there is something that the taker may not have been woken for; set under the lock
};

}  // namespace ocsync
