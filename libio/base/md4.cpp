// RFC 1320's three rounds over 64-byte blocks.
#include "libio/base/md4.h"

#include <algorithm>
#include <bit>

namespace ocsync {
namespace {

constexpr size_t kBlock = 64;

struct Choose {
  static constexpr uint32_t kAdd = 0;
  static uint32_t mix(uint32_t x, uint32_t y, uint32_t z) { return z ^ (x & (y ^ z)); }
};
struct Majority {
  static constexpr uint32_t kAdd = 0x5a827999;
  static uint32_t mix(uint32_t x, uint32_t y, uint32_t z) { return (x & y) | (z & (x | y)); }
};
struct Parity {
  static constexpr uint32_t kAdd = 0x6ed9eba1;
  static uint32_t mix(uint32_t x, uint32_t y, uint32_t z) { return x ^ y ^ z; }
};

template <class Round, int kShift>
inline void turn(uint32_t& a, uint32_t b, uint32_t c, uint32_t d, uint32_t word) {
  a = std::rotl(a + Round::mix(b, c, d) + word + Round::kAdd, kShift);
}

template <class Round, int s0, int s1, int s2, int s3>
inline void four(uint32_t (&v)[4], uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3) {
  turn<Round, s0>(v[0], v[1], v[2], v[3], w0);
  turn<Round, s1>(v[3], v[0], v[1], v[2], w1);
  turn<Round, s2>(v[2], v[3], v[0], v[1], w2);
  turn<Round, s3>(v[1], v[2], v[3], v[0], w3);
}

}  // namespace

void Md4::take_blocks(const std::byte* at, size_t blocks) {
  uint32_t v[4] = {state_[0], state_[1], state_[2], state_[3]};
  for (; blocks > 0; --blocks, at += kBlock) {
    uint32_t w[16];
    std::memcpy(w, at, kBlock);
    const uint32_t before[4] = {v[0], v[1], v[2], v[3]};
    for (const int i : {0, 4, 8, 12}) four<Choose, 3, 7, 11, 19>(v, w[i], w[i + 1], w[i + 2], w[i + 3]);
    for (const int i : {0, 1, 2, 3}) four<Majority, 3, 5, 9, 13>(v, w[i], w[i + 4], w[i + 8], w[i + 12]);
    for (const int i : {0, 2, 1, 3}) four<Parity, 3, 9, 11, 15>(v, w[i], w[i + 8], w[i + 4], w[i + 12]);
    for (int i = 0; i < 4; ++i) v[i] += before[i];
  }
  std::copy(std::begin(v), std::end(v), state_);
}

void Md4::update(Bytes bytes) {
  const size_t used = length_ % kBlock;
  length_ += bytes.size();
  if (used > 0) {
    const size_t more = std::min(kBlock - used, bytes.size());
    std::copy_n(bytes.begin(), more, pending_.begin() + used);
    bytes = bytes.subspan(more);
    if (used + more < kBlock) return;
    take_blocks(pending_.data(), 1);
  }
  const size_t blocks = bytes.size() / kBlock;
  take_blocks(bytes.data(), blocks);
  bytes = bytes.subspan(blocks * kBlock);
  std::copy(bytes.begin(), bytes.end(), pending_.begin());
}

void Md4::finish(std::byte* out) {
  const uint64_t bits = length_ * 8;
  std::array<std::byte, kBlock + 8> tail{std::byte{0x80}};  // one bit, zeros up to 8 bytes before a border, the length
  const size_t used = length_ % kBlock;
  const size_t padding = (used < 56 ? 56 : 120) - used;
  store_le(tail.data() + padding, bits);
  update(Bytes(tail.data(), padding + 8));
  std::memcpy(out, state_, sizeof state_);
}

}  // namespace ocsync
