// Sum heads and block sums: accepted heads keep their limits and encode back; a basis is described as it was cut.
#include "libproto/sums.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

void decode(ocsync::test::FuzzInput& input) {
  Agreement agreed = input.agreement();
  agreed.transfer_digest = static_cast<DigestKind>(input.pick(9));
  const size_t chunk = input.chunk();
  MemorySource source(input.rest(), chunk);
  Reader in(source);
  const Result<SumHead> head = read_sum_head(agreed, in, "sender");
  if (!head) return;
  FUZZ_REQUIRE(head->blocks >= 0 && static_cast<uint32_t>(head->block_bytes) <= agreed.max_block_bytes);
  FUZZ_REQUIRE(head->blocks == 0 || head->block_bytes > 0);
  FUZZ_REQUIRE(head->tail_bytes <= head->block_bytes);
  FUZZ_REQUIRE(static_cast<size_t>(head->digest_bytes) <= digest_bytes(agreed.transfer_digest));
  MemorySink sink;
  Writer out(sink);
  FUZZ_REQUIRE(write_sum_head(*head, out));
  FUZZ_REQUIRE(out.flush());
  FUZZ_REQUIRE(sink.bytes().size() == 16 && std::equal(sink.bytes().begin(), sink.bytes().end(), input.rest().begin()));
  const Result<BlockSums> sums = read_block_sums(*head, in);
  if (!sums) return;
  FUZZ_REQUIRE(sums->weak.size() == static_cast<size_t>(head->blocks));
  FUZZ_REQUIRE(sums->strong.size() == sums->weak.size() * static_cast<size_t>(head->digest_bytes));
}

void choose(ocsync::test::FuzzInput& input) {
  Agreement agreed = input.agreement();
  agreed.transfer_digest = static_cast<DigestKind>(input.pick(9));
  const bool full = input.flag();
  uint64_t length = 0;
  uint32_t block = 0;
  for (int i = 0; i < 8; ++i) length = length << 8 | input.pick(256);
  length >>= input.pick(64);
  if (input.flag()) block = input.pick(256) << 8 | input.pick(256);
  const SumHead head = choose_sum_head(length, block, full, agreed);
  if (head.empty()) return;
  FUZZ_REQUIRE(head.file_bytes() == length);
  FUZZ_REQUIRE(head.digest_bytes >= 1 && head.digest_bytes <= 16);
  // The far side would accept it.
  MemorySink sink;
  Writer out(sink);
  FUZZ_REQUIRE(write_sum_head(head, out) && out.flush());
  MemorySource source(sink.bytes());
  Reader in(source);
  const Result<SumHead> back = read_sum_head(agreed, in, "sender");
  FUZZ_REQUIRE(back && *back == head);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  if (input.flag())
    choose(input);
  else
    decode(input);
  // However it is cut, the weak sum is that of the definition.
  uint32_t s1 = 0, s2 = 0;
  for (const std::byte b : input.rest()) {
    s1 += static_cast<uint32_t>(static_cast<int>(static_cast<signed char>(b)));
    s2 += s1;
  }
  FUZZ_REQUIRE(weak_sum(input.rest()) == ((s1 & 0xffff) | (s2 << 16)));
  return 0;
}
