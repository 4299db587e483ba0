// Append-only memory with stable addresses: many small things that live and die together, at almost no overhead each.
//
// Blocks start small and double up to 1 MiB; what does not fit into a block gets one of its own. Nothing is given back
// before the arena dies. One thread appends; after seal() any number may read what was handed out.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace ocsync {

class Arena {
 public:
  static constexpr size_t kFirstBlock = 32UL * 1024;
  static constexpr size_t kLargestBlock = 1024UL * 1024;

  // A smaller first block suits arenas of which there are many.
  explicit Arena(size_t first_block = kFirstBlock) : next_block_(std::max<size_t>(first_block, 64)) {}
  Arena(Arena&& other) noexcept { *this = std::move(other); }
  Arena& operator=(Arena&& other) noexcept {
    blocks_ = std::move(other.blocks_);
    other.blocks_.clear();
    at_ = std::exchange(other.at_, nullptr);
    left_ = std::exchange(other.left_, 0);
    next_block_ = other.next_block_;
    reserved_ = std::exchange(other.reserved_, 0);
    used_ = std::exchange(other.used_, 0);
    sealed_ = std::exchange(other.sealed_, false);
    return *this;
  }

  // `align` is a power of two and at most that of max_align_t. The memory is not initialized.
  void* allocate(size_t size, size_t align = alignof(std::max_align_t)) {
    assert(!sealed_);
    assert(align > 0 && (align & (align - 1)) == 0 && align <= alignof(std::max_align_t));
    const size_t gap = (align - (reinterpret_cast<uintptr_t>(at_) & (align - 1))) & (align - 1);
    if (left_ < gap + size) return allocate_in_new_block(size);
    std::byte* found = at_ + gap;
    at_ = found + size;
    left_ -= gap + size;
    used_ += gap + size;
    return found;
  }

  // A copy of the text with a NUL behind it.
  char* store(std::string_view text) {
    auto* copy = static_cast<char*>(allocate(text.size() + 1, 1));
    if (!text.empty()) std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    return copy;
  }

  template <class T, class... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>, "nobody will destroy it");
    return new (allocate(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
  }

  // Nothing may be appended any more.
  void seal() { sealed_ = true; }
  // Memory taken from the system, and how much of it is handed out.
  size_t bytes() const { return reserved_; }
  size_t used() const { return used_; }

 private:
  void* allocate_in_new_block(size_t size) {
    used_ += size;
    while (size > next_block_ / 4 && next_block_ < kLargestBlock) next_block_ *= 2;
    // A very large piece gets its own block, so that the rest of the present one stays in use.
    if (size > next_block_ / 4) return add_block(size);
    std::byte* block = add_block(next_block_);
    at_ = block + size;
    left_ = next_block_ - size;
    next_block_ = std::min(next_block_ * 2, std::max(next_block_, kLargestBlock));
    return block;
  }

  std::byte* add_block(size_t size) {
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
    reserved_ += size;
    return blocks_.back().get();
  }

  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* at_ = nullptr;
  size_t left_ = 0;
  size_t next_block_ = kFirstBlock;
  size_t reserved_ = 0;
  size_t used_ = 0;
  bool sealed_ = false;
};

}  // namespace ocsync
