// Arguments over the stream: what is accepted encodes to bytes that decode to the same.
#include "libproto/args.h"
#include "libproto/limits.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  MemorySource source(input.rest(), input.chunk());
  Reader in(source);
  const auto args = read_args(in);
  if (!args) return 0;
  for (const std::string& arg : *args) FUZZ_REQUIRE(!arg.empty() && arg.size() < kMaxPath);
  MemorySink sink;
  Writer out(sink);
  FUZZ_REQUIRE(write_args(*args, out));
  FUZZ_REQUIRE(out.flush());
  MemorySource back(sink.bytes(), 1);
  Reader again(back);
  FUZZ_REQUIRE(*read_args(again) == *args);
  FUZZ_REQUIRE(*again.at_end());
  return 0;
}
