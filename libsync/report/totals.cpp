// The texts of --stats and of the two closing lines.
#include "libsync/report/totals.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libio/base/text.h"
#include "libsync/report/item_text.h"

namespace ocsync::sync {
namespace {

// ": 6 (reg: 2, dir: 3, special: 1)"; kinds that did not occur are left out.
std::string kinds_text(const KindCounts& counts, NumberStyle style) {
  std::string out = format_number(counts.total(), style);
  const std::pair<const char*, int64_t> kinds[] = {{"reg", counts.reg},
                                                   {"dir", counts.dir},
                                                   {"link", counts.link},
                                                   {"dev", counts.dev},
                                                   {"special", counts.special}};
  const char* before = " (";
  for (const auto& [label, count] : kinds) {
    if (count == 0) continue;
    fmt::format_to(std::back_inserter(out), "{}{}: {}", before, label, format_number(count, style));
    before = ", ";
  }
  if (*before == ',') out += ')';
  return out;
}

// rsync cuts the whole part and rounds the fraction apart from it, once there are groups or units to form: 1999.999 is
// "1,999.00". Kept, because people compare outputs.
std::string with_decimals(double value, NumberStyle style, int decimals = 2) {
  const std::string plain = format_fixed(value, decimals, NumberStyle::kPlain);
  if (style == NumberStyle::kPlain || !(value >= 1000.0 || value <= -1000.0)) return plain;
  if (!(value < 9e18 && value > -9e18)) return plain;  // "inf"
  const double step = style == NumberStyle::kBinary ? 1024 : 1000;
  const auto whole = static_cast<int64_t>(value);
  const std::string number = format_number(whole, style);
  if (style >= NumberStyle::kThousands && (value >= step || value <= -step)) return number;
  return number + plain.substr(plain.find_first_not_of("-0123456789"));
}

}  // namespace

void KindCounts::add(uint32_t mode, int64_t n) {
  if (S_ISREG(mode))
    reg += n;
  else if (S_ISDIR(mode))
    dir += n;
  else if (S_ISLNK(mode))
    link += n;
  else if (S_ISCHR(mode) || S_ISBLK(mode))
    dev += n;
  else
    special += n;
}

std::string stats_text(const Totals& totals, const Options& options, int version) {
  const NumberStyle amount = amount_style(options);
  const NumberStyle count = count_style(options);
  std::string out = "\n";
  const auto line = [&out](std::string_view label, std::string_view value, std::string_view unit = "") {
    fmt::format_to(std::back_inserter(out), "{}: {}{}\n", label, value, unit);
  };
  line("Number of files", kinds_text(totals.files, count));
  if (version >= 29) line("Number of created files", kinds_text(totals.created, count));
  if (version >= 31) line("Number of deleted files", kinds_text(totals.deleted, count));
  line("Number of regular files transferred", format_number(totals.transferred_files, count));
  line("Total file size", format_number(totals.total_size, amount), " bytes");
  line("Total transferred file size", format_number(totals.transferred_size, amount), " bytes");
  line("Literal data", format_number(totals.literal_bytes, amount), " bytes");
  line("Matched data", format_number(totals.matched_bytes, amount), " bytes");
  line("File list size", format_number(totals.list_bytes, amount));
  if (totals.list_build_ms != 0) {
    const auto seconds = [count](int64_t ms) { return with_decimals(static_cast<double>(ms) / 1000, count, 3); };
    line("File list generation time", seconds(totals.list_build_ms), " seconds");
    line("File list transfer time", seconds(totals.list_xfer_ms), " seconds");
  }
  line("Total bytes sent", format_number(totals.total_sent, amount));
  line("Total bytes received", format_number(totals.total_received, amount));
  return out;
}

std::string heap_text(std::string_view role, bool server, bool daemon) {
  const struct mallinfo2 heap = ::mallinfo2();
  std::string out = fmt::format("\nrsync[{}] ({}{}{}) heap statistics:\n", ::getpid(), server ? "server " : "",
                                daemon ? "daemon " : "", role);
  const auto line = [&out](std::string_view label, size_t number, std::string_view meaning) {
    fmt::format_to(std::back_inserter(out), "  {:<11}{:>10}   ({})\n", label, number, meaning);
  };
  line("arena:", heap.arena, "bytes from sbrk");
  line("ordblks:", heap.ordblks, "chunks not in use");
  line("smblks:", heap.smblks, "free fastbin blocks");
  line("hblks:", heap.hblks, "chunks from mmap");
  line("hblkhd:", heap.hblkhd, "bytes from mmap");
  line("allmem:", heap.arena + heap.hblkhd, "bytes from sbrk + mmap");
  line("usmblks:", heap.usmblks, "always 0");
  line("fsmblks:", heap.fsmblks, "bytes in freed fastbin blocks");
  line("uordblks:", heap.uordblks, "bytes used");
  line("fordblks:", heap.fordblks, "bytes free");
  line("keepcost:", heap.keepcost, "bytes in releasable chunk");
  return out;
}

std::string closing_text(const Totals& totals, const Options& options, int64_t now_wall_s) {
  const NumberStyle amount = amount_style(options);
  const int64_t moved = totals.total_sent + totals.total_received;
  const double seconds = 0.5 + static_cast<double>(now_wall_s - totals.started_wall_s);
  const double speedup = static_cast<double>(totals.total_size) / static_cast<double>(moved);
  return fmt::format("\nsent {} bytes  received {} bytes  {} bytes/sec\ntotal size is {}  speedup is {}{}\n",
                     format_number(totals.total_sent, amount), format_number(totals.total_received, amount),
                     with_decimals(static_cast<double>(moved) / seconds, amount),
                     format_number(totals.total_size, amount), with_decimals(speedup, count_style(options)),
                     options.only_write_batch ? " (BATCH ONLY)"
                     : options.dry_run        ? " (DRY RUN)"
                                              : "");
}

}  // namespace ocsync::sync
