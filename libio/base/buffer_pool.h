// Large buffers that are used again instead of being mapped, zeroed and faulted in anew.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "libio/base/bytes.h"

namespace ocsync {

class BufferPool;

// A buffer on loan; goes back to its pool when it dies, which must happen before the pool does. Movable. Page-aligned.
class Buffer {
 public:
  Buffer() = default;
  // Of no pool: made now, its pages untouched, freed when it dies.
  static Buffer fresh(size_t bytes);
  Buffer(Buffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer();

  explicit operator bool() const { return data_ != nullptr; }
  std::byte* data() const { return data_; }
  size_t size() const { return data_ == nullptr ? 0 : size_; }
  MutableBytes bytes() const { return {data_, size()}; }

 private:
  friend class BufferPool;
  Buffer(BufferPool* pool, std::byte* data, size_t size) : pool_(pool), data_(data), size_(size) {}

  BufferPool* pool_ = nullptr;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Hands out buffers of five sizes, and keeps a bounded number of each that came back. New ones have all their pages
// touched, so that no page fault comes later, in the middle of a transfer. From 4 MiB on they are aligned for huge
// pages. Any number of threads may acquire and give back; nobody ever waits: idle buffers stand in slots that are taken
// and filled with one atomic exchange each.
class BufferPool {
 public:
  static constexpr size_t kSizes[] = {64UL * 1024, 256UL * 1024, 1024UL * 1024, 4UL * 1024 * 1024, 16UL * 1024 * 1024};
  // How many idle buffers of each size stay; together at most 76 MiB.
  static constexpr size_t kIdle[] = {64, 32, 16, 4, 2};

  struct Manner {
    bool keeps = true;                                        // false: every buffer is made anew, for comparison
    void (*prepare)(std::byte* data, size_t size) = nullptr;  // called on each new buffer before its pages are touched
  };
  BufferPool() = default;
  explicit BufferPool(Manner manner) : manner_(manner) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool() { trim(); }

  // A buffer of the smallest of the sizes that is at least `bytes`. Beyond the largest, one of exactly `bytes` is made
  // and not kept afterwards. Its content is whatever the last user left there.
  Buffer acquire(size_t bytes);
  // Gives all idle buffers back to the system.
  void trim();

  struct Stats {
    uint64_t hits = 0;           // idle buffer found
    uint64_t misses = 0;         // buffer made
    uint64_t bytes_created = 0;  // by all misses
    size_t bytes_idle = 0;       // waiting right now
  };
  Stats stats() const;

 private:
  friend class Buffer;
  struct Shelf {
    std::byte* take();
    bool put(std::byte* data);

    std::atomic<std::byte*>* slots = nullptr;
    size_t count = 0;
  };

  void give_back(std::byte* data, size_t size);
  Shelf shelf(size_t size_class);

  static constexpr size_t kSlots = kIdle[0] + kIdle[1] + kIdle[2] + kIdle[3] + kIdle[4];
  const Manner manner_{};
  std::array<std::atomic<std::byte*>, kSlots> slots_{};
  std::atomic<uint64_t> hits_{0}, misses_{0}, bytes_created_{0};
};

}  // namespace ocsync
