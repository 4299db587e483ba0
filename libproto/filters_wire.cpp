#include "libproto/filters_wire.h"

#include "libproto/limits.h"

namespace ocsync::proto {

Status write_rules(const std::vector<std::string>& rules, Writer& out) {
  for (const std::string& rule : rules) {
    if (rule.empty()) continue;
    if (rule.size() >= kBigPath) return fail(Fault::kMemory, "filter rule is too long for the far side: " + rule);
    TRY(out.i32(static_cast<int32_t>(rule.size())));
    TRY(out.text(rule));
  }
  return out.i32(0);
}

Result<std::vector<std::string>> read_rules(Reader& in) {
  std::vector<std::string> rules;
  size_t total = 0;
  while (true) {
    const auto bytes = static_cast<uint32_t>(TRY(in.i32()));
    if (bytes == 0) return rules;
    // Taken as unsigned, so that a negative length fails as well.
    if (bytes >= kBigPath) return fail(Fault::kMemory, "buffer overflow: recv_rules");
    // A rule costs a string object besides its text.
    total += bytes + sizeof(std::string);
    if (total > kMaxFilterText) return fail(Fault::kMemory, "the far side sends too many filter rules");
    rules.emplace_back();
    TRY(in.text(rules.back(), bytes));
  }
}

}  // namespace ocsync::proto
