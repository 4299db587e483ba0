// What the fuzzers of the wire share: input cut into choices and bytes, and a check that stays in every build.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "libio/base/stream.h"
#include "libproto/agreement.h"

namespace ocsync::test {

#define FUZZ_REQUIRE(...)                                                            \
  do {                                                                               \
    if (!(__VA_ARGS__)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #__VA_ARGS__); \
      std::abort();                                                                  \
    }                                                                                \
  } while (false)

// The first bytes of an input choose, the rest is what the far side says.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : bytes_(std::as_bytes(std::span(data, size))) {}
  uint32_t pick(uint32_t below) {
    if (bytes_.empty()) return 0;
    const auto value = std::to_integer<uint32_t>(bytes_[0]);
    bytes_ = bytes_.subspan(1);
    return value % below;
  }
  bool flag() { return pick(2) != 0; }
  Bytes rest() const { return bytes_; }
  // Any version, with or without the compatibility flags that change the wire.
  proto::Agreement agreement() {
    const int version = 27 + static_cast<int>(pick(6));
    proto::Agreement agreed = proto::Agreement::from(version, pick(2) ? 0x1fe : pick(256));
    agreed.list_digest = version >= 30 ? DigestKind::kXxh64 : DigestKind::kMd4;
    return agreed;
  }
  // Sizes of pieces in which the rest is read.
  size_t chunk() {
    const uint32_t n = pick(64);
    return n == 0 ? SIZE_MAX : n;
  }

 private:
  Bytes bytes_;
};

}  // namespace ocsync::test
