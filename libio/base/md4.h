// The MD4 digest (RFC 1320). OpenSSL has it in its legacy provider only, which many machines do not load.
#pragma once

#include <array>
#include <cstdint>

#include "libio/base/bytes.h"

namespace ocsync {

class Md4 {
 public:
  void update(Bytes bytes);
  // Once; then assign a new Md4.
  std::array<std::byte, 16> finish();

 private:
  void take_blocks(const std::byte* at, size_t blocks);

  uint32_t state_[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  uint64_t length_ = 0;
  std::array<std::byte, 64> pending_;  // the first length_ % 64 bytes are in use
};

}  // namespace ocsync
