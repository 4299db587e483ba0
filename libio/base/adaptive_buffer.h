// How large a buffer this file deserves, from its size and from what reading or writing it showed so far.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace ocsync {

// A size that starts from what is known and follows what happens; it holds no memory. Small files get by with little
// memory, a MiB needs at most four calls, 100 KiB at most two. Of a file whose size is known more than 256 KiB a call
// is slower: it leaves the processor's caches, and its pages must be had first (64 MiB by 128, 256, 512 KiB, 1
// MiB: 35.9, 35.3, 37.1, 41.5 ms). A stream that goes on and on gets a MiB.
class AdaptiveBuffer {
 public:
  static constexpr size_t kSizes[] = {4UL * 1024, 64UL * 1024, 256UL * 1024, 1024UL * 1024};

  // `file_bytes`: nothing if nobody knows, as for a pipe.
  explicit AdaptiveBuffer(std::optional<uint64_t> file_bytes);

  // What to use for the next call.
  size_t bytes() const { return kSizes[step_]; }
  // A call moved that much. A full one leads to a larger size where the file's size does not speak against it, several
  // short ones in a row to a smaller size.
  void moved(size_t bytes);

 private:
  uint64_t expected_;  // bytes of the file; 0 if nobody knows
  size_t first_step_;
  size_t step_;
  uint64_t moved_ = 0;
  int short_calls_ = 0;
};

}  // namespace ocsync
