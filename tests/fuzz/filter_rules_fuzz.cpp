// Rules from a far side: parse or refuse; what is accepted is expressed for the wire, accepted again, and judges alike.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "libsync/filter/rules.h"

using namespace ocsync;
using namespace ocsync::sync;

namespace {

RuleWorld no_world() {
  RuleWorld world;
  // A merge file that names itself, to see that nesting ends.
  world.read = [](const std::string& path) -> Result<std::string> {
    if (path == "loop") return ". loop\n";
    if (path == "some") return "- a\n+ b/\n:n- .f\n! \n";
    return fail(Error(ENOENT));
  };
  return world;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 4096) return 0;
  Options options;
  options.server = true;
  options.sender = (data[0] & 1) != 0;
  options.delete_excluded = (data[0] & 2) != 0;
  const auto agreed = proto::Agreement::from((data[0] & 4) != 0 ? 28 : 32, 0);
  std::vector<std::string> texts;
  std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    texts.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  auto rules = FilterRules::from_wire(texts, options, agreed, no_world());
  if (!rules) return 0;
  constexpr const char* kNames[] = {"a", "b/c", "x.o", "deep/er/path", "b"};
  const auto scope = FilterScope::at_root(*rules, Side::kSender, "/r");
  for (const char* name : kNames) (void)scope->verdict(name, size % 2 == 0);

  // As if a client had these rules: all that travel must be understood and mean the same.
  options.delete_excluded = false;
  const auto sent = rules->to_wire(options, agreed);
  if (!sent) return 0;
  const auto again = FilterRules::from_wire(*sent, options, agreed, no_world());
  if (!again) std::abort();
  const auto resent = again->to_wire(options, agreed);
  if (!resent || *resent != *sent) std::abort();
  return 0;
}
