#include "libproto/sums.h"

#include <algorithm>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#define OCSYNC_X86 1
#endif

#include <fmt/format.h>

namespace ocsync::proto {

namespace {

constexpr int64_t kSmallestBlock = 700;

// The largest multiple of 8 not above the square root of `file_bytes`, within the bounds that both ends share.
int64_t automatic_block_bytes(int64_t file_bytes, int64_t most) {
  if (file_bytes <= kSmallestBlock * kSmallestBlock) return kSmallestBlock;
  int64_t bit = 1;
  for (int64_t rest = file_bytes / 4; rest != 0; rest /= 4) bit *= 2;
  if (bit >= most) return most;
  int64_t length = 0;
  for (; bit >= 8; bit /= 2) {
    const int64_t longer = length | bit;
    if (file_bytes >= longer * longer) length = longer;
  }
  return std::max(length, kSmallestBlock);
}

// Enough bits that two different blocks of this file are unlikely to look equal; each end computes the same.
int64_t short_digest_bytes(int64_t file_bytes, int64_t block_bytes) {
  int64_t bits = 10;
  for (int64_t rest = file_bytes / 2; rest != 0; rest /= 2) bits += 2;
  for (int64_t rest = block_bytes / 2; rest != 0 && bits != 0; rest /= 2) --bits;
  return (bits + 1 - 32 + 7) / 8;
}

std::unexpected<Error> refuse(std::string_view what, int32_t value, std::string_view who) {
  return fail(Fault::kProtocol, fmt::format("Invalid {} {} [{}]", what, value, who));
}

}  // namespace

uint64_t SumHead::file_bytes() const {
  const uint64_t whole = static_cast<uint64_t>(blocks) * static_cast<uint32_t>(block_bytes);
  return tail_bytes == 0 || blocks == 0 ? whole : whole - static_cast<uint32_t>(block_bytes - tail_bytes);
}

uint32_t SumHead::length_of(int32_t block) const {
  return static_cast<uint32_t>(block == blocks - 1 && tail_bytes != 0 ? tail_bytes : block_bytes);
}

SumHead choose_sum_head(uint64_t file_bytes, uint32_t block_size, bool full, const Agreement& agreed) {
  if (file_bytes == 0 || file_bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return {};
  const int64_t length = static_cast<int64_t>(file_bytes);
  const int64_t longest = agreed.max_block_bytes;
  const int64_t block =
      block_size != 0 ? std::min<int64_t>(block_size, longest) : automatic_block_bytes(length, longest);
  const int64_t most_digest = std::min<int64_t>(kFullSum, static_cast<int64_t>(digest_bytes(agreed.transfer_digest)));
  const int64_t digest =
      full ? most_digest : std::min(std::max<int64_t>(short_digest_bytes(length, block), kShortSum), most_digest);
  const int64_t tail = length % block;
  const int64_t count = length / block + (tail != 0 ? 1 : 0);
  if (count > std::numeric_limits<int32_t>::max()) return {};
  return {static_cast<int32_t>(count), static_cast<int32_t>(block), static_cast<int32_t>(digest),
          static_cast<int32_t>(tail)};
}

Status write_sum_head(const SumHead& head, Writer& out) {
  TRY(out.i32(head.blocks));
  TRY(out.i32(head.block_bytes));
  TRY(out.i32(head.digest_bytes));
  return out.i32(head.tail_bytes);
}

Result<SumHead> read_sum_head(const Agreement& agreed, Reader& in, std::string_view who) {
  SumHead head;
  head.blocks = TRY(in.i32());
  if (head.blocks < 0) return refuse("checksum count", head.blocks, who);
  head.block_bytes = TRY(in.i32());
  if (head.block_bytes < 0 || static_cast<uint32_t>(head.block_bytes) > agreed.max_block_bytes) {
    return refuse("block length", head.block_bytes, who);
  }
  if (head.blocks > 0 && head.block_bytes == 0)
    return fail(Fault::kProtocol, fmt::format("Invalid zero block length [{}]", who));
  head.digest_bytes = TRY(in.i32());
  if (head.digest_bytes < 0 || static_cast<size_t>(head.digest_bytes) > digest_bytes(agreed.transfer_digest)) {
    return refuse("checksum length", head.digest_bytes, who);
  }
  head.tail_bytes = TRY(in.i32());
  if (head.tail_bytes < 0 || head.tail_bytes > head.block_bytes)
    return refuse("remainder length", head.tail_bytes, who);
  return head;
}

Result<BlockSums> read_block_sums(const SumHead& head, Reader& in) {
  // What is believed before a byte of it has arrived: 64 Ki blocks, about 1 MiB. Beyond, memory follows the stream.
  constexpr int32_t kBelievedBlocks = 1 << 16;
  // Sums are taken from the reader's buffer in views of about this size.
  constexpr size_t kViewBytes = 32 * 1024;

  BlockSums sums;
  sums.head = head;
  const size_t digest = static_cast<size_t>(head.digest_bytes);
  const size_t record = 4 + digest;
  const size_t count = static_cast<size_t>(head.blocks);
  const size_t believed = static_cast<size_t>(std::min(head.blocks, kBelievedBlocks));
  sums.weak.reserve(believed);
  sums.strong.reserve(believed * digest);
  const size_t per_view = kViewBytes / record;
  for (size_t done = 0; done < count;) {
    const size_t now = std::min(per_view, count - done);
    const Bytes view = TRY(in.view(now * record));
    sums.weak.resize(done + now);
    sums.strong.resize((done + now) * digest);
    const std::byte* from = view.data();
    for (size_t i = done; i < done + now; ++i, from += record) {
      sums.weak[i] = load_le<uint32_t>(from);
      if (digest != 0) std::memcpy(sums.strong.data() + i * digest, from + 4, digest);
    }
    done += now;
  }
  return sums;
}

namespace {

uint32_t weak_sum_plain(const std::byte* at, size_t bytes, uint32_t s1 = 0, uint32_t s2 = 0) {
  for (size_t i = 0; i < bytes; ++i) {
    s1 += static_cast<uint32_t>(static_cast<int32_t>(static_cast<signed char>(at[i])));
    s2 += s1;
  }
  return (s1 & 0xFFFFu) | (s2 << 16);
}

#ifdef OCSYNC_X86

// A step of n bytes adds n times the plain sum so far, and each byte as often as it will still be counted, to the
// second sum. All sums may wrap: only their low 16 bits are used.
__attribute__((target("avx2"))) uint32_t weak_sum_avx2(const std::byte* at, size_t bytes) {
  const __m256i weights = _mm256_setr_epi8(32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14,
                                           13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1);
  const __m256i ones8 = _mm256_set1_epi8(1);
  const __m256i ones16 = _mm256_set1_epi16(1);
  __m256i plain = _mm256_setzero_si256(), before = plain, weighted = plain;
  size_t done = 0;
  for (; done + 32 <= bytes; done += 32) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + done));
    before = _mm256_add_epi32(before, plain);
    plain = _mm256_add_epi32(plain, _mm256_madd_epi16(_mm256_maddubs_epi16(ones8, x), ones16));
    weighted = _mm256_add_epi32(weighted, _mm256_madd_epi16(_mm256_maddubs_epi16(weights, x), ones16));
  }
  const __m256i second = _mm256_add_epi32(weighted, _mm256_slli_epi32(before, 5));
  alignas(32) uint32_t a[8], b[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(a), plain);
  _mm256_store_si256(reinterpret_cast<__m256i*>(b), second);
  uint32_t s1 = 0, s2 = 0;
  for (int i = 0; i < 8; ++i) s1 += a[i], s2 += b[i];
  return weak_sum_plain(at + done, bytes - done, s1, s2);
}

__attribute__((target("avx512f,avx512bw,avx512vnni"))) uint32_t weak_sum_vnni(const std::byte* at, size_t bytes) {
  alignas(64) unsigned char descending[64];
  for (int i = 0; i < 64; ++i) descending[i] = static_cast<unsigned char>(64 - i);
  const __m512i weights = _mm512_load_si512(descending);
  const __m512i ones8 = _mm512_set1_epi8(1);
  __m512i plain = _mm512_setzero_si512(), before = plain, weighted = plain;
  size_t done = 0;
  for (; done + 64 <= bytes; done += 64) {
    const __m512i x = _mm512_loadu_si512(at + done);
    before = _mm512_add_epi32(before, plain);
    plain = _mm512_dpbusd_epi32(plain, ones8, x);
    weighted = _mm512_dpbusd_epi32(weighted, weights, x);
  }
  alignas(64) uint32_t a[16], b[16], c[16];
  _mm512_store_si512(a, plain);
  _mm512_store_si512(b, weighted);
  _mm512_store_si512(c, before);
  uint32_t s1 = 0, s2 = 0;
  for (int i = 0; i < 16; ++i) s1 += a[i], s2 += b[i] + 64 * c[i];
  return weak_sum_plain(at + done, bytes - done, s1, s2);
}

#endif

}  // namespace

uint32_t weak_sum(Bytes bytes) {
#ifdef OCSYNC_X86
  if (bytes.size() >= 64) {
    static const bool vnni = __builtin_cpu_supports("avx512vnni") != 0 && __builtin_cpu_supports("avx512bw") != 0;
    static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
    if (vnni) return weak_sum_vnni(bytes.data(), bytes.size());
    if (avx2) return weak_sum_avx2(bytes.data(), bytes.size());
  }
#endif
  return weak_sum_plain(bytes.data(), bytes.size());
}

namespace {

// The seed as the xxh family takes it: 32 signed bits, extended.
uint64_t native_seed(const Agreement& agreed) {
  return agreed.block_seed == SeedOrder::kNative ? static_cast<uint64_t>(static_cast<int64_t>(agreed.seed)) : 0;
}

Bytes seed_bytes(const int32_t& seed) { return std::as_bytes(std::span(&seed, 1)); }

}  // namespace

BlockHasher::BlockHasher(const Agreement& agreed)
    : kind_(agreed.transfer_digest),
      // A seed of 0 is left out, not hashed.
      order_(agreed.seed == 0 ? SeedOrder::kUnseeded : agreed.block_seed),
      seed_(agreed.seed),
      hasher_(agreed.transfer_digest, native_seed(agreed)) {}

Digest BlockHasher::operator()(Bytes block) {
  if (order_ == SeedOrder::kNative) return hash(kind_, block, static_cast<uint64_t>(static_cast<int64_t>(seed_)));
  if (order_ == SeedOrder::kUnseeded) return hash(kind_, block);
  hasher_.reset();
  if (order_ == SeedOrder::kBefore) hasher_.update(seed_bytes(seed_));
  hasher_.update(block);
  if (order_ == SeedOrder::kAfter) hasher_.update(seed_bytes(seed_));
  return hasher_.finish();
}

Hasher file_hasher(const Agreement& agreed) {
  Hasher hasher(agreed.transfer_digest);
  if (agreed.seeded_file_sum) hasher.update(seed_bytes(agreed.seed));
  return hasher;
}

}  // namespace ocsync::proto
