// Any format with any names: bounded output, and no line end gets past the escaping.
#include <stdint.h>
#include <stdlib.h>

#include "libio/base/text.h"
#include "libsync/report/item_text.h"
#include "libsync/report/reporter.h"

using namespace ocsync;
using namespace ocsync::sync;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 12) return 0;
  ItemFacts facts;
  facts.mode = static_cast<uint32_t>(data[0]) << 8 | data[1];
  facts.item_flags = static_cast<uint32_t>(data[2]) << 16 | static_cast<uint32_t>(data[3]) << 8 | data[4];
  facts.mtime.sec = static_cast<int64_t>(static_cast<uint64_t>(data[5]) << 56 | data[6]);
  facts.size = static_cast<int64_t>(static_cast<uint64_t>(data[7]) << 56 | data[8]);
  facts.deleted = (data[9] & 1) != 0;
  facts.digest.size = data[9] >> 2;
  const std::string_view rest(reinterpret_cast<const char*>(data + 11), size - 11);
  const size_t name_bytes = data[10] % rest.size();
  facts.name = facts.full_path = facts.link_target = rest.substr(0, name_bytes);
  if ((data[9] & 2) != 0) facts.xname = facts.name;
  const std::string_view format = rest.substr(name_bytes);
  ItemStyle style;
  style.daemon = (data[10] & 1) != 0;
  const std::string line = OutputFormat(format).render(facts, style, facts.mtime.sec);
  if (line.size() > format.size() * (4096 + facts.name.size() + 64)) abort();
  if (escape_text(line, Escape::kLogFile).find('\n') != std::string::npos) abort();
  Options options;
  options.delete_missing_args = (data[9] & 1) != 0;
  options.atimes = options.links = true;
  if (list_only_line(facts, options, facts.mtime).empty()) abort();
  return 0;
}
