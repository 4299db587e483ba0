// The text conversation with a daemon: lines keep their bounds, and every line is understood or refused.
#include "libproto/auth.h"
#include "libproto/daemon_lines.h"
#include "tests/support/fuzz_wire.h"

using namespace ocsync;
using namespace ocsync::proto;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ocsync::test::FuzzInput input(data, size);
  const size_t most = input.flag() ? kFirstLineMax : input.pick(100);
  const size_t chunk = input.chunk();
  MemorySource source(input.rest(), chunk);
  Reader in(source);
  for (int i = 0; i < 1000; ++i) {
    const Result<std::string> line = read_line(in, most);
    if (!line) {
      FUZZ_REQUIRE(line.error().fault == Fault::kStartup);
      return 0;
    }
    FUZZ_REQUIRE(line->size() <= most && line->find_first_of(std::string_view("\0\n\r", 3)) == line->npos);
    for (const Reading who : {Reading::kClient, Reading::kServer}) {
      const Result<Greeting> greeting = parse_greeting(*line, who);
      if (!greeting) {
        FUZZ_REQUIRE(greeting.error().fault == Fault::kStartup && !greeting.error().text.empty());
        continue;
      }
      FUZZ_REQUIRE(greeting->version >= 0 && greeting->subprotocol >= 0);
      FUZZ_REQUIRE(greeting->version < 30 || greeting->has_subprotocol);
      FUZZ_REQUIRE(greeting->version < 32 || greeting->has_digests);
      FUZZ_REQUIRE(agree_version(32, 0, *greeting) <= 32);
      choose_auth(our_auth_digests(), greeting->has_digests, greeting->digests, 32);
    }
    const Answer answer = parse_answer(*line);
    FUZZ_REQUIRE(answer.line == *line);
    if (answer.kind == Answer::Kind::kAuthRequired) {
      FUZZ_REQUIRE(auth_required_line(answer.challenge) == *line + "\n");
      FUZZ_REQUIRE(auth_response({DigestKind::kMd5, false}, "x", answer.challenge).size() == 22);
    }
    const Result<Request> request = parse_request(*line);
    if (request) FUZZ_REQUIRE(request->early_input_bytes <= kMaxEarlyInput);
    if (const auto credentials = parse_credentials(*line)) {
      FUZZ_REQUIRE(credentials->user + " " + credentials->response == *line);
    }
    const std::string error = error_line(*line);
    FUZZ_REQUIRE(error.find('\n') == error.size() - 1);
  }
  return 0;
}
