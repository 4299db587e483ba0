// The inner loop of the rolling search: where does the next window begin whose weak sum some block has?
//
// One plain version and two that evaluate 16 or 32 offsets at once; all of them give the same answers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libsync/sender/match.h"

namespace ocsync::sync {

enum class ScanKind : uint8_t { kPlain, kAvx2, kAvx512 };
bool scan_kind_available(ScanKind kind);
ScanKind best_scan_kind();

struct Scanned {
  size_t offset;    // of the first window with a bucket; the number of offsets if there is none
  uint32_t weak;    // its weak sum; that of the last window if there is none
  uint32_t bucket;  // BlockIndex::kNoBucket if there is none
};

// Looks at windows of `block_bytes` bytes that begin at 0, 1, ... offsets - 1 from `at`; offsets > 0, and
// offsets - 1 + block_bytes bytes can be read. `weak` is the sum of the first window.
Scanned scan(ScanKind kind, const BlockIndex& index, const std::byte* at, size_t offsets, uint32_t block_bytes,
             uint32_t weak);

// The sum of the window one byte further, of the same length.
inline uint32_t roll(uint32_t weak, std::byte out, std::byte in, uint32_t block_bytes) {
  const uint32_t leaving = static_cast<uint32_t>(static_cast<int32_t>(static_cast<signed char>(out)));
  const uint32_t coming = static_cast<uint32_t>(static_cast<int32_t>(static_cast<signed char>(in)));
  const uint32_t s1 = weak + coming - leaving;
  const uint32_t s2 = (weak >> 16) + s1 - block_bytes * leaving;
  return (s1 & 0xFFFFu) | (s2 << 16);
}

}  // namespace ocsync::sync
