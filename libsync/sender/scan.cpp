#include "libsync/sender/scan.h"

#include <algorithm>
#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#define OCSYNC_X86 1
#endif

namespace ocsync::sync {

namespace {

Scanned scan_plain(const BlockIndex& index, const std::byte* at, size_t offsets, uint32_t block_bytes, uint32_t weak) {
  const BlockIndex::Filter filter = index.filter();
  const std::byte* ahead = at + block_bytes;
  const size_t last = offsets - 1;
  for (size_t i = 0;; ++i) {
    if (filter.passes(weak)) [[unlikely]] {
      const uint32_t bucket = index.find(weak);
      if (bucket != BlockIndex::kNoBucket) return {i, weak, bucket};
    }
    if (i == last) return {offsets, weak, BlockIndex::kNoBucket};
    weak = roll(weak, at[i], ahead[i], block_bytes);
  }
}

#ifdef OCSYNC_X86

// The wide versions take kBatch windows at a time through three steps: all weak sums; one word of the filter for each;
// all tests. The middle step is plain code: the gather instructions of the machines measured here take several times as
// long (scan_only of match_bench, half of the plain version's gain was lost to them).
//
// In the first step lanes have 16 bits, which is all that a weak sum keeps. With x the bytes that leave and y those
// that come, and (S1, S2) the sums of the window before, the window j + 1 bytes further has
//   s1[j] = S1 + P[j]                       P = prefix sums of y - x
//   s2[j] = S2 + (j + 1) * S1 + Q[j]        Q = prefix sums of P - block_bytes * x
// so that the long part (P and Q) does not wait for the lanes before.
constexpr size_t kBatch = 256;
// So many windows are looked at one by one first, lest dense hits cost a batch each.
constexpr size_t kSingly = 16;

struct Batch {
  alignas(64) uint32_t weak[kBatch];
  alignas(64) uint32_t word[kBatch];  // first its index, then itself
  uint32_t hits[kBatch / 16];         // windows that pass the filter: a bit each for the lanes of one round, in order
};

#define OCSYNC_AVX2 __attribute__((target("avx2,bmi2"), always_inline)) inline
#define OCSYNC_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,bmi2"), always_inline)) inline

// Not inlined: where wide instructions are allowed, the compiler would gather after all.
__attribute__((noinline)) void fetch_words(const uint32_t* words, Batch& batch) {
#pragma GCC unroll 16
  for (size_t i = 0; i < kBatch; ++i) batch.word[i] = words[batch.word[i]];
}

// --- AVX2: 16 windows at a time ---

struct Avx2 {
  static constexpr size_t kLanes = 16;

  OCSYNC_AVX2 static __m256i prefix(__m256i v) {
    v = _mm256_add_epi16(v, _mm256_slli_si256(v, 2));
    v = _mm256_add_epi16(v, _mm256_slli_si256(v, 4));
    v = _mm256_add_epi16(v, _mm256_slli_si256(v, 8));
    // The total of the low half, in every lane of the high half.
    const __m256i low = _mm256_permute2x128_si256(v, v, 0x08);
    return _mm256_add_epi16(v, _mm256_shuffle_epi8(low, _mm256_set1_epi16(0x0F0E)));
  }
  OCSYNC_AVX2 static __m256i last(__m256i v) {
    const __m256i high = _mm256_permute2x128_si256(v, v, 0x11);
    return _mm256_shuffle_epi8(high, _mm256_set1_epi16(0x0F0E));
  }
  OCSYNC_AVX2 static __m256i down(__m256i v, uint32_t bits) {
    return _mm256_srl_epi32(v, _mm_cvtsi32_si128(static_cast<int>(bits)));
  }
  OCSYNC_AVX2 static __m256i hash(__m256i weak) {
    return _mm256_mullo_epi32(weak, _mm256_set1_epi32(static_cast<int>(BlockIndex::kHashFactor)));
  }
  OCSYNC_AVX2 static void put(__m256i weak, const BlockIndex::Filter& filter, Batch& batch, size_t at) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(batch.weak + at), weak);
    _mm256_store_si256(reinterpret_cast<__m256i*>(batch.word + at), down(hash(weak), filter.word_shift));
  }

  // The sums of the kBatch windows behind the one that `weak` is of; returns the last of them. Of each 16, those of
  // windows 0-3 and 8-11 come first.
  __attribute__((target("avx2,bmi2"))) static uint32_t evaluate(const std::byte* at, uint32_t block_bytes,
                                                                uint32_t weak, const BlockIndex::Filter& filter,
                                                                Batch& batch) {
    const __m256i length = _mm256_set1_epi16(static_cast<short>(block_bytes));
    const __m256i steps = _mm256_setr_epi16(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    __m256i sum1 = _mm256_set1_epi16(static_cast<short>(weak));
    __m256i sum2 = _mm256_set1_epi16(static_cast<short>(weak >> 16));
    for (size_t i = 0; i < kBatch; i += kLanes) {
      const __m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i)));
      const __m256i y = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i + block_bytes)));
      const __m256i p = prefix(_mm256_sub_epi16(y, x));
      const __m256i q = prefix(_mm256_sub_epi16(p, _mm256_mullo_epi16(x, length)));
      const __m256i s1 = _mm256_add_epi16(sum1, p);
      const __m256i s2 = _mm256_add_epi16(_mm256_add_epi16(sum2, _mm256_mullo_epi16(sum1, steps)), q);
      put(_mm256_unpacklo_epi16(s1, s2), filter, batch, i);
      put(_mm256_unpackhi_epi16(s1, s2), filter, batch, i + kLanes / 2);
      sum1 = last(s1);
      sum2 = last(s2);
    }
    return batch.weak[kBatch - 1];
  }

  OCSYNC_AVX2 static uint32_t passing(const Batch& batch, size_t at, const BlockIndex::Filter& filter) {
    const __m256i h = hash(_mm256_load_si256(reinterpret_cast<const __m256i*>(batch.weak + at)));
    const __m256i word = _mm256_load_si256(reinterpret_cast<const __m256i*>(batch.word + at));
    const __m256i mask = _mm256_set1_epi32(31);
    const __m256i bits =
        _mm256_and_si256(_mm256_srlv_epi32(word, _mm256_and_si256(down(h, filter.first_shift), mask)),
                         _mm256_srlv_epi32(word, _mm256_and_si256(down(h, filter.second_shift), mask)));
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_slli_epi32(bits, 31))));
  }
  // Fills batch.hits; returns whether there are any.
  __attribute__((target("avx2,bmi2"))) static bool test(Batch& batch, const BlockIndex::Filter& filter) {
    uint32_t any = 0;
    for (size_t i = 0; i < kBatch / kLanes; ++i) {
      const uint32_t low = passing(batch, i * kLanes, filter), high = passing(batch, i * kLanes + kLanes / 2, filter);
      any |= batch.hits[i] = _pdep_u32(low, 0x0F0Fu) | _pdep_u32(high, 0xF0F0u);
    }
    return any != 0;
  }
};

// --- AVX-512: 32 windows at a time ---

struct Avx512 {
  static constexpr size_t kLanes = 32;

  // Within the quarters, then the total of one quarter added to the next, then to the next but one.
  OCSYNC_AVX512 static __m512i prefix(__m512i v, __m512i quarter_ends, __m512i pair_ends) {
    v = _mm512_add_epi16(v, _mm512_bslli_epi128(v, 2));
    v = _mm512_add_epi16(v, _mm512_bslli_epi128(v, 4));
    v = _mm512_add_epi16(v, _mm512_bslli_epi128(v, 8));
    v = _mm512_add_epi16(v, _mm512_maskz_permutexvar_epi16(0xFFFFFF00u, quarter_ends, v));
    return _mm512_add_epi16(v, _mm512_maskz_permutexvar_epi16(0xFFFF0000u, pair_ends, v));
  }
  OCSYNC_AVX512 static __m512i down(__m512i v, uint32_t bits) {
    return _mm512_maskz_srl_epi32(0xFFFF, v, _mm_cvtsi32_si128(static_cast<int>(bits)));
  }
  OCSYNC_AVX512 static __m512i hash(__m512i weak) {
    return _mm512_mullo_epi32(weak, _mm512_set1_epi32(static_cast<int>(BlockIndex::kHashFactor)));
  }
  OCSYNC_AVX512 static void put(__m512i weak, const BlockIndex::Filter& filter, Batch& batch, size_t at) {
    _mm512_store_si512(batch.weak + at, weak);
    _mm512_store_si512(batch.word + at, down(hash(weak), filter.word_shift));
  }

  // As above; of each 32, windows 0-3 of each 8 come first.
  __attribute__((target("avx512f,avx512bw,avx512dq,bmi2"))) static uint32_t evaluate(
      const std::byte* at, uint32_t block_bytes, uint32_t weak, const BlockIndex::Filter& filter, Batch& batch) {
    alignas(64) uint16_t table[3][kLanes];
    for (uint16_t j = 0; j < kLanes; ++j) {
      table[0][j] = static_cast<uint16_t>(j + 1);
      table[1][j] = static_cast<uint16_t>(j >= 8 ? j / 8 * 8 - 1 : 0);   // end of the quarter before
      table[2][j] = static_cast<uint16_t>(j >= 16 ? j / 8 * 8 - 9 : 0);  // end of the quarter before that
    }
    const __m512i steps = _mm512_load_si512(table[0]);
    const __m512i quarter_ends = _mm512_load_si512(table[1]);
    const __m512i pair_ends = _mm512_load_si512(table[2]);
    const __m512i last = _mm512_set1_epi16(kLanes - 1);
    const __m512i length = _mm512_set1_epi16(static_cast<short>(block_bytes));
    __m512i sum1 = _mm512_set1_epi16(static_cast<short>(weak));
    __m512i sum2 = _mm512_set1_epi16(static_cast<short>(weak >> 16));
    for (size_t i = 0; i < kBatch; i += kLanes) {
      const __m512i x = _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + i)));
      const __m512i y =
          _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + i + block_bytes)));
      const __m512i p = prefix(_mm512_sub_epi16(y, x), quarter_ends, pair_ends);
      const __m512i q = prefix(_mm512_sub_epi16(p, _mm512_mullo_epi16(x, length)), quarter_ends, pair_ends);
      const __m512i s1 = _mm512_add_epi16(sum1, p);
      const __m512i s2 = _mm512_add_epi16(_mm512_add_epi16(sum2, _mm512_mullo_epi16(sum1, steps)), q);
      put(_mm512_unpacklo_epi16(s1, s2), filter, batch, i);
      put(_mm512_unpackhi_epi16(s1, s2), filter, batch, i + kLanes / 2);
      sum1 = _mm512_permutexvar_epi16(last, s1);
      sum2 = _mm512_permutexvar_epi16(last, s2);
    }
    return batch.weak[kBatch - 1];
  }

  OCSYNC_AVX512 static uint32_t passing(const Batch& batch, size_t at, const BlockIndex::Filter& filter) {
    const __m512i h = hash(_mm512_load_si512(batch.weak + at));
    const __m512i word = _mm512_load_si512(batch.word + at);
    // Rotating needs no masking of the count.
    const __m512i first = _mm512_maskz_rorv_epi32(0xFFFF, word, down(h, filter.first_shift));
    const __m512i second = _mm512_maskz_rorv_epi32(0xFFFF, word, down(h, filter.second_shift));
    return _mm512_test_epi32_mask(_mm512_and_si512(first, second), _mm512_set1_epi32(1));
  }
  __attribute__((target("avx512f,avx512bw,avx512dq,bmi2"))) static bool test(Batch& batch,
                                                                             const BlockIndex::Filter& filter) {
    uint32_t any = 0;
    for (size_t i = 0; i < kBatch / kLanes; ++i) {
      const uint32_t low = passing(batch, i * kLanes, filter), high = passing(batch, i * kLanes + kLanes / 2, filter);
      any |= batch.hits[i] = _pdep_u32(low, 0x0F0F0F0Fu) | _pdep_u32(high, 0xF0F0F0F0u);
    }
    return any != 0;
  }
};

template <class Wide>
Scanned scan_wide(const BlockIndex& index, const std::byte* at, size_t offsets, uint32_t block_bytes, uint32_t weak) {
  const BlockIndex::Filter filter = index.filter();
  Scanned found = scan_plain(index, at, std::min(offsets, kSingly), block_bytes, weak);
  if (found.bucket != BlockIndex::kNoBucket || offsets <= kSingly) return found;
  size_t i = kSingly - 1;  // the last window looked at; found.weak is its sum
  weak = found.weak;
  Batch batch;
  for (; i + kBatch < offsets; i += kBatch) {
    weak = Wide::evaluate(at + i, block_bytes, weak, filter, batch);
    fetch_words(filter.words, batch);
    if (!Wide::test(batch, filter)) continue;
    for (size_t lane = 0; lane < kBatch; lane += Wide::kLanes) {
      for (uint32_t hits = batch.hits[lane / Wide::kLanes]; hits != 0; hits &= hits - 1) {
        const size_t j = static_cast<size_t>(std::countr_zero(hits));
        // From the order of windows to the order of sums: each 8 windows are 4 of the first and 4 of the second half.
        const size_t place = lane + j / 8 * 4 + j % 4 + (j % 8 >= 4 ? Wide::kLanes / 2 : 0);
        const uint32_t bucket = index.find(batch.weak[place]);
        if (bucket != BlockIndex::kNoBucket) return {i + 1 + lane + j, batch.weak[place], bucket};
      }
    }
  }
  found = scan_plain(index, at + i, offsets - i, block_bytes, weak);
  found.offset += i;
  return found;
}

#endif

}  // namespace

bool scan_kind_available(ScanKind kind) {
#ifdef OCSYNC_X86
  if (kind == ScanKind::kAvx512) {
    return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
           __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("bmi2") != 0;
  }
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
  if (kind == ScanKind::kAvx512) return scan_wide<Avx512>(index, at, offsets, block_bytes, weak);
  if (kind == ScanKind::kAvx2) return scan_wide<Avx2>(index, at, offsets, block_bytes, weak);
#endif
  (void)kind;
  return scan_plain(index, at, offsets, block_bytes, weak);
}

}  // namespace ocsync::sync
