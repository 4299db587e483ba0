#include "libproto/sums.h"

#include <catch2/catch.hpp>
#include <random>

using namespace ocsync;
using namespace ocsync::proto;

namespace {

Agreement agreement(int version, DigestKind digest) {
  Agreement a = Agreement::from(version, 0);
  a.transfer_digest = digest;
  return a;
}

std::string head_bytes(int32_t blocks, int32_t block_bytes, int32_t digest, int32_t tail) {
  MemorySink sink;
  Writer out(sink);
  REQUIRE(write_sum_head({blocks, block_bytes, digest, tail}, out));
  REQUIRE(out.flush());
  return std::string(as_text(sink.bytes()));
}

Result<SumHead> read_head(const std::string& bytes, const Agreement& agreed) {
  MemorySource source(as_bytes(bytes));
  Reader in(source);
  return read_sum_head(agreed, in, "sender");
}

// The definition, one byte at a time.
uint32_t weak_by_definition(Bytes bytes) {
  uint32_t s1 = 0, s2 = 0;
  for (const std::byte b : bytes) {
    s1 += static_cast<uint32_t>(static_cast<int>(static_cast<signed char>(b)));
    s2 += s1;
  }
  return (s1 & 0xffff) | (s2 << 16);
}

}  // namespace

TEST_CASE("sums: heads as every rsync computes them") {
  struct Row {
    uint64_t length;
    SumHead modern, old;
  };
  const Row rows[] = {
      {5000, {8, 700, 2, 100}, {8, 700, 2, 100}},
      {490001, {701, 700, 2, 1}, {701, 700, 2, 1}},
      {1000000, {1000, 1000, 2, 0}, {1000, 1000, 2, 0}},
      {10000000, {3165, 3160, 2, 1760}, {3165, 3160, 2, 1760}},
      {100000000, {10000, 10000, 3, 0}, {10000, 10000, 3, 0}},
      {1000000000, {31630, 31616, 3, 17536}, {31630, 31616, 3, 17536}},
      {10000000000, {100000, 100000, 4, 0}, {100000, 100000, 4, 0}},
      {100000000000, {762940, 131072, 5, 59392}, {316232, 316224, 5, 168256}},
      {1000000000000, {7629395, 131072, 5, 69632}, {1000000, 1000000, 5, 0}},
  };
  for (const Row& row : rows) {
    INFO(row.length);
    CHECK(choose_sum_head(row.length, 0, false, agreement(32, DigestKind::kXxh128)) == row.modern);
    CHECK(choose_sum_head(row.length, 0, false, agreement(29, DigestKind::kMd4)) == row.old);
    CHECK(choose_sum_head(row.length, 0, true, agreement(32, DigestKind::kXxh128)).digest_bytes == 16);
    CHECK(choose_sum_head(row.length, 0, true, agreement(32, DigestKind::kXxh64)).digest_bytes == 8);
    CHECK(choose_sum_head(row.length, 0, false, agreement(32, DigestKind::kXxh128)).file_bytes() == row.length);
  }
}

TEST_CASE("sums: an empty or countless basis has an empty head; a given block size is taken") {
  const Agreement agreed = agreement(32, DigestKind::kMd5);
  CHECK(choose_sum_head(0, 0, false, agreed) == SumHead{});
  CHECK(choose_sum_head(uint64_t{1} << 62, 0, false, agreed) == SumHead{});
  CHECK(choose_sum_head(uint64_t{1} << 63, 0, false, agreed) == SumHead{});
  CHECK(choose_sum_head(uint64_t{2147483647} * 100, 100, false, agreed).blocks == 2147483647);
  CHECK(choose_sum_head(uint64_t{2147483648} * 100, 100, false, agreed) == SumHead{});
  const SumHead head = choose_sum_head(5000, 1024, false, agreed);
  CHECK(head.block_bytes == 1024);
  CHECK(head.blocks == 5);
  CHECK(head.tail_bytes == 904);
  CHECK(head.length_of(3) == 1024);
  CHECK(head.length_of(4) == 904);
  CHECK(head.offset_of(4) == 4096);
}

TEST_CASE("sums: heads outside the limits are refused, those on the limit are not") {
  const Agreement modern = agreement(32, DigestKind::kXxh64);
  const Agreement old = agreement(29, DigestKind::kMd4);
  CHECK(read_head(head_bytes(2147483647, 131072, 8, 131072), modern));
  CHECK(read_head(head_bytes(0, 0, 0, 0), modern));
  CHECK(read_head(head_bytes(1, 536870912, 16, 0), old));
  for (const std::string& bad :
       {head_bytes(-1, 700, 2, 0), head_bytes(1, -1, 2, 0), head_bytes(1, 131073, 2, 0), head_bytes(1, 0, 2, 0),
        head_bytes(1, 700, -1, 0), head_bytes(1, 700, 9, 0), head_bytes(1, 700, 2, -1), head_bytes(1, 700, 2, 701)}) {
    const Result<SumHead> head = read_head(bad, modern);
    REQUIRE_FALSE(head);
    CHECK(head.error().fault == Fault::kProtocol);
    CHECK(head.error().text.ends_with(" [sender]"));
  }
  CHECK_FALSE(read_head(head_bytes(1, 536870913, 16, 0), old));
}

TEST_CASE("sums: block sums are read as sent") {
  for (const int32_t digest : {0, 2, 3, 16}) {
    const SumHead head{5000, 700, digest, 0};
    std::mt19937 random(7);
    std::vector<std::byte> bytes(5000 * static_cast<size_t>(4 + digest));
    for (std::byte& b : bytes) b = static_cast<std::byte>(random());
    MemorySource source(bytes, 1000);
    Reader in(source);
    const Result<BlockSums> sums = read_block_sums(head, in);
    REQUIRE(sums);
    REQUIRE(sums->weak.size() == 5000);
    for (int32_t i = 0; i < 5000; i += 777) {
      const std::byte* at = bytes.data() + static_cast<size_t>(i) * static_cast<size_t>(4 + digest);
      CHECK(sums->weak[static_cast<size_t>(i)] == load_le<uint32_t>(at));
      CHECK(to_hex(sums->strong_of(i)) == to_hex(Bytes(at + 4, static_cast<size_t>(digest))));
    }
  }
}

TEST_CASE("sums: a promise of two thousand million sums costs no memory before they arrive") {
  std::vector<std::byte> bytes(100);
  MemorySource source(bytes);
  Reader in(source);
  const Result<BlockSums> sums = read_block_sums({2147483647, 700, 16, 0}, in);
  REQUIRE_FALSE(sums);
  CHECK(sums.error().fault == Fault::kStream);
}

TEST_CASE("sums: the weak sum is that of the definition at every length and alignment") {
  std::mt19937 random(1);
  std::vector<std::byte> bytes(200000);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  for (size_t length = 0; length < 400; ++length) {
    const Bytes view = Bytes(bytes).subspan(length % 67, length);
    REQUIRE(weak_sum(view) == weak_by_definition(view));
  }
  for (const size_t length : {size_t{700}, size_t{32768}, size_t{131072}, size_t{199999}}) {
    CHECK(weak_sum(Bytes(bytes).first(length)) == weak_by_definition(Bytes(bytes).first(length)));
  }
  for (const int extreme : {0x80, 0x7f, 0xff, 0x00}) {
    const std::vector<std::byte> same(131072, static_cast<std::byte>(extreme));
    CHECK(weak_sum(same) == weak_by_definition(same));
  }
}

TEST_CASE("sums: where the seed stands in a block sum") {
  Agreement agreed = agreement(32, DigestKind::kMd5);
  agreed.seed = 12345;
  const Bytes block = as_bytes("some block");
  const std::string seed("\x39\x30\x00\x00", 4);

  agreed.block_seed = SeedOrder::kBefore;
  CHECK(BlockHasher(agreed)(block) == hash(DigestKind::kMd5, as_bytes(seed + "some block")));
  agreed.block_seed = SeedOrder::kAfter;
  BlockHasher after(agreed);
  CHECK(after(block) == hash(DigestKind::kMd5, as_bytes("some block" + seed)));
  CHECK(after(block) == hash(DigestKind::kMd5, as_bytes("some block" + seed)));
  agreed.seed = 0;
  CHECK(BlockHasher(agreed)(block) == hash(DigestKind::kMd5, block));

  agreed.transfer_digest = DigestKind::kXxh64;
  agreed.block_seed = SeedOrder::kNative;
  agreed.seed = -5;
  CHECK(BlockHasher(agreed)(block) == hash(DigestKind::kXxh64, block, static_cast<uint64_t>(int64_t{-5})));
}

TEST_CASE("sums: the whole-file digest begins with the seed only where the agreement says so, a seed of 0 included") {
  Agreement agreed = agreement(29, DigestKind::kMd4);
  agreed.seed = 0;
  agreed.seeded_file_sum = true;
  Hasher seeded = file_hasher(agreed);
  seeded.update(as_bytes("x"));
  CHECK(seeded.finish() == hash(DigestKind::kMd4, as_bytes(std::string_view("\0\0\0\0x", 5))));
  agreed.seeded_file_sum = false;
  Hasher plain = file_hasher(agreed);
  plain.update(as_bytes("x"));
  CHECK(plain.finish() == hash(DigestKind::kMd4, as_bytes("x")));
}
