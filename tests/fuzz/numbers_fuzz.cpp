// Numbers and indexes: whatever is read is written back as a form that reads the same.
#include "libproto/index.h"
#include "libproto/limits.h"
#include "libproto/numbers.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

template <class Read, class Write>
bool again(Reader& in, Read read, Write write) {
  const auto value = read(in);
  if (!value) return false;
  MemorySink sink;
  Writer out(sink);
  FUZZ_REQUIRE(write(*value, out));
  FUZZ_REQUIRE(out.flush());
  MemorySource source(sink.bytes(), 1);
  Reader back(source);
  const auto same = read(back);
  FUZZ_REQUIRE(same && *same == *value);
  FUZZ_REQUIRE(*back.at_end());
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  const Agreement agreed = input.agreement();
  const uint32_t kind = input.pick(6);
  const int least = 3 + static_cast<int>(input.pick(6));
  const size_t chunk = input.chunk();
  MemorySource source(input.rest(), chunk);
  Reader in(source);
  IndexReader indexes(agreed), indexes_again(agreed);
  IndexWriter index_writer(agreed);
  for (bool more = true; more;) {
    switch (kind) {
      case 0:
        more = again(
            in, [](Reader& r) { return read_varint(r); }, [](int32_t v, Writer& w) { return write_varint(v, w); });
        break;
      case 1:
        more = again(
            in, [&](Reader& r) { return read_varlong(least, r); },
            [&](int64_t v, Writer& w) { return write_varlong(v, least, w); });
        break;
      case 2:
        more = again(
            in, [](Reader& r) { return read_longint(r); }, [](int64_t v, Writer& w) { return write_longint(v, w); });
        break;
      case 3:
        more = again(
            in, [](Reader& r) { return read_vstring(kMaxPath - 1, r); },
            [](const std::string& v, Writer& w) { return write_vstring(v, w); });
        break;
      case 4:
        more = again(
            in, [&](Reader& r) { return read_varlong30(3, agreed, r); },
            [&](int64_t v, Writer& w) { return write_varlong30(v, 3, agreed, w); });
        break;
      default:
        more = again(
            in, [&](Reader& r) { return (&r == &in ? indexes : indexes_again).read(r); },
            [&](int32_t v, Writer& w) { return index_writer.write(v, w); });
    }
  }
  return 0;
}
