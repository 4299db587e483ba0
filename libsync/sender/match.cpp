#include "libsync/sender/match.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <unordered_map>

#include "libsync/sender/scan.h"

namespace ocsync::sync {

namespace {

// Words of the filter: one to two per block, that is 32 to 64 bits. Beyond 2^18 words (1 MiB) it would not be read from
// the second-level cache any more.
constexpr uint32_t kMinFilterBits = 8, kMaxFilterBits = 18;

uint32_t bits_for(size_t count) { return static_cast<uint32_t>(std::bit_width(count)); }

}  // namespace

BlockIndex::BlockIndex(proto::BlockSums sums) : sums_(std::move(sums)) {
  const proto::SumHead& head = sums_.head;
  if (head.tail_bytes != head.block_bytes) tail_bytes_ = static_cast<uint32_t>(head.tail_bytes);
  const size_t count = static_cast<size_t>(head.blocks) - (head.blocks > 0 && tail_bytes_ != 0 ? 1 : 0);

  const uint32_t filter_bits = std::clamp(bits_for(count), kMinFilterBits, kMaxFilterBits);
  filter_.resize(size_t{1} << filter_bits);
  word_shift_ = 32 - filter_bits;
  const Filter bits = filter();
  const uint32_t cell_bits = std::max(bits_for(count), 1u);
  cell_shift_ = 32 - cell_bits;
  const auto cell_of = [this](uint32_t weak) { return (weak * kHashFactor) >> cell_shift_; };

  // Blocks by cell, highest number first.
  cells_.resize((size_t{1} << cell_bits) + 1);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t weak = sums_.weak[i];
    ++cells_[cell_of(weak) + 1];
    const uint32_t hash = weak * kHashFactor;
    filter_[hash >> bits.word_shift] |=
        (1u << ((hash >> bits.first_shift) & 31)) | (1u << ((hash >> bits.second_shift) & 31));
  }
  for (size_t c = 1; c < cells_.size(); ++c) cells_[c] += cells_[c - 1];
  order_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    uint32_t& end = cells_[cell_of(sums_.weak[i]) + 1];
    order_[--end] = static_cast<int32_t>(i);
  }
  // Filling moved each end back to its cell's begin: cells_[c + 1] is now the begin of cell c.

  buckets_.reserve(count + 1);
  groups_.reserve(count);
  for (size_t c = 0; c + 1 < cells_.size(); ++c) {
    const uint32_t begin = cells_[c + 1];
    const uint32_t end = c + 2 < cells_.size() ? cells_[c + 2] : static_cast<uint32_t>(count);
    cells_[c] = static_cast<uint32_t>(buckets_.size());
    const auto weak_at = [this](int32_t block) { return sums_.weak[static_cast<size_t>(block)]; };
    const auto from = order_.begin() + begin, to = order_.begin() + end;
    if (std::any_of(from, to, [&](int32_t block) { return weak_at(block) != weak_at(*from); })) {
      std::stable_sort(from, to, [&](int32_t a, int32_t b) { return weak_at(a) < weak_at(b); });
    }
    for (uint32_t first = begin, next = begin; first < end; first = next) {
      const uint32_t weak = weak_at(order_[first]);
      while (next < end && weak_at(order_[next]) == weak) ++next;
      buckets_.push_back({weak, first, static_cast<uint32_t>(groups_.size())});
      group(first, next);
    }
  }
  cells_.back() = static_cast<uint32_t>(buckets_.size());
  buckets_.push_back({0, static_cast<uint32_t>(count), static_cast<uint32_t>(groups_.size())});
}

// Makes the groups of a bucket that consists of order_[begin, end).
void BlockIndex::group(uint32_t begin, uint32_t end) {
  const auto same = [this](int32_t a, int32_t b) { return std::ranges::equal(sums_.strong_of(a), sums_.strong_of(b)); };
  const int32_t top = order_[begin];
  groups_.push_back({top, 0});
  if (std::all_of(order_.begin() + begin + 1, order_.begin() + end, [&](int32_t block) { return same(block, top); })) {
    return;
  }
  groups_.pop_back();
  // By strong sum, and within equal ones in candidate order; the first of each kind makes the group.
  std::vector<uint32_t> ranks(end - begin);
  for (uint32_t i = 0; i < ranks.size(); ++i) ranks[i] = i;
  const auto strong_at = [&](uint32_t rank) { return sums_.strong_of(order_[begin + rank]); };
  std::stable_sort(ranks.begin(), ranks.end(), [&](uint32_t a, uint32_t b) {
    const Bytes x = strong_at(a), y = strong_at(b);
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
  });
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (i > 0 && std::ranges::equal(strong_at(ranks[i]), strong_at(ranks[i - 1]))) continue;
    groups_.push_back({order_[begin + ranks[i]], ranks[i]});
  }
}

const BlockIndex::Group* BlockIndex::find_group(uint32_t bucket, const Digest& strong) const {
  const Bytes wanted = Bytes(strong.data).first(static_cast<size_t>(sums_.head.digest_bytes));
  const Group* const end = groups_.data() + buckets_[bucket + 1].groups_begin;
  const Group* const found =
      std::partition_point(groups_.data() + buckets_[bucket].groups_begin, end, [&](const Group& group) {
        const Bytes sum = sums_.strong_of(group.first);
        return std::lexicographical_compare(sum.begin(), sum.end(), wanted.begin(), wanted.end());
      });
  return found != end && std::ranges::equal(sums_.strong_of(found->first), wanted) ? found : nullptr;
}

uint32_t BlockIndex::find(uint32_t weak) const {
  const uint32_t cell = (weak * kHashFactor) >> cell_shift_;
  uint32_t begin = cells_[cell], end = cells_[cell + 1];
  while (end - begin > 8) {
    const uint32_t middle = begin + (end - begin) / 2;
    if (buckets_[middle].weak <= weak)
      begin = middle;
    else
      end = middle;
  }
  for (; begin < end; ++begin) {
    if (buckets_[begin].weak == weak) return begin;
  }
  return kNoBucket;
}

namespace {

// What one view asks for. Small enough that what was scanned is still in the cache when it is digested and sent.
constexpr size_t kWindowBytes = 256 * 1024;
constexpr size_t kMaxView = 16 * 1024 * 1024;  // MapFile's bound

// The source as contiguous memory, whatever happens to the file: what cannot be read is zeros, and remembered.
class Source {
 public:
  Source(io::MapFile& map, uint64_t bytes) : map_(map), bytes_(bytes) {}

  uint64_t bytes() const { return bytes_; }
  bool damaged() const { return damaged_; }
  const Error& damage() const { return damage_; }

  void note(const Error& error) {
    if (!damaged_) damage_ = error;
    damaged_ = true;
  }

  // The bytes [from, to), valid until the next call.
  Bytes view(uint64_t from, uint64_t to) {
    const size_t count = static_cast<size_t>(to - from);
    if (count <= kMaxView && to <= shrunk_to_) {
      Result<Bytes> bytes = map_.view(from, count);
      if (bytes) return *bytes;
      note(bytes.error());
    }
    own_.resize(count);
    for (size_t done = 0; done < count;) {
      const size_t now = std::min(count - done, kMaxView);
      copy(from + done, MutableBytes(own_).subspan(done, now));
      done += now;
    }
    return own_;
  }

 private:
  static constexpr size_t kPage = 4096;

  // In halves, so that only the pages that cannot be read are lost.
  void copy(uint64_t from, MutableBytes into) {
    if (from < shrunk_to_) {
      Result<Bytes> bytes = map_.view(from, into.size());
      if (bytes) {
        std::memcpy(into.data(), bytes->data(), into.size());
        return;
      }
      note(bytes.error());
      if (into.size() > kPage) {
        const size_t half = into.size() / 2;
        copy(from, into.first(half));
        return copy(from + half, into.subspan(half));
      }
      // Nothing is asked for behind the new end of a file that has shrunk: each question would cost a system call.
      if (bytes.error().sys == 0) shrunk_to_ = std::min(shrunk_to_, from);
    }
    std::fill(into.begin(), into.end(), std::byte{0});
  }

  io::MapFile& map_;
  uint64_t bytes_;
  uint64_t shrunk_to_ = UINT64_MAX;
  bool damaged_ = false;
  Error damage_;
  std::vector<std::byte> own_;
};

// Counts what rsync calls hash hits: offsets whose weak sum falls into a slot of its table that is not empty. The table
// is imitated, since its collisions are part of the number. (With the in-place rule rsync empties slots as it goes;
// that is not imitated.)
class HitCounter {
 public:
  explicit HitCounter(const proto::BlockSums& sums) {
    const uint64_t wanted = static_cast<uint64_t>(sums.head.blocks / 8) * 10 + 11;
    slots_ = static_cast<uint32_t>(std::max<uint64_t>(wanted, kSmallTable));
    used_.resize(slots_);
    for (const uint32_t weak : sums.weak) used_[slot(weak)] = true;
  }
  uint64_t count(uint32_t weak) const { return used_[slot(weak)] ? 1 : 0; }

 private:
  static constexpr uint32_t kSmallTable = 1 << 16;
  uint32_t slot(uint32_t weak) const { return slots_ == kSmallTable ? (weak + (weak >> 16)) & 0xFFFFu : weak % slots_; }
  uint32_t slots_;
  std::vector<bool> used_;
};

// Sends bytes of the source in order, as literals or blocks, and digests them.
class Output {
 public:
  Output(Source& source, const MatchRules& rules, proto::TokenWriter& tokens, Hasher& whole_file, Writer& out,
         const io::Stop& stop)
      : source_(source), rules_(rules), tokens_(tokens), whole_file_(whole_file), out_(out), stop_(stop) {}

  uint64_t done() const { return done_; }
  void start_at(uint64_t offset) { done_ = offset; }
  MatchTotals& totals() { return totals_; }

  Status literal(Bytes bytes) {
    if (bytes.empty()) return {};
    whole_file_.update(bytes);
    TRY(tokens_.literal(bytes, out_));
    totals_.literal_bytes += bytes.size();
    return advance(bytes.size());
  }
  Status block(int32_t number, Bytes content) {
    if (rules_.trace)
      rules_.trace(fmt::format("match at {} last_match={} j={} len={} n={}", done_, traced_, number, content.size(),
                               done_ - traced_));
    traced_ = done_ + content.size();
    whole_file_.update(content);
    TRY(tokens_.match(number, content, out_));
    totals_.matched_bytes += content.size();
    ++totals_.matches;
    return advance(content.size());
  }
  // All of the source that has not been sent yet.
  Status rest_as_literals() {
    while (done_ < source_.bytes()) {
      TRY(literal(source_.view(done_, std::min(source_.bytes(), done_ + kWindowBytes))));
    }
    return {};
  }

 private:
  Status advance(uint64_t bytes) {
    done_ += bytes;
    if (done_ < next_look_) return {};
    next_look_ = done_ + kWindowBytes;
    if (rules_.progress) rules_.progress(done_);
    return stop_.check();
  }

  Source& source_;
  const MatchRules& rules_;
  proto::TokenWriter& tokens_;
  Hasher& whole_file_;
  Writer& out_;
  const io::Stop& stop_;
  uint64_t done_ = 0;
  uint64_t traced_ = 0;  // the end of the last match, for traces
  uint64_t next_look_ = 0;
  MatchTotals totals_;
};

// The rolling search over one file. See README.md.
class Search {
 public:
  Search(Source& source, const BlockIndex& index, const MatchRules& rules, proto::BlockHasher& strong, Output& output)
      : source_(source),
        index_(index),
        sums_(index.sums()),
        head_(index.head()),
        block_bytes_(static_cast<uint32_t>(index.head().block_bytes)),
        length_(source.bytes()),
        inplace_(rules.inplace),
        strong_(strong),
        output_(output),
        kind_(best_scan_kind()) {
    if (rules.count_hash_hits) counter_ = std::make_unique<HitCounter>(sums_);
    if (inplace_) in_place_.resize(static_cast<size_t>(head_.blocks));
  }

  Status run() {
    TRY(search_full_blocks());
    TRY(search_tail());
    return output_.rest_as_literals();
  }

 private:
  // Bytes [from, to) of the source. Whatever is not sent yet stays in view.
  Bytes at(uint64_t from, uint64_t to) {
    if (from < view_from_ || to > view_from_ + view_.size()) {
      const uint64_t reach = std::max(to, from + kWindowBytes + 2 * uint64_t{block_bytes_});
      view_from_ = std::min(from, output_.done());
      view_ = source_.view(view_from_, std::min(length_, reach));
    }
    return view_.subspan(static_cast<size_t>(from - view_from_), static_cast<size_t>(to - from));
  }

  Status search_full_blocks() {
    uint64_t offset = 0;
    bool known = false;  // weak is the sum of the window at offset
    uint32_t weak = 0;
    while (offset + block_bytes_ <= length_) {
      const uint64_t room = length_ - block_bytes_ - offset + 1;
      // Ask for the first window only, so that a view with less than the most is used up before the next is made.
      Bytes window = at(offset, offset + block_bytes_);
      const uint64_t in_view = view_from_ + view_.size() - block_bytes_ - offset + 1;
      const size_t offsets = static_cast<size_t>(std::min({room, in_view, uint64_t{kWindowBytes}}));
      if (!known) weak = proto::weak_sum(window);
      const Scanned found = scan(kind_, index_, window.data(), offsets, block_bytes_, weak);
      if (counter_) count_hits(window.data(), std::min(found.offset + 1, offsets), weak);
      offset += found.offset;
      known = false;
      if (found.bucket != BlockIndex::kNoBucket) {
        if (const int32_t block = choose(offset, found.bucket); block >= 0) {
          TRY(send_literals(offset));
          TRY(output_.block(block, at(offset, offset + block_bytes_)));
          offset += block_bytes_;
        } else {
          if (offset + block_bytes_ < length_) {
            const Bytes step = at(offset, offset + block_bytes_ + 1);
            weak = roll(found.weak, step.front(), step.back(), block_bytes_);
            known = true;
          }
          ++offset;
        }
      }
      // Whole units only, so that the tokens are cut as if all had been sent at once.
      const uint64_t waiting = offset - output_.done();
      if (waiting >= proto::kChunk) TRY(send_literals(output_.done() + waiting / proto::kChunk * proto::kChunk));
    }
    offset_ = offset;
    return {};
  }

  // The last block of the basis, if it is a short one, can only be the last bytes of the source.
  Status search_tail() {
    const uint32_t tail = index_.tail_bytes();
    if (counter_) count_last_hits(tail);
    if (tail == 0 || length_ < tail || length_ - tail < offset_) return {};
    const uint64_t offset = length_ - tail;
    const int32_t block = head_.blocks - 1;
    if (inplace_ && head_.offset_of(block) < offset) return {};
    const Bytes window = at(offset, length_);
    if (proto::weak_sum(window) != sums_.weak[static_cast<size_t>(block)]) return {};
    const Digest digest = strong_(window);
    if (!has_strong(block, digest)) {
      ++output_.totals().false_alarms;
      return {};
    }
    TRY(send_literals(offset));
    return output_.block(block, at(offset, length_));
  }

  Status send_literals(uint64_t to) {
    if (to == output_.done()) return {};
    return output_.literal(at(output_.done(), to));
  }

  bool has_strong(int32_t block, const Digest& digest) const {
    const Bytes sum = sums_.strong_of(block);
    return std::equal(sum.begin(), sum.end(), digest.data.begin());
  }
  // A full-length block with these sums.
  bool is_like(int64_t block, uint32_t weak, const Digest& digest) const {
    if (block >= head_.blocks) return false;
    const int32_t number = static_cast<int32_t>(block);
    return sums_.weak[static_cast<size_t>(number)] == weak && head_.length_of(number) == block_bytes_ &&
           has_strong(number, digest);
  }

  // The block to send for the window at `offset`, or -1. With the in-place rule `offset` may move on to where the same
  // block stands in the basis.
  int32_t choose(uint64_t& offset, uint32_t bucket) {
    if (given_up(bucket) || (inplace_ && !any_readable(offset, bucket))) return -1;
    const uint32_t weak = index_.weak_of(bucket);
    const Digest digest = strong_(at(offset, offset + block_bytes_));
    const BlockIndex::Group* const group = index_.find_group(bucket, digest);
    int32_t block = inplace_ ? candidate_in_place(offset, bucket, group) : candidate(bucket, group);
    if (block < 0) {
      count_in_vain(bucket);
      return -1;
    }
    if (inplace_) block = aligned(block, offset, bucket, *group, digest);
    // Adjacent matches make the shortest tokens.
    if (block != want_ && is_like(want_, weak, digest) && (!inplace_ || may_read(want_, offset))) {
      block = static_cast<int32_t>(want_);
    }
    want_ = int64_t{block} + 1;
    return block;
  }

  // As rsync counts, which gives up on a window after so many candidates; ours are only counted, not walked.
  void count_false_alarms(uint64_t passed_over) {
    constexpr uint64_t kRsyncWalks = 1024;
    output_.totals().false_alarms += std::min(passed_over, kRsyncWalks);
  }

  int32_t candidate(uint32_t bucket, const BlockIndex::Group* group) {
    count_false_alarms(group != nullptr ? group->rank : index_.blocks_of(bucket).size());
    return group != nullptr ? group->first : -1;
  }

  // With the in-place rule, blocks that have been overwritten are no candidates, unless they are known to have been
  // overwritten by themselves.
  bool may_read(int64_t block, uint64_t offset) const {
    return static_cast<uint64_t>(block) * block_bytes_ >= offset || in_place_[static_cast<size_t>(block)];
  }

  // Whether it is worth digesting the window.
  bool any_readable(uint64_t offset, uint32_t bucket) const {
    const uint64_t highest = static_cast<uint64_t>(index_.blocks_of(bucket).front());
    return highest * block_bytes_ >= offset || kept_.contains(bucket);
  }

  int32_t candidate_in_place(uint64_t offset, uint32_t bucket, const BlockIndex::Group* group) {
    const uint64_t first_intact = (offset + block_bytes_ - 1) / block_bytes_;
    const auto intact = [&](int32_t block) { return static_cast<uint64_t>(block) >= first_intact; };
    if (group != nullptr && intact(group->first)) {
      count_false_alarms(group->rank);
      return group->first;
    }
    // Next in candidate order are those that were sent for their own offset, the latest first.
    const std::span<const int32_t> blocks = index_.blocks_of(bucket);
    const auto place = std::partition_point(blocks.begin(), blocks.end(), intact) - blocks.begin();
    const auto passed = static_cast<uint64_t>(place);
    const auto known = kept_.find(bucket);
    if (known == kept_.end()) {
      count_false_alarms(passed);
      return -1;
    }
    const std::vector<int32_t>& kept = known->second;
    const auto last = group != nullptr ? last_kept_.find(group) : last_kept_.end();
    if (last == last_kept_.end()) {
      count_false_alarms(passed + kept.size());
      return -1;
    }
    const auto later = kept.end() - std::upper_bound(kept.begin(), kept.end(), last->second);
    count_false_alarms(passed + static_cast<uint64_t>(later));
    return last->second;
  }

  // Prefers the block that stands at this very offset of the basis, so that the receiver has nothing to write. A window
  // of zeros may even wait for the next block border, if the source has zeros there too.
  int32_t aligned(int32_t block, uint64_t& offset, uint32_t bucket, const BlockIndex::Group& group,
                  const Digest& digest) {
    const uint32_t weak = index_.weak_of(bucket);
    const uint64_t border = (offset + block_bytes_ - 1) / block_bytes_ * block_bytes_;
    const int64_t there = static_cast<int64_t>(border / block_bytes_);
    const bool may_wait = weak == 0 && border + block_bytes_ <= length_;
    if (offset != border && !may_wait) return block;
    if (there != block && !is_like(there, weak, digest)) return block;
    block = static_cast<int32_t>(there);
    if (offset != border) {
      const Bytes window = at(border, border + block_bytes_);
      if (proto::weak_sum(window) != weak || !has_strong(block, strong_(window))) return block;
      offset = border;
    }
    if (!in_place_[static_cast<size_t>(block)]) {
      in_place_[static_cast<size_t>(block)] = true;
      kept_[bucket].push_back(block);
      last_kept_[&group] = block;
    }
    want_ = block;  // nothing is preferred to it
    return block;
  }

  // A far side can send weak sums that fit everywhere with strong sums that fit nowhere: then each offset would cost
  // the digest of a whole block. Once that has cost as much as several passes over the source, a weak sum is trusted
  // only a few times more.
  bool given_up(uint32_t bucket) const {
    if (in_vain_bytes_ < kInVainFloor + kInVainPasses * length_ || in_vain_.empty()) return false;
    const auto known = in_vain_.find(bucket);
    return known != in_vain_.end() && known->second >= kInVainTrials;
  }
  void count_in_vain(uint32_t bucket) {
    in_vain_bytes_ += block_bytes_;
    if (in_vain_bytes_ >= kInVainFloor + kInVainPasses * length_) ++in_vain_[bucket];
  }

  void count_hits(const std::byte* from, size_t offsets, uint32_t weak) {
    for (size_t i = 0; i < offsets; ++i) {
      output_.totals().hash_hits += counter_->count(weak);
      if (i + 1 < offsets) weak = roll(weak, from[i], from[i + block_bytes_], block_bytes_);
    }
  }
  // Of the windows at the end that are shorter than a block.
  void count_last_hits(uint32_t tail) {
    const uint64_t last_length = tail != 0 ? tail : block_bytes_;
    const uint64_t end = length_ + 1 > last_length ? length_ + 1 - last_length : 1;
    if (offset_ >= end || length_ == 0) return;
    const Bytes rest = at(offset_, length_);
    uint32_t weak = proto::weak_sum(rest);
    for (size_t i = 0; offset_ + i < end; ++i) {
      output_.totals().hash_hits += counter_->count(weak);
      if (i >= rest.size()) return;  // an empty source is looked at once
      // The window shrinks: its first byte leaves, and was counted once for each byte of the window.
      const uint32_t leaving = static_cast<uint32_t>(static_cast<int32_t>(static_cast<signed char>(rest[i])));
      const uint32_t s2 = (weak >> 16) - static_cast<uint32_t>(rest.size() - i) * leaving;
      weak = ((weak - leaving) & 0xFFFFu) | (s2 << 16);
    }
  }

  static constexpr uint64_t kInVainFloor = uint64_t{256} << 20;
  static constexpr uint64_t kInVainPasses = 16;
  static constexpr uint32_t kInVainTrials = 64;

  Source& source_;
  const BlockIndex& index_;
  const proto::BlockSums& sums_;
  const proto::SumHead& head_;
  const uint32_t block_bytes_;
  const uint64_t length_;
  const bool inplace_;
  proto::BlockHasher& strong_;
  Output& output_;
  const ScanKind kind_;

  Bytes view_;
  uint64_t view_from_ = 0;
  uint64_t offset_ = 0;                                      // where the search for full blocks ended
  int64_t want_ = 0;                                         // the block after the one sent last
  std::vector<bool> in_place_;                               // blocks sent for their own offset
  std::unordered_map<uint32_t, std::vector<int32_t>> kept_;  // the same by bucket, ascending
  std::unordered_map<const BlockIndex::Group*, int32_t> last_kept_;
  std::unordered_map<uint32_t, uint32_t> in_vain_;
  uint64_t in_vain_bytes_ = 0;
  std::unique_ptr<HitCounter> counter_;
};

// No byte of the content is known to be wrong, but the receiver must not take it for complete.
Digest wrong_digest(const Digest& digest) {
  Digest wrong;
  wrong.size = digest.size;
  if (digest == wrong && wrong.size > 0) wrong.data[wrong.size - 1] = std::byte{1};
  return wrong;
}

}  // namespace

Result<MatchTotals> match_file(io::MapFile& source, uint64_t source_bytes, const BlockIndex* index,
                               const MatchRules& rules, proto::TokenWriter& tokens, proto::BlockHasher& strong,
                               Hasher& whole_file, Writer& out, const io::Stop& stop) {
  Source content(source, source_bytes);
  Output output(content, rules, tokens, whole_file, out, stop);
  TRY(tokens.begin_file());
  if (rules.append) {
    const uint64_t there = std::min(rules.append_from, source_bytes);
    for (uint64_t at = 0; rules.append_verify && at < there;) {
      const Bytes bytes = content.view(at, std::min(there, at + kWindowBytes));
      whole_file.update(bytes);
      at += bytes.size();
      TRY(stop.check());
    }
    output.start_at(there);
  }
  if (rules.append || index == nullptr || index->head().empty()) {
    TRY(output.rest_as_literals());
  } else {
    if (rules.trace) {
      rules.trace("built hash table");
      rules.trace(fmt::format("hash search b={} len={}", index->head().block_bytes, source_bytes));
    }
    TRY(Search(content, *index, rules, strong, output).run());
    if (rules.trace) rules.trace("done hash search");
  }
  TRY(tokens.end_file(out));

  // A mapped window whose end was cut off while it was looked at has shown zeros.
  if (const Status intact = source.intact(); !intact) content.note(intact.error());

  MatchTotals totals = output.totals();
  totals.file_sum = whole_file.finish();
  if (content.damaged()) {
    totals.damaged = true;
    totals.damage = content.damage();
    totals.file_sum = wrong_digest(totals.file_sum);
  }
  if (rules.trace) {
    rules.trace("sending file_sum");
    rules.trace(
        fmt::format("false_alarms={} hash_hits={} matches={}", totals.false_alarms, totals.hash_hits, totals.matches));
  }
  return totals;
}

}  // namespace ocsync::sync
