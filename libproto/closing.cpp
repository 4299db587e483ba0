#include "libproto/closing.h"

#include <fmt/format.h>

#include "libproto/limits.h"
#include "libproto/numbers.h"

namespace ocsync::proto {

namespace {
constexpr int kStatisticBytes = 3;  // the least a statistic occupies
}

Status write_statistics(const Statistics& stats, const Agreement& agreed, Writer& out) {
  TRY(write_varlong30(stats.bytes_read, kStatisticBytes, agreed, out));
  TRY(write_varlong30(stats.bytes_written, kStatisticBytes, agreed, out));
  TRY(write_varlong30(stats.total_size, kStatisticBytes, agreed, out));
  if (!agreed.list_times_in_stats) return {};
  TRY(write_varlong30(stats.list_build_ms, kStatisticBytes, agreed, out));
  return write_varlong30(stats.list_transfer_ms, kStatisticBytes, agreed, out);
}

// The values are only ever shown, so none is refused.
Result<Statistics> read_statistics(const Agreement& agreed, Reader& in) {
  Statistics stats;
  stats.bytes_read = TRY(read_varlong30(kStatisticBytes, agreed, in));
  stats.bytes_written = TRY(read_varlong30(kStatisticBytes, agreed, in));
  stats.total_size = TRY(read_varlong30(kStatisticBytes, agreed, in));
  if (!agreed.list_times_in_stats) return stats;
  stats.list_build_ms = TRY(read_varlong30(kStatisticBytes, agreed, in));
  stats.list_transfer_ms = TRY(read_varlong30(kStatisticBytes, agreed, in));
  return stats;
}

Status write_deletion_counts(const DeletionCounts& counts, IndexWriter& indexes, Writer& out) {
  TRY(indexes.write(kNdxDelStats, out));
  for (const int32_t count : {counts.files, counts.dirs, counts.symlinks, counts.devices, counts.specials}) {
    TRY(write_varint(count, out));
  }
  return {};
}

Result<DeletionCounts> read_deletion_counts(Reader& in) {
  DeletionCounts counts;
  for (int32_t* count : {&counts.files, &counts.dirs, &counts.symlinks, &counts.devices, &counts.specials}) {
    *count = TRY(read_varint_within("deletion count", 0, kMaxDeletionCount, in));
  }
  return counts;
}

Status write_done(IndexWriter& indexes, Writer& out) { return indexes.write(kNdxDone, out); }

Status expect_goodbye(int32_t ndx) {
  if (ndx == kNdxDone) return {};
  return fail(Fault::kProtocol, fmt::format("Invalid packet at end of run ({})", ndx));
}

int last_phase(const Agreement& agreed) { return agreed.third_phase ? 2 : 1; }

}  // namespace ocsync::proto
