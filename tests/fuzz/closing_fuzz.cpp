// Statistics, deletion counts and the head of a batch file: what is accepted encodes to what decodes to the same.
#include "libproto/batch_head.h"
#include "libproto/closing.h"
#include "libproto/limits.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

template <class Value, class Read, class Write>
void there_and_back(Bytes bytes, size_t chunk, Read read, Write write) {
  MemorySource source(bytes, chunk);
  Reader in(source);
  const Result<Value> value = read(in);
  if (!value) return;
  MemorySink sink;
  Writer out(sink);
  FUZZ_REQUIRE(write(*value, out));
  FUZZ_REQUIRE(out.flush());
  MemorySource back(sink.bytes(), 1);
  Reader again(back);
  const Result<Value> same = read(again);
  FUZZ_REQUIRE(same && *same == *value);
  FUZZ_REQUIRE(*again.at_end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  const Agreement agreed = input.agreement();
  const size_t chunk = input.chunk();
  switch (input.pick(3)) {
    case 0:
      there_and_back<Statistics>(
          input.rest(), chunk, [&](Reader& in) { return read_statistics(agreed, in); },
          [&](const Statistics& stats, Writer& out) { return write_statistics(stats, agreed, out); });
      break;
    case 1:
      there_and_back<DeletionCounts>(
          input.rest(), chunk,
          [&](Reader& in) -> Result<DeletionCounts> {
            if (TRY(IndexReader(agreed).read(in)) != kNdxDelStats) return fail(Fault::kProtocol, "not counts");
            const DeletionCounts counts = TRY(read_deletion_counts(in));
            FUZZ_REQUIRE(counts.files <= kMaxDeletionCount && counts.total() >= 0);
            return counts;
          },
          [&](const DeletionCounts& counts, Writer& out) {
            IndexWriter indexes(agreed);
            return write_deletion_counts(counts, indexes, out);
          });
      break;
    default:
      there_and_back<BatchHead>(
          input.rest(), chunk,
          [&](Reader& in) -> Result<BatchHead> {
            const BatchHead head = TRY(read_batch_head(in));
            FUZZ_REQUIRE(head.version >= kOldestVersion && head.version <= kNewestVersion);
            FUZZ_REQUIRE(batch_agreement(head, {.incremental = true})->version == head.version);
            return head;
          },
          [&](const BatchHead& head, Writer& out) { return write_batch_head(head, out); });
  }
  return 0;
}
