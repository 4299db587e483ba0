// The end of a session: phase marks, deletion counts, statistics, goodbye. See docs/closing.md.
//
// The order in which these are said lives in the roles; here is what each of them looks like.
#pragma once

#include <cstdint>

#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libproto/agreement.h"
#include "libproto/index.h"

namespace ocsync::proto {

// What a serving sender tells after the end of items: counts of its own connection, so a client swaps the first two.
// A batch file ends with the same values.
struct Statistics {
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
  int64_t total_size = 0;
  int64_t list_build_ms = 0;  // these two only where the agreement has list_times_in_stats
  int64_t list_transfer_ms = 0;
  bool operator==(const Statistics&) const = default;
};
Status write_statistics(const Statistics& stats, const Agreement& agreed, Writer& out);
Result<Statistics> read_statistics(const Agreement& agreed, Reader& in);

// How many of each kind the receiving side deleted.
struct DeletionCounts {
  int32_t files = 0;  // regular files only
  int32_t dirs = 0;
  int32_t symlinks = 0;
  int32_t devices = 0;
  int32_t specials = 0;
  int64_t total() const { return int64_t{files} + dirs + symlinks + devices + specials; }
  bool operator==(const DeletionCounts&) const = default;
};
// The index kNdxDelStats and the counts.
Status write_deletion_counts(const DeletionCounts& counts, IndexWriter& indexes, Writer& out);
// The counts that follow an index of kNdxDelStats; each is 0 to kMaxDeletionCount (limits.h).
Result<DeletionCounts> read_deletion_counts(Reader& in);

// End of a list, of a phase, of items, of everything: index kNdxDone.
Status write_done(IndexWriter& indexes, Writer& out);
// `ndx` is what was read where the far side's goodbye was due: "Invalid packet at end of run" unless it is kNdxDone.
Status expect_goodbye(int32_t ndx);

// Phases the sender goes through before it leaves its loop: 2 with a third phase, 1 without.
int last_phase(const Agreement& agreed);

}  // namespace ocsync::proto
