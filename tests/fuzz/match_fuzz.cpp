// The rolling search over any source, basis and block length: a receiver that rebuilds the file, into a new one or over
// its basis, ends with the source's content. With sums that were made up, nothing is sent out of bounds.
#include <sys/mman.h>

#include "libsync/sender/match.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

// Rebuilds over `file` as a receiver does: with `inplace` blocks are read from where earlier output already stands.
struct Rebuild final : proto::TokenWriter {
  std::string file, output;
  proto::SumHead head;
  bool inplace = false;
  Status begin_file() override { return {}; }
  void put(std::string_view bytes) {
    if (inplace) {
      if (file.size() < output.size() + bytes.size()) file.resize(output.size() + bytes.size());
      file.replace(output.size(), bytes.size(), bytes);
    }
    output += bytes;
  }
  Status literal(Bytes bytes, Writer&) override {
    put(as_text(bytes));
    return {};
  }
  Status match(int32_t block, Bytes content, Writer&) override {
    FUZZ_REQUIRE(block >= 0 && block < head.blocks && content.size() == head.length_of(block));
    put(std::string(file.substr(head.offset_of(block), head.length_of(block))));
    return {};
  }
  Status end_file(Writer&) override { return {}; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  proto::Agreement agreed = proto::Agreement::from(32, 0);
  agreed.transfer_digest = DigestKind::kXxh128;
  const bool inplace = input.flag(), hostile = input.pick(4) == 0, count = input.flag();
  const uint32_t block_bytes = 1 + input.pick(100);
  const uint32_t copies = 1 + input.pick(4);
  const uint32_t wish = input.pick(256) << 8 | input.pick(256);
  const size_t cut = wish % (input.rest().size() + 1);
  std::string basis, source;
  for (uint32_t i = 0; i < copies; ++i) basis += as_text(input.rest().first(cut));
  source = std::string(as_text(input.rest().subspan(cut))) + basis.substr(0, basis.size() / 2);

  proto::BlockSums sums;
  sums.head = proto::choose_sum_head(basis.size(), block_bytes, true, agreed);
  if (hostile) sums.head.digest_bytes = 0;
  proto::BlockHasher strong(agreed);
  for (int32_t i = 0; i < sums.head.blocks; ++i) {
    const Bytes block = as_bytes(basis).subspan(sums.head.offset_of(i), sums.head.length_of(i));
    sums.weak.push_back(hostile ? proto::weak_sum(block.first(1)) : proto::weak_sum(block));
    const Digest digest = strong(block);
    sums.strong.insert(sums.strong.end(), digest.data.begin(), digest.data.begin() + sums.head.digest_bytes);
  }
  const BlockIndex index(sums);

  const io::File file{io::Fd(memfd_create("match_fuzz", 0))};
  FUZZ_REQUIRE(file.write_at(as_bytes(source), 0));
  io::MapFile map(file, source.size(), io::MapFile::Access::kSequential);
  Rebuild rebuild;
  rebuild.file = basis;
  rebuild.head = sums.head;
  rebuild.inplace = inplace;
  Hasher whole = proto::file_hasher(agreed);
  CountingSink sink;
  Writer out(sink);
  const io::Stop stop;
  const Result<MatchTotals> totals = match_file(
      map, source.size(), &index, {.inplace = inplace, .count_hash_hits = count}, rebuild, strong, whole, out, stop);
  FUZZ_REQUIRE(totals && !totals->damaged);
  FUZZ_REQUIRE(totals->literal_bytes + totals->matched_bytes == source.size());
  FUZZ_REQUIRE(totals->file_sum == hash(DigestKind::kXxh128, as_bytes(source)));
  if (!hostile) FUZZ_REQUIRE(rebuild.output == source);
  return 0;
}
