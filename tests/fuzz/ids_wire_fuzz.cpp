// Id lists: what is accepted encodes to bytes that decode to the same.
#include "libproto/ids_wire.h"
#include "libproto/limits.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  const Agreement agreed = input.agreement();
  MemorySource source(input.rest(), input.chunk());
  Reader in(source);
  auto list = read_id_list(agreed, in);
  if (!list) return 0;
  std::erase_if(list->names, [](const IdName& n) { return n.name.empty(); });  // nobody sends these
  MemorySink sink;
  Writer out(sink);
  FUZZ_REQUIRE(write_id_list(*list, agreed, out));
  FUZZ_REQUIRE(out.flush());
  MemorySource back(sink.bytes(), 1);
  Reader again(back);
  FUZZ_REQUIRE(*read_id_list(agreed, again) == *list);
  FUZZ_REQUIRE(*again.at_end());
  return 0;
}
