// Finds basis blocks in new content: the rolling search that turns a source file into tokens.
//
// The choice of matches is exactly that of rsync (candidate order, preference for the next block, in-place rule), so
// that statistics and bytes on the wire agree. How fast the search gets there is our own business: see README.md beside
// this file. Recent versions of rsync give up after 1024 candidates of one weak sum; we need not, and find their
// matches too.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "libio/base/digest.h"
#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libio/os/map_file.h"
#include "libio/os/stop.h"
#include "libproto/sums.h"
#include "libproto/tokens.h"

namespace ocsync::sync {

// The block sums of one basis, indexed by weak sum. Built once, by whichever thread read the sums; afterwards read-only
// and movable to another thread. Blocks whose weak and strong sums are all equal form one group, so that an image full
// of zeros costs no more than any other. Looking up either sum is logarithmic even for sums that somebody chose to
// collide.
class BlockIndex {
 public:
  explicit BlockIndex(proto::BlockSums sums);

  const proto::BlockSums& sums() const { return sums_; }
  const proto::SumHead& head() const { return sums_.head; }
  // Length of the last block if it is shorter than the others, else 0. The buckets below do not contain it.
  uint32_t tail_bytes() const { return tail_bytes_; }

  // Blocks that share weak and strong sum.
  struct Group {
    int32_t first;  // the highest block number: the first candidate
    uint32_t rank;  // blocks of its bucket with higher numbers
  };
  // All full-length blocks with one weak sum.
  struct Bucket {
    uint32_t weak;
    uint32_t blocks_begin;
    uint32_t groups_begin;
  };
  static constexpr uint32_t kNoBucket = UINT32_MAX;
  // The bucket's number, or kNoBucket.
  uint32_t find(uint32_t weak) const;
  uint32_t weak_of(uint32_t bucket) const { return buckets_[bucket].weak; }
  // The group of a bucket with this strong sum (a whole digest), or null.
  const Group* find_group(uint32_t bucket, const Digest& strong) const;
  // In candidate order: highest block number first.
  std::span<const int32_t> blocks_of(uint32_t bucket) const {
    return std::span(order_).subspan(buckets_[bucket].blocks_begin,
                                     buckets_[bucket + 1].blocks_begin - buckets_[bucket].blocks_begin);
  }

  // The filter in front of find(): for h = weak * kHashFactor, word h >> word_shift has the two bits
  // (h >> first_shift) & 31 and (h >> second_shift) & 31 set if some full-length block has this weak sum. One access to
  // memory lets through about one in three hundred of the sums that no block has.
  struct Filter {
    const uint32_t* words;
    uint32_t word_shift, first_shift, second_shift;
    bool passes(uint32_t weak) const {
      const uint32_t h = weak * kHashFactor;
      const uint32_t word = words[h >> word_shift];
      return ((word >> ((h >> first_shift) & 31)) & (word >> ((h >> second_shift) & 31)) & 1) != 0;
    }
  };
  static constexpr uint32_t kHashFactor = 0x9E3779B1u;
  Filter filter() const { return {filter_.data(), word_shift_, word_shift_ - 5, word_shift_ - 10}; }

 private:
  void group(uint32_t begin, uint32_t end);

  proto::BlockSums sums_;
  uint32_t tail_bytes_ = 0;
  std::vector<uint32_t> filter_;
  uint32_t word_shift_ = 0;
  std::vector<uint32_t> cells_;  // by hash: the first bucket of the cell; buckets of a cell ascend by weak sum
  uint32_t cell_shift_ = 0;
  std::vector<Bucket> buckets_;  // one more than there are, to end the last
  std::vector<int32_t> order_;   // block numbers by bucket, descending
  std::vector<Group> groups_;    // by bucket, ascending by strong sum
};

struct MatchRules {
  // The receiver overwrites its basis: a block may only be used before it is overwritten, or where it stands (2.4).
  bool inplace = false;
  // --append: the first append_from bytes are there already (SumHead::file_bytes(), clamped here to the source's
  // length); only what follows is sent, all as literals.
  bool append = false;
  uint64_t append_from = 0;
  // --append-verify: the bytes that are not sent feed the digest all the same.
  bool append_verify = false;
  // Fill MatchTotals::hash_hits as rsync counts them (for --debug=deltasum); costs time.
  bool count_hash_hits = false;
  // What is found, line by line (--debug=deltasum2); empty: nobody looks.
  std::function<void(std::string_view line)> trace;
  // Called now and then with the number of source bytes that have been answered.
  std::function<void(uint64_t done)> progress;
};

struct MatchTotals {
  uint64_t literal_bytes = 0;
  uint64_t matched_bytes = 0;
  uint64_t matches = 0;
  uint64_t hash_hits = 0;
  uint64_t false_alarms = 0;
  // The digest to send after the tokens. Wrong on purpose if `damage` is set.
  Digest file_sum;
  // Set if the source could not be read completely: zeros were sent for what was missing. sys is 0 if it had shrunk.
  bool damaged = false;
  Error damage;
};

// Sends the content of `source` (source_bytes long) as tokens, up to and including the end token; feeds `whole_file`
// with every byte the receiver will write. `index` null or empty: all of it as literal data. An error means that `out`
// failed or that a stop was requested; trouble with the source is told in the totals.
// `whole_file` must be fresh (proto::file_hasher()); it is finished here.
Result<MatchTotals> match_file(io::MapFile& source, uint64_t source_bytes, const BlockIndex* index,
                               const MatchRules& rules, proto::TokenWriter& tokens, proto::BlockHasher& strong,
                               Hasher& whole_file, Writer& out, const io::Stop& stop);

}  // namespace ocsync::sync
