// The rule that chooses among four buffer sizes.
#include "libio/base/adaptive_buffer.h"

#include <iterator>

namespace ocsync {
namespace {

constexpr size_t kLast = std::size(AdaptiveBuffer::kSizes) - 1;
// Up to this much, the size of the same place is enough; a file longer than all of them gets the next one.
constexpr uint64_t kServes[] = {4UL * 1024, 128UL * 1024};

// One short call says little: a pipe delivers what just lies there, and the last piece of a file is always short.
constexpr int kShortCallsToShrink = 4;

size_t step_for(std::optional<uint64_t> file_bytes) {
  if (!file_bytes) return 1;
  size_t step = 0;
  while (step < std::size(kServes) && kServes[step] < *file_bytes) ++step;
  return step;
}

}  // namespace

AdaptiveBuffer::AdaptiveBuffer(std::optional<uint64_t> file_bytes)
    : expected_(file_bytes.value_or(0)), first_step_(step_for(file_bytes)), step_(first_step_) {}

void AdaptiveBuffer::moved(size_t bytes) {
  moved_ += bytes;
  if (bytes >= kSizes[step_]) {
    short_calls_ = 0;
    const bool longer_than_expected = moved_ >= expected_;
    if (step_ < kLast && (longer_than_expected || step_ < first_step_)) ++step_;
    return;
  }
  // Shrinking pays only if the next smaller size would have held it too.
  short_calls_ = step_ > 0 && bytes <= kSizes[step_ - 1] ? short_calls_ + 1 : 0;
  if (short_calls_ >= kShortCallsToShrink) {
    --step_;
    short_calls_ = 0;
  }
}

}  // namespace ocsync
