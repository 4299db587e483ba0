// Statistics of a run and their texts. Counters are atomic: several roles add to them.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "libio/os/io_metrics.h"
#include "libsync/options/options.h"

namespace ocsync::sync {

struct KindCounts {
  std::atomic<int64_t> reg{0}, dir{0}, link{0}, dev{0}, special{0};
  void add(uint32_t mode, int64_t n = 1);
  int64_t total() const { return reg + dir + link + dev + special; }
};

struct Totals {
  KindCounts files, created, deleted;
  std::atomic<int64_t> transferred_files{0};
  std::atomic<int64_t> total_size{0};
  std::atomic<int64_t> transferred_size{0};
  std::atomic<int64_t> literal_bytes{0};
  std::atomic<int64_t> matched_bytes{0};
  std::atomic<int64_t> list_bytes{0};
  std::atomic<int64_t> list_build_ms{0}, list_xfer_ms{0};
  std::atomic<int64_t> total_sent{0}, total_received{0};
  std::atomic<int64_t> matches{0}, hash_hits{0}, false_alarms{0};
  int64_t started_wall_s = 0;
  io::IoMetrics io;
};

// The block that --stats prints (stats2), and the two closing lines (stats1), as lines joined by newlines.
// `version` decides which rows exist (created: 29, deleted: 31).
std::string stats_text(const Totals& totals, const Options& options, int version);
// The block of --info=stats3 about this process's memory, in the C library's terms.
std::string heap_text(std::string_view role, bool server, bool daemon);
std::string closing_text(const Totals& totals, const Options& options, int64_t now_wall_s);

}  // namespace ocsync::sync
