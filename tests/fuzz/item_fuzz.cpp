// Items: what is accepted encodes back to the same bytes.
#include "libproto/item.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  const Agreement agreed = input.agreement();
  const size_t chunk = input.chunk();
  MemorySource source(input.rest(), chunk);
  Reader in(source);
  for (int i = 0; i < (agreed.item_flags ? 1000 : 1); ++i) {
    const Result<Item> item = read_item(agreed, in);
    if (!item) {
      FUZZ_REQUIRE(item.error().fault == Fault::kProtocol || item.error().fault == Fault::kStream);
      return 0;
    }
    FUZZ_REQUIRE(item->xname.size() < 4096);
    MemorySink sink;
    Writer out(sink, 512);
    FUZZ_REQUIRE(write_item(*item, agreed, out));
    FUZZ_REQUIRE(out.flush());
    MemorySource back(sink.bytes(), 1);
    Reader again(back, 8192);
    const Result<Item> same = read_item(agreed, again);
    FUZZ_REQUIRE(same && same->flags == item->flags && same->basis == item->basis && same->xname == item->xname);
  }
  return 0;
}
