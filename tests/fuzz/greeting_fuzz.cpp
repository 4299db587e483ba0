// The greeting: a client and a server each listen to arbitrary bytes; lists and capability texts are read the same
// twice.
#include "libproto/greeting.h"
#include "libproto/limits.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

void handshake(ocsync::test::FuzzInput& input, bool server) {
  HandshakeWishes wishes;
  wishes.max_version = 27 + static_cast<int>(input.pick(6));
  wishes.incremental = input.flag();
  wishes.compress = input.flag();
  wishes.writes_batch = input.pick(8) == 0;
  wishes.far_capabilities = input.flag() ? ".iLsfxCIvu" : "31.1iV";
  if (input.pick(4) == 0) wishes.far_version = 20 + static_cast<int>(input.pick(20));
  const std::string word(as_text(input.rest().first(std::min<size_t>(input.rest().size(), input.pick(12)))));
  switch (input.pick(6)) {
    case 0: wishes.checksum_choice = word; break;
    case 1: wishes.compress_choice = word; break;
    case 2: wishes.checksum_list = word; break;
    case 3: wishes.compress_list = word; break;
  }
  MemorySource source(input.rest(), input.chunk());
  Reader in(source);
  MemorySink sink;
  Writer out(sink);
  const auto agreed = server ? handshake_as_server(in, out, wishes) : handshake_as_client(in, out, wishes);
  if (!agreed) {
    FUZZ_REQUIRE(!agreed.error().text.empty());
    return;
  }
  FUZZ_REQUIRE(agreed->version >= kOldestVersion && agreed->version <= kNewestVersion);
  FUZZ_REQUIRE(agreed->version >= 30 || agreed->compat == 0);
  FUZZ_REQUIRE(agreed->version >= 30 || !agreed->incremental);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  switch (input.pick(4)) {
    case 0: {
      const std::string_view text = as_text(input.rest());
      const Capabilities c = parse_capability_text(text);
      const Capabilities again = parse_capability_text(capability_text(c));
      FUZZ_REQUIRE(capability_text(again) == capability_text(c));
      FUZZ_REQUIRE(version_for_prerelease(32, c) <= 32);
      break;
    }
    case 1: {
      const auto which = static_cast<AlgorithmList>(input.pick(2));
      const bool server = input.flag();
      const std::string_view env = as_text(input.rest());
      const std::string list = offered_list(which, server, env);
      FUZZ_REQUIRE(!list.empty() && list.size() <= kMaxAlgorithmList);
      // What is offered is chosen by those who have everything, unless nothing was offered.
      const auto chosen = choose_algorithm(which, list, offered_list(which, true, ""));
      FUZZ_REQUIRE(chosen.has_value() == (list != "INVALID"));
      if (chosen) FUZZ_REQUIRE(list.starts_with(*chosen));
      choose_algorithm(which, env, list);
      break;
    }
    default: handshake(input, input.flag());
  }
  return 0;
}
