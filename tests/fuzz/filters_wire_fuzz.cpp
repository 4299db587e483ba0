// Filter rules as sent: what is accepted encodes to bytes that decode to the same.
#include "libproto/filters_wire.h"
#include "libproto/limits.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  MemorySource source(input.rest(), input.chunk());
  Reader in(source);
  const auto rules = read_rules(in);
  if (!rules) return 0;
  for (const std::string& rule : *rules) FUZZ_REQUIRE(!rule.empty() && rule.size() < kBigPath);
  MemorySink sink;
  Writer out(sink);
  FUZZ_REQUIRE(write_rules(*rules, out));
  FUZZ_REQUIRE(out.flush());
  MemorySource back(sink.bytes(), 1);
  Reader again(back);
  FUZZ_REQUIRE(*read_rules(again) == *rules);
  FUZZ_REQUIRE(*again.at_end());
  return 0;
}
