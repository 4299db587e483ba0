#include "libsync/sender/scan.h"

#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#define OCSYNC_X86 1
#endif

namespace ocsync::sync {

namespace {

Scanned scan_plain(const BlockIndex& index, const std::byte* at, size_t offsets, uint32_t block_bytes, uint32_t weak) {
  const uint32_t* filter = index.filter();
  const uint32_t shift = index.filter_shift();
  const std::byte* ahead = at + block_bytes;
  const size_t last = offsets - 1;
  for (size_t i = 0;; ++i) {
    const uint32_t bit = (weak * BlockIndex::kHashFactor) >> shift;
    if (((filter[bit >> 5] >> (bit & 31)) & 1) != 0) [[unlikely]] {
      const uint32_t bucket = index.find(weak);
      if (bucket != BlockIndex::kNoBucket) return {i, weak, bucket};
    }
    if (i == last) return {offsets, weak, BlockIndex::kNoBucket};
    weak = roll(weak, at[i], ahead[i], block_bytes);
  }
}

#ifdef OCSYNC_X86

// Both wide versions work in 16-bit lanes, which is all that a weak sum keeps. With x the bytes that leave and y those
// that come, and (S1, S2) the sums of the window before, the window j + 1 bytes further has
//   s1[j] = S1 + P[j]                       P = prefix sums of y - x
//   s2[j] = S2 + (j + 1) * S1 + Q[j]        Q = prefix sums of P - block_bytes * x
// so that the long part (P and Q) does not wait for the batch before.

#define OCSYNC_AVX2 __attribute__((target("avx2,bmi2"), always_inline)) inline
#define OCSYNC_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,bmi2"), always_inline)) inline

OCSYNC_AVX2 __m256i prefix16(__m256i v) {
  v = _mm256_add_epi16(v, _mm256_slli_si256(v, 2));
  v = _mm256_add_epi16(v, _mm256_slli_si256(v, 4));
  v = _mm256_add_epi16(v, _mm256_slli_si256(v, 8));
  // The total of the low half, in every lane of the high half.
  const __m256i low = _mm256_permute2x128_si256(v, v, 0x08);
  return _mm256_add_epi16(v, _mm256_shuffle_epi8(low, _mm256_set1_epi16(0x0F0E)));
}

OCSYNC_AVX2 __m256i last16(__m256i v) {
  const __m256i high = _mm256_permute2x128_si256(v, v, 0x11);
  return _mm256_shuffle_epi8(high, _mm256_set1_epi16(0x0F0E));
}

// The lanes of `weak` whose filter bit is set, as 8 bits.
OCSYNC_AVX2 uint32_t filtered(__m256i weak, const uint32_t* filter, __m128i shift) {
  const __m256i hash =
      _mm256_srl_epi32(_mm256_mullo_epi32(weak, _mm256_set1_epi32(static_cast<int>(BlockIndex::kHashFactor))), shift);
  const __m256i words = _mm256_i32gather_epi32(reinterpret_cast<const int*>(filter), _mm256_srli_epi32(hash, 5), 4);
  const __m256i down = _mm256_and_si256(hash, _mm256_set1_epi32(31));
  const __m256i bits = _mm256_slli_epi32(_mm256_srlv_epi32(words, down), 31);
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(bits)));
}

__attribute__((target("avx2,bmi2"))) Scanned scan_avx2(const BlockIndex& index, const std::byte* at, size_t offsets,
                                                       uint32_t block_bytes, uint32_t weak) {
  constexpr size_t kBatch = 16;
  if (index.maybe(weak)) {
    const uint32_t bucket = index.find(weak);
    if (bucket != BlockIndex::kNoBucket) return {0, weak, bucket};
  }
  const uint32_t* filter = index.filter();
  const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(index.filter_shift()));
  const __m256i length = _mm256_set1_epi16(static_cast<short>(block_bytes));
  const __m256i steps = _mm256_setr_epi16(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
  __m256i sum1 = _mm256_set1_epi16(static_cast<short>(weak));
  __m256i sum2 = _mm256_set1_epi16(static_cast<short>(weak >> 16));
  size_t i = 0;  // sum1, sum2 are those of the window at i, which has been looked at
  for (; i + kBatch < offsets; i += kBatch) {
    const __m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i)));
    const __m256i y = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i + block_bytes)));
    const __m256i p = prefix16(_mm256_sub_epi16(y, x));
    const __m256i q = prefix16(_mm256_sub_epi16(p, _mm256_mullo_epi16(x, length)));
    const __m256i s1 = _mm256_add_epi16(sum1, p);
    const __m256i s2 = _mm256_add_epi16(_mm256_add_epi16(sum2, _mm256_mullo_epi16(sum1, steps)), q);
    const __m256i low = _mm256_unpacklo_epi16(s1, s2);    // windows 0-3 and 8-11
    const __m256i high = _mm256_unpackhi_epi16(s1, s2);   // windows 4-7 and 12-15
    const uint32_t hits_low = filtered(low, filter, shift), hits_high = filtered(high, filter, shift);
    if ((hits_low | hits_high) != 0) [[unlikely]] {
      alignas(32) uint16_t a[kBatch], b[kBatch];
      _mm256_store_si256(reinterpret_cast<__m256i*>(a), s1);
      _mm256_store_si256(reinterpret_cast<__m256i*>(b), s2);
      for (uint32_t hits = _pdep_u32(hits_low, 0x0F0Fu) | _pdep_u32(hits_high, 0xF0F0u); hits != 0; hits &= hits - 1) {
        const size_t j = static_cast<size_t>(std::countr_zero(hits));
        const uint32_t candidate = a[j] | static_cast<uint32_t>(b[j]) << 16;
        const uint32_t bucket = index.find(candidate);
        if (bucket != BlockIndex::kNoBucket) return {i + j + 1, candidate, bucket};
      }
    }
    sum1 = last16(s1);
    sum2 = last16(s2);
  }
  weak = static_cast<uint16_t>(_mm256_extract_epi16(sum1, 0)) |
         static_cast<uint32_t>(static_cast<uint16_t>(_mm256_extract_epi16(sum2, 0))) << 16;
  Scanned rest = scan_plain(index, at + i, offsets - i, block_bytes, weak);
  rest.offset += i;
  return rest;
}

#endif

}  // namespace

bool scan_kind_available(ScanKind kind) {
#ifdef OCSYNC_X86
  if (kind == ScanKind::kAvx2) return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi2") != 0;
#endif
  return kind == ScanKind::kPlain;
}

ScanKind best_scan_kind() {
  if (scan_kind_available(ScanKind::kAvx512)) return ScanKind::kAvx512;
  if (scan_kind_available(ScanKind::kAvx2)) return ScanKind::kAvx2;
  return ScanKind::kPlain;
}

Scanned scan(ScanKind kind, const BlockIndex& index, const std::byte* at, size_t offsets, uint32_t block_bytes,
             uint32_t weak) {
#ifdef OCSYNC_X86
  if (kind == ScanKind::kAvx2) return scan_avx2(index, at, offsets, block_bytes, weak);
#endif
  (void)kind;
  return scan_plain(index, at, offsets, block_bytes, weak);
}

}  // namespace ocsync::sync
