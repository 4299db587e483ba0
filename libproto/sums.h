// Header and sums of a basis: how the receiving side describes what it has. See docs/sums.md; versions 27 to 32.
#pragma once

#include <cstdint>
#include <vector>

#include "libio/base/digest.h"
#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libproto/agreement.h"

namespace ocsync::proto {

inline constexpr uint8_t kShortSum = 2;
inline constexpr uint8_t kFullSum = 16;

struct SumHead {
  int32_t blocks = 0;
  int32_t block_bytes = 0;
  int32_t digest_bytes = 0;  // of each strong sum as sent
  int32_t tail_bytes = 0;    // length of the last block if it is shorter, else 0
  bool empty() const { return blocks == 0; }
  uint64_t file_bytes() const;  // what the head describes
  uint32_t length_of(int32_t block) const;
  uint64_t offset_of(int32_t block) const { return static_cast<uint64_t>(block) * static_cast<uint32_t>(block_bytes); }
  bool operator==(const SumHead&) const = default;
};

// The head for a basis of `file_bytes`: block length and strong length as every rsync computes them (1.10 of the
// specification). `block_size` is --block-size or 0; `full` asks for full-length strong sums (redo). A file too large
// for the count yields an empty head.
SumHead choose_sum_head(uint64_t file_bytes, uint32_t block_size, bool full, const Agreement& agreed);

Status write_sum_head(const SumHead& head, Writer& out);
// Refuses (Fault::kProtocol) heads outside the agreement's limits. `who` reads, as messages name the role.
Result<SumHead> read_sum_head(const Agreement& agreed, Reader& in, std::string_view who);

// The rolling sum of 1.11 over signed bytes; vectorised where the machine can.
uint32_t weak_sum(Bytes bytes);

// The strong sum of one block, in wire order, not yet cut to SumHead::digest_bytes. Reusable; one owner thread.
class BlockHasher {
 public:
  explicit BlockHasher(const Agreement& agreed);
  Digest operator()(Bytes block);

 private:
  DigestKind kind_;
  SeedOrder order_;
  int32_t seed_;
  Hasher hasher_;
};

// The digest over a whole file as it is sent after the tokens; begins with the seed where the agreement says so.
Hasher file_hasher(const Agreement& agreed);

// Sums of all blocks as they arrive: weak[i], and strong sums packed digest_bytes apart.
struct BlockSums {
  SumHead head;
  std::vector<uint32_t> weak;
  std::vector<std::byte> strong;
  Bytes strong_of(int32_t block) const {
    const size_t n = static_cast<size_t>(head.digest_bytes);
    return Bytes(strong).subspan(static_cast<size_t>(block) * n, n);
  }
};
// Reads the sums that follow `head` (memory grows only as bytes really arrive).
Result<BlockSums> read_block_sums(const SumHead& head, Reader& in);

}  // namespace ocsync::proto
