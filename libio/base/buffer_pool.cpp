// Slots of idle buffers per size, and the making of new ones.
#include "libio/base/buffer_pool.h"

#include <algorithm>
#include <iterator>
#include <new>

namespace ocsync {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = 2UL * 1024 * 1024;
constexpr size_t kClasses = std::size(BufferPool::kSizes);

std::align_val_t alignment(size_t size) { return std::align_val_t{size >= 2 * kHugePage ? kHugePage : kPage}; }

// kClasses for what is larger than all.
size_t class_for(size_t bytes) {
  size_t found = 0;
  while (found < kClasses && BufferPool::kSizes[found] < bytes) ++found;
  return found;
}

// `touched`: with all its pages, as for one that will be used again and again. What is used once for a small file would
// pay for pages that nobody looks at (3,000 files and buffers of 512 KiB: 24 seconds).
std::byte* make_buffer(size_t size, bool touched, void (*prepare)(std::byte*, size_t)) {
  auto* data = static_cast<std::byte*>(::operator new(size, alignment(size)));
  if (prepare != nullptr) prepare(data, size);
  if (!touched) return data;
  for (size_t at = 0; at < size; at += kPage) {
    // Through volatile, or the compiler would drop stores that nobody reads.
    *static_cast<volatile std::byte*>(data + at) = std::byte{0};
  }
  return data;
}

void free_buffer(std::byte* data, size_t size) { ::operator delete(data, size, alignment(size)); }

}  // namespace

Buffer Buffer::fresh(size_t bytes) {
  return Buffer(nullptr, static_cast<std::byte*>(::operator new(bytes, alignment(bytes))), bytes);
}

Buffer::~Buffer() {
  if (data_ == nullptr) return;
  if (pool_ != nullptr)
    pool_->give_back(data_, size_);
  else
    free_buffer(data_, size_);
}

// Both walk from the front: the buffers used last, still in the processor's caches, are found first.
std::byte* BufferPool::Shelf::take() {
  for (size_t i = 0; i < count; ++i) {
    if (slots[i].load(std::memory_order_relaxed) == nullptr) continue;
    if (std::byte* found = slots[i].exchange(nullptr, std::memory_order_acquire)) return found;
  }
  return nullptr;
}

bool BufferPool::Shelf::put(std::byte* data) {
  for (size_t i = 0; i < count; ++i) {
    std::byte* expected = nullptr;
    if (slots[i].load(std::memory_order_relaxed) != nullptr) continue;
    if (slots[i].compare_exchange_strong(expected, data, std::memory_order_release, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

BufferPool::Shelf BufferPool::shelf(size_t size_class) {
  size_t first = 0;
  for (size_t i = 0; i < size_class; ++i) first += kIdle[i];
  return {slots_.data() + first, kIdle[size_class]};
}

Buffer BufferPool::acquire(size_t bytes) {
  const size_t size_class = class_for(bytes);
  if (size_class < kClasses && manner_.keeps) {
    if (std::byte* idle = shelf(size_class).take()) {
      hits_.fetch_add(1, std::memory_order_relaxed);
      return Buffer(this, idle, kSizes[size_class]);
    }
  }
  const size_t size = size_class < kClasses ? kSizes[size_class] : bytes;
  std::byte* made = make_buffer(size, manner_.keeps, manner_.prepare);
  misses_.fetch_add(1, std::memory_order_relaxed);
  bytes_created_.fetch_add(size, std::memory_order_relaxed);
  return Buffer(this, made, size);
}

void BufferPool::give_back(std::byte* data, size_t size) {
  const size_t size_class = class_for(size);
  if (size_class < kClasses && manner_.keeps && shelf(size_class).put(data)) return;
  free_buffer(data, size);
}

void BufferPool::trim() {
  for (size_t i = 0; i < kClasses; ++i) {
    while (std::byte* idle = shelf(i).take()) free_buffer(idle, kSizes[i]);
  }
}

BufferPool::Stats BufferPool::stats() const {
  Stats stats{hits_.load(std::memory_order_relaxed), misses_.load(std::memory_order_relaxed),
              bytes_created_.load(std::memory_order_relaxed), 0};
  size_t slot = 0;
  for (size_t i = 0; i < kClasses; ++i) {
    for (const size_t end = slot + kIdle[i]; slot < end; ++slot) {
      if (slots_[slot].load(std::memory_order_relaxed) != nullptr) stats.bytes_idle += kSizes[i];
    }
  }
  return stats;
}

}  // namespace ocsync
