#include "libsync/sender/match.h"

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "libsync/sender/scan.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

using Content = std::vector<std::byte>;

proto::Agreement agreement() {
  proto::Agreement a = proto::Agreement::from(32, 0);
  a.transfer_digest = DigestKind::kXxh128;
  a.block_seed = proto::SeedOrder::kNative;
  a.seed = 99;
  return a;
}

// A file without a name that holds `content`.
io::File file_of(const Content& content) {
  const int fd = memfd_create("match_test", 0);
  REQUIRE(fd >= 0);
  io::File file{io::Fd(fd)};
  REQUIRE(file.write_at(content, 0));
  return file;
}

proto::BlockSums sums_of(const Content& basis, uint32_t block_bytes, int32_t digest_bytes) {
  proto::BlockSums sums;
  sums.head = proto::choose_sum_head(basis.size(), block_bytes, false, agreement());
  sums.head.digest_bytes = digest_bytes;
  proto::BlockHasher strong(agreement());
  for (int32_t i = 0; i < sums.head.blocks; ++i) {
    const Bytes block = Bytes(basis).subspan(sums.head.offset_of(i), sums.head.length_of(i));
    sums.weak.push_back(proto::weak_sum(block));
    const Digest digest = strong(block);
    sums.strong.insert(sums.strong.end(), digest.data.begin(), digest.data.begin() + digest_bytes);
  }
  return sums;
}

// Tokens as text: "b3" for a block, "l5" for five literal bytes; neighbouring literals joined.
struct Tokens final : proto::TokenWriter {
  std::vector<std::pair<char, uint64_t>> seen;
  Content rebuilt;
  const Content* basis = nullptr;
  uint32_t block_bytes = 0;
  Status begin_file() override { return {}; }
  Status literal(Bytes bytes, Writer&) override {
    if (seen.empty() || seen.back().first != 'l') seen.emplace_back('l', 0);
    seen.back().second += bytes.size();
    rebuilt.insert(rebuilt.end(), bytes.begin(), bytes.end());
    return {};
  }
  Status match(int32_t block, Bytes content, Writer&) override {
    seen.emplace_back('b', static_cast<uint64_t>(block));
    rebuilt.insert(rebuilt.end(), content.begin(), content.end());
    return {};
  }
  Status end_file(Writer&) override {
    seen.emplace_back('e', 0);
    return {};
  }
};

struct Outcome {
  std::vector<std::pair<char, uint64_t>> tokens;
  MatchTotals totals;
  Content rebuilt;
};

Outcome run(const Content& source, const BlockIndex* index, MatchRules rules) {
  const io::File file = file_of(source);
  io::MapFile map(file, source.size(), io::MapFile::Access::kSequential);
  Tokens tokens;
  proto::BlockHasher strong(agreement());
  Hasher whole = proto::file_hasher(agreement());
  CountingSink sink;
  Writer out(sink);
  const io::Stop stop;
  const Result<MatchTotals> totals = match_file(map, source.size(), index, rules, tokens, strong, whole, out, stop);
  REQUIRE(totals);
  return {tokens.seen, *totals, tokens.rebuilt};
}

// The rules of the specification, done as plainly as possible: a chain per weak sum, walked at each offset.
struct Plain {
  std::vector<std::pair<char, uint64_t>> tokens;
  uint64_t matches = 0, false_alarms = 0;

  Plain(const Content& source, const proto::BlockSums& sums, bool inplace) {
    const proto::SumHead& head = sums.head;
    const uint64_t length = source.size(), block_bytes = static_cast<uint64_t>(head.block_bytes);
    const uint64_t last_length = head.length_of(head.blocks - 1);
    proto::BlockHasher strong(agreement());
    std::map<uint32_t, std::vector<int32_t>> chains;
    for (int32_t i = head.blocks - 1; i >= 0; --i) chains[sums.weak[static_cast<size_t>(i)]].push_back(i);
    std::vector<bool> same_offset(static_cast<size_t>(head.blocks));
    uint64_t last = 0;
    int64_t want = 0;
    const auto literals = [&](uint64_t to) {
      if (to > last) {
        if (tokens.empty() || tokens.back().first != 'l') tokens.emplace_back('l', 0);
        tokens.back().second += to - last;
      }
      last = to;
    };
    for (uint64_t offset = 0; offset + last_length <= length; ++offset) {
      const uint64_t k = std::min(block_bytes, length - offset);
      const Bytes window = Bytes(source).subspan(offset, k);
      const uint32_t weak = proto::weak_sum(window);
      const auto chain = chains.find(weak);
      if (chain == chains.end()) continue;
      const auto like = [&](int64_t block, const Digest& digest) {
        if (block >= head.blocks) return false;
        const int32_t b = static_cast<int32_t>(block);
        const Bytes sum = sums.strong_of(b);
        return sums.weak[static_cast<size_t>(b)] == weak && head.length_of(b) == k &&
               std::equal(sum.begin(), sum.end(), digest.data.begin());
      };
      const auto readable = [&](int64_t block) {
        return !inplace || static_cast<uint64_t>(block) * block_bytes >= offset ||
               same_offset[static_cast<size_t>(block)];
      };
      const Digest digest = strong(window);
      uint64_t window_alarms = 0;
      for (const int32_t candidate : chain->second) {
        if (!readable(candidate)) continue;
        if (head.length_of(candidate) != k) continue;
        if (!like(candidate, digest)) {
          false_alarms += window_alarms++ < 1024;  // rsync looks at no more
          continue;
        }
        int64_t block = candidate;
        if (inplace) {
          const uint64_t border = (offset + block_bytes - 1) / block_bytes * block_bytes;
          const int64_t there = static_cast<int64_t>(border / block_bytes);
          const bool may_wait = weak == 0 && k == block_bytes && border + k <= length;
          if ((offset == border || may_wait) && like(there, digest)) {
            block = there;
            const bool moved = offset != border;
            const Bytes later = moved ? Bytes(source).subspan(border, k) : window;
            if (!moved || (proto::weak_sum(later) == weak && like(there, strong(later)))) {
              offset = border;
              same_offset[static_cast<size_t>(block)] = true;
              want = block;
            }
          }
        }
        if (block != want && like(want, digest) && readable(want)) block = want;
        want = block + 1;
        literals(offset);
        tokens.emplace_back('b', static_cast<uint64_t>(block));
        last = offset + k;
        offset = last - 1;
        ++matches;
        break;
      }
    }
    literals(length);
    tokens.emplace_back('e', 0);
  }
};

Content bytes_from(std::mt19937& random, size_t count, unsigned kinds) {
  Content content(count);
  for (std::byte& b : content) b = static_cast<std::byte>(random() % kinds - kinds / 2);
  return content;
}

// Pieces of eight bytes whose weak sum is zero wherever they stand: blocks built of them differ in the strong sum only.
Content weightless(std::mt19937& random, size_t pieces) {
  Content content(pieces * 8);
  for (size_t p = 0; p < pieces; ++p) {
    const size_t at = p * 8 + random() % 6;
    if (random() % 4 == 0) continue;
    const int sign = random() % 2 == 0 ? 1 : -1;
    content[at] = static_cast<std::byte>(sign);
    content[at + 1] = static_cast<std::byte>(-2 * sign);
    content[at + 2] = static_cast<std::byte>(sign);
  }
  return content;
}

// A new version of `basis`: pieces of it moved about, with something else between.
Content edited(std::mt19937& random, const Content& basis, unsigned kinds) {
  Content content;
  for (unsigned i = random() % 12; i > 0; --i) {
    if (random() % 3 == 0 || basis.empty()) {
      const Content other = bytes_from(random, random() % 60, kinds);
      content.insert(content.end(), other.begin(), other.end());
    } else {
      const size_t from = random() % basis.size();
      const size_t count = std::min<size_t>(basis.size() - from, random() % (basis.size() + 1));
      content.insert(content.end(), basis.begin() + static_cast<std::ptrdiff_t>(from),
                     basis.begin() + static_cast<std::ptrdiff_t>(from + count));
    }
  }
  return content;
}

void check_like_plain(const Content& source, const Content& basis, uint32_t block_bytes, int32_t digest_bytes) {
  for (const bool inplace : {false, true}) {
    INFO("source " << source.size() << " basis " << basis.size() << " block " << block_bytes << " digest "
                   << digest_bytes << " inplace " << inplace);
    const proto::BlockSums sums = sums_of(basis, block_bytes, digest_bytes);
    const Plain plain(source, sums, inplace);
    const BlockIndex index(sums);
    const Outcome outcome = run(source, &index, {.inplace = inplace});
    REQUIRE(outcome.tokens == plain.tokens);
    CHECK(outcome.totals.matches == plain.matches);
    CHECK(outcome.totals.false_alarms == plain.false_alarms);
    CHECK((outcome.rebuilt == source));
    CHECK(outcome.totals.literal_bytes + outcome.totals.matched_bytes == source.size());
    CHECK(outcome.totals.file_sum == hash(DigestKind::kXxh128, source));
    CHECK_FALSE(outcome.totals.damaged);
  }
}

}  // namespace

TEST_CASE("match: the tokens are those of the plain rules, for many small files") {
  std::mt19937 random(2024);
  for (int round = 0; round < 1500; ++round) {
    const unsigned kinds = 1 + random() % 4;
    const Content basis = bytes_from(random, 1 + random() % 700, kinds);
    const Content source = edited(random, basis, kinds);
    check_like_plain(source, basis, 1 + random() % 40, static_cast<int32_t>(random() % 4));
  }
}

TEST_CASE("match: weak sums that many different blocks share") {
  std::mt19937 random(5);
  for (int round = 0; round < 6; ++round) {
    const Content basis = weightless(random, 3000 + random() % 3000);
    Content source = weightless(random, 300);
    source.insert(source.end(), basis.begin() + 8000, basis.begin() + 14000);
    source.insert(source.end(), basis.begin(), basis.begin() + 4000);
    check_like_plain(source, basis, 16, 3);
    check_like_plain(source, basis, 24, 2);
  }
}

TEST_CASE("match: zeros in both stay in place, whole or shifted") {
  const Content basis(100000);
  Content source(90000);
  check_like_plain(source, basis, 700, 2);
  source.insert(source.begin() + 1234, std::byte{1});
  check_like_plain(source, basis, 700, 2);
  source.resize(150001);
  check_like_plain(source, basis, 700, 2);
}

TEST_CASE("match: a large file with an insertion in the middle") {
  std::mt19937 random(8);
  const Content basis = bytes_from(random, 3000000, 256);
  Content source = basis;
  source.insert(source.begin() + 1500001, {std::byte{1}, std::byte{2}, std::byte{3}});
  source[100] = static_cast<std::byte>(~static_cast<unsigned>(source[100]));
  const BlockIndex index(sums_of(basis, 0, 2));
  const Outcome outcome = run(source, &index, {});
  const uint64_t block = static_cast<uint64_t>(index.head().block_bytes);
  CHECK((outcome.rebuilt == source));
  CHECK(outcome.totals.literal_bytes == 2 * block + 3);
  CHECK(outcome.totals.matched_bytes == basis.size() - 2 * block);
  CHECK(outcome.totals.file_sum == hash(DigestKind::kXxh128, source));
}

TEST_CASE("match: without blocks everything is literal, in the units of the protocol") {
  std::mt19937 random(9);
  for (const size_t size : {size_t{0}, size_t{1}, proto::kChunk, size_t{1000003}}) {
    const Content source = bytes_from(random, size, 256);
    const Outcome outcome = run(source, nullptr, {});
    CHECK((outcome.rebuilt == source));
    CHECK(outcome.totals.literal_bytes == size);
    CHECK(outcome.totals.matches == 0);
    CHECK(outcome.totals.file_sum == hash(DigestKind::kXxh128, source));
  }
}

TEST_CASE("match: plain tokens are cut as rsync cuts them") {
  std::mt19937 random(10);
  const Content basis = bytes_from(random, 50000, 256);
  Content source = bytes_from(random, 100000, 256);
  source.insert(source.end(), basis.begin(), basis.begin() + 700);
  const Content more = bytes_from(random, 70000, 256);
  source.insert(source.end(), more.begin(), more.end());
  const BlockIndex index(sums_of(basis, 0, 2));
  const io::File file = file_of(source);
  io::MapFile map(file, source.size(), io::MapFile::Access::kSequential);
  const std::unique_ptr<proto::TokenWriter> tokens = proto::make_token_writer(agreement());
  proto::BlockHasher strong(agreement());
  Hasher whole = proto::file_hasher(agreement());
  MemorySink sink;
  Writer out(sink);
  const io::Stop stop;
  REQUIRE(match_file(map, source.size(), &index, {}, *tokens, strong, whole, out, stop));
  REQUIRE(out.flush());
  std::vector<int32_t> numbers;
  for (const std::byte* at = sink.bytes().data(); at < sink.bytes().data() + sink.bytes().size();) {
    numbers.push_back(load_le<int32_t>(at));
    at += 4 + std::max(numbers.back(), 0);
  }
  CHECK(numbers == std::vector<int32_t>{32768, 32768, 32768, 1696, -1, 32768, 32768, 4464, 0});
}

TEST_CASE("match: append sends what is new; append-verify digests what is there") {
  std::mt19937 random(11);
  const Content source = bytes_from(random, 100000, 256);
  const Bytes fresh = Bytes(source).subspan(60000);
  const Outcome append = run(source, nullptr, {.append = true, .append_from = 60000});
  CHECK(to_hex(append.rebuilt) == to_hex(fresh));
  CHECK(append.totals.file_sum == hash(DigestKind::kXxh128, fresh));
  const Outcome verify = run(source, nullptr, {.append = true, .append_from = 60000, .append_verify = true});
  CHECK(to_hex(verify.rebuilt) == to_hex(fresh));
  CHECK(verify.totals.file_sum == hash(DigestKind::kXxh128, source));
  const Outcome beyond = run(source, nullptr, {.append = true, .append_from = 100001, .append_verify = true});
  CHECK(beyond.rebuilt.empty());
  CHECK(beyond.totals.file_sum == hash(DigestKind::kXxh128, source));
}

TEST_CASE("match: a source that became shorter is filled up with zeros and digested wrongly") {
  std::mt19937 random(12);
  const Content source = bytes_from(random, 700000, 256);
  for (const bool with_index : {false, true}) {
    const io::File file = file_of(source);
    REQUIRE(file.truncate(300000));
    io::MapFile map(file, source.size(), io::MapFile::Access::kSequential);
    Tokens tokens;
    proto::BlockHasher strong(agreement());
    Hasher whole = proto::file_hasher(agreement());
    CountingSink sink;
    Writer out(sink);
    const io::Stop stop;
    const BlockIndex index(sums_of(source, 0, 2));
    const Result<MatchTotals> totals =
        match_file(map, source.size(), with_index ? &index : nullptr, {}, tokens, strong, whole, out, stop);
    REQUIRE(totals);
    CHECK(totals->damaged);
    CHECK(totals->damage.sys == 0);
    CHECK(tokens.rebuilt.size() == source.size());
    CHECK(std::equal(source.begin(), source.begin() + 290000, tokens.rebuilt.begin()));
    CHECK(std::all_of(tokens.rebuilt.begin() + 300000, tokens.rebuilt.end(),
                      [](std::byte b) { return b == std::byte{0}; }));
    CHECK(totals->file_sum == Digest{.data = {}, .size = 16});
  }
}

TEST_CASE("match: a stop ends the search, a broken stream too") {
  const Content source(3000000, std::byte{1});
  const io::File file = file_of(source);
  io::MapFile map(file, source.size(), io::MapFile::Access::kSequential);
  Tokens tokens;
  proto::BlockHasher strong(agreement());
  Hasher whole = proto::file_hasher(agreement());
  CountingSink sink;
  Writer out(sink);
  io::Stop stop;
  stop.request(2);
  const Result<MatchTotals> totals = match_file(map, source.size(), nullptr, {}, tokens, strong, whole, out, stop);
  REQUIRE_FALSE(totals);
  CHECK(totals.error().fault == Fault::kInterrupted);
}

TEST_CASE("match: hash hits are counted as rsync's table would") {
  // Every window of a source equal to the basis is found at its block's offset: one hit per block.
  std::mt19937 random(13);
  const Content basis = bytes_from(random, 7000, 256);
  const BlockIndex index(sums_of(basis, 700, 2));
  CHECK(run(basis, &index, {.count_hash_hits = true}).totals.hash_hits == 10);
  CHECK(run(basis, &index, {}).totals.hash_hits == 0);
}

TEST_CASE("scan: every kind finds the same windows") {
  std::mt19937 random(14);
  int compared = 0;
  for (const ScanKind kind : {ScanKind::kAvx2, ScanKind::kAvx512}) {
    if (!scan_kind_available(kind)) continue;
    for (int round = 0; round < 400; ++round) {
      const unsigned kinds = round % 3 == 0 ? 256 : 2 + random() % 3;
      const uint32_t block_bytes = 1 + random() % (round % 4 == 0 ? 5000 : 60);
      const Content basis = bytes_from(random, block_bytes * (1 + random() % 30), kinds);
      const BlockIndex index(sums_of(basis, block_bytes, 2));
      Content source = bytes_from(random, block_bytes + random() % 3000, kinds);
      if (random() % 2 == 0) source.insert(source.end(), basis.begin(), basis.end());
      uint32_t weak = proto::weak_sum(Bytes(source).first(block_bytes));
      size_t at = 0;
      while (at + block_bytes <= source.size()) {
        const size_t offsets = source.size() - block_bytes - at + 1;
        const Scanned plain = scan(ScanKind::kPlain, index, source.data() + at, offsets, block_bytes, weak);
        const Scanned wide = scan(kind, index, source.data() + at, offsets, block_bytes, weak);
        REQUIRE(wide.offset == plain.offset);
        REQUIRE(wide.bucket == plain.bucket);
        if (plain.bucket == BlockIndex::kNoBucket) break;
        REQUIRE(wide.weak == plain.weak);
        REQUIRE(plain.weak == proto::weak_sum(Bytes(source).subspan(at + plain.offset, block_bytes)));
        at += plain.offset + 1;
        if (at + block_bytes <= source.size()) weak = proto::weak_sum(Bytes(source).subspan(at, block_bytes));
        ++compared;
      }
    }
  }
  if (scan_kind_available(ScanKind::kAvx2)) CHECK(compared > 1000);
}
