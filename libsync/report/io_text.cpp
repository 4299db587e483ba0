// One table of counters, read twice.
#include "libsync/report/io_text.h"

#include <fmt/format.h>

namespace ocsync::sync {
namespace {

struct Row {
  const char* group;  // begins a line of text
  const char* label;
  const char* key;
  io::IoMetrics::Count io::IoMetrics::* count;
};
constexpr Row kRows[] = {
    {"I/O bytes by path", "read", "bytes_plain", &io::IoMetrics::plain},
    {nullptr, "mapped", "bytes_mapped", &io::IoMetrics::mapped},
    {nullptr, "by ring", "bytes_ring", &io::IoMetrics::ring},
    {nullptr, "cloned", "bytes_cloned", &io::IoMetrics::cloned},
    {nullptr, "in the kernel", "bytes_kernel", &io::IoMetrics::kernel},
    {"I/O windows", "mapped", "windows", &io::IoMetrics::windows},
    {nullptr, "refused", "windows_refused", &io::IoMetrics::windows_refused},
    {nullptr, "files that shrank", "shrunk", &io::IoMetrics::shrunk},
    {"I/O buffers", "taken", "buffers", &io::IoMetrics::buffers},
    {nullptr, "made", "buffers_made", &io::IoMetrics::buffers_made},
    {nullptr, "bytes made", "buffer_bytes", &io::IoMetrics::buffer_bytes},
    {"I/O ahead", "files asked for", "files_expected", &io::IoMetrics::expected},
    {nullptr, "first reads from memory", "reads_prompt", &io::IoMetrics::prompt},
    {nullptr, "that waited", "reads_stalled", &io::IoMetrics::stalls},
    {nullptr, "bytes given up behind", "bytes_dropped", &io::IoMetrics::dropped},
    {"I/O ring", "batches", "ring_batches", &io::IoMetrics::batches},
    {nullptr, "operations", "ring_operations", &io::IoMetrics::operations},
    {nullptr, "most in flight", "ring_depth", &io::IoMetrics::depth},
    {nullptr, "refusals", "ring_refusals", &io::IoMetrics::ring_refusals},
    {"I/O wire", "writes", "wire_writes", &io::IoMetrics::wire_calls},
    {nullptr, "bytes", "wire_bytes", &io::IoMetrics::wire_bytes},
};

}  // namespace

std::string io_text(const io::IoMetrics& metrics, NumberStyle style) {
  std::string out;
  for (const Row& row : kRows) {
    const auto value = static_cast<int64_t>((metrics.*row.count).load());
    out += row.group != nullptr ? fmt::format("\n{}: ", row.group) : ", ";
    out += fmt::format("{} {}", row.label, format_number(value, style));
  }
  return out + "\n";
}

void add_io(io::IoMetrics& to, const io::IoMetrics& from) {
  for (const Row& row : kRows) {
    const uint64_t value = (from.*row.count).load();
    if (row.count == &io::IoMetrics::depth)
      io::IoMetrics::raise(to.depth, value);
    else
      io::IoMetrics::add(to.*row.count, value);
  }
}

std::string io_json(const io::IoMetrics& metrics) {
  std::string out = "\n{\"io\": {";
  const char* before = "";
  for (const Row& row : kRows) {
    out += fmt::format("{}\"{}\": {}", before, row.key, (metrics.*row.count).load());
    before = ", ";
  }
  return out + "}}\n";
}

}  // namespace ocsync::sync
