// The MD4 digest (RFC 1320). OpenSSL may be built without it.
#pragma once

#include <array>
#include <cstdint>

#include "libio/base/bytes.h"

namespace ocsync {

class Md4 {
 public:
  void update(Bytes bytes);
  // 16 bytes. Once; then assign a new Md4.
  void finish(std::byte* out);

 private:
  void take_blocks(const std::byte* at, size_t blocks);

  uint32_t state_[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  uint64_t length_ = 0;
  std::array<std::byte, 64> pending_;  // the first length_ % 64 bytes are in use
};

}  // namespace ocsync
