#include "libproto/daemon_lines.h"

#include <catch2/catch.hpp>

#include "libproto/auth.h"

using namespace ocsync;
using namespace ocsync::proto;

namespace {

Result<std::string> line_of(std::string_view bytes, size_t most) {
  MemorySource source(as_bytes(bytes), 3);
  Reader in(source);
  return read_line(in, most);
}

}  // namespace

TEST_CASE("daemon lines: a line ends with its line feed and nothing else") {
  CHECK(line_of("abc\r\ndef\n", 10).value() == "abc");
  CHECK(line_of("\n", 0).value().empty());
  CHECK(line_of("abc\n", 3).value() == "abc");
  for (const std::string_view bad :
       {std::string_view("abcd\n"), std::string_view("abc"), std::string_view("a\0c\n", 4), std::string_view("")}) {
    const Result<std::string> line = line_of(bad, 3);
    REQUIRE_FALSE(line);
    CHECK(line.error().fault == Fault::kStartup);
  }
  MemorySource source(as_bytes("x\n"));
  Reader in(source);
  CHECK(read_line_or_end(in, 5).value() == std::optional<std::string>("x"));
  CHECK(read_line_or_end(in, 5).value() == std::nullopt);
}

TEST_CASE("daemon lines: greetings of all ages") {
  CHECK(greeting_line(32, 0, our_auth_digests()) == "@RSYNCD: 32.0 sha512 sha256 sha1 md5 md4\n");
  const Greeting modern = parse_greeting("@RSYNCD: 32.0 sha512 md5", Reading::kClient).value();
  CHECK(modern.version == 32);
  CHECK(modern.has_digests);
  CHECK(modern.digests == "sha512 md5");
  const Greeting middle = parse_greeting("@RSYNCD: 31.0", Reading::kServer).value();
  CHECK(middle.version == 31);
  CHECK_FALSE(middle.has_digests);
  const Greeting old = parse_greeting("@RSYNCD: 29", Reading::kServer).value();
  CHECK(old.version == 29);
  CHECK_FALSE(old.has_subprotocol);
  CHECK(old.subprotocol == 0);

  struct Refusal {
    std::string_view line;
    Reading who;
    std::string text;
  };
  const Refusal refusals[] = {
      {"SSH-2.0", Reading::kClient, "rsync: server sent \"SSH-2.0\" rather than greeting"},
      {"{} @RSYNCD", Reading::kClient, "rsync: server sent \"{} @RSYNCD\" rather than greeting"},
      {"@RSYNCD: x", Reading::kServer, "protocol startup error"},
      {"@RSYNCD: -3.0", Reading::kServer, "protocol startup error"},
      {"@RSYNCD: 99999999999999.0", Reading::kServer, "protocol startup error"},
      {"@RSYNCD: 30", Reading::kServer, "your client omitted the subprotocol value: @RSYNCD: 30"},
      {"@RSYNCD: 32.0", Reading::kClient, "rsync: the server omitted the digest name list: @RSYNCD: 32.0"},
  };
  for (const Refusal& refusal : refusals) {
    const Result<Greeting> greeting = parse_greeting(refusal.line, refusal.who);
    REQUIRE_FALSE(greeting);
    CHECK(greeting.error().text == refusal.text);
  }
}

TEST_CASE("daemon lines: the version both speak") {
  const auto far_side = [](int version, int sub) {
    Greeting greeting;
    greeting.version = version;
    greeting.subprotocol = sub;
    return greeting;
  };
  CHECK(agree_version(32, 0, far_side(33, 5)) == 32);
  CHECK(agree_version(32, 0, far_side(32, 0)) == 32);
  CHECK(agree_version(32, 0, far_side(32, 1)) == 31);
  CHECK(agree_version(32, 0, far_side(31, 0)) == 31);
  CHECK(agree_version(32, 0, far_side(31, 14)) == 30);
}

TEST_CASE("daemon lines: answers and requests") {
  CHECK(parse_answer("@RSYNCD: OK").kind == Answer::Kind::kOk);
  CHECK(parse_answer("@RSYNCD: EXIT").kind == Answer::Kind::kExit);
  CHECK(parse_answer("@RSYNCD: AUTHREQD abc").challenge == "abc");
  CHECK(parse_answer("@ERROR: no").kind == Answer::Kind::kError);
  CHECK(parse_answer("@ERROR: no").line == "@ERROR: no");
  CHECK(parse_answer("pub            \tpublic files").kind == Answer::Kind::kText);
  CHECK(auth_required_line("xyz") == "@RSYNCD: AUTHREQD xyz\n");
  CHECK(error_line("two\nlines") == "@ERROR: two lines\n");
  CHECK(module_line("pub", "public files") == "pub            \tpublic files\n");
  CHECK(module_line("a-name-beyond-15-letters", "") == "a-name-beyond-15-letters\t\n");

  CHECK(parse_request("")->kind == Request::Kind::kList);
  CHECK(parse_request("#list")->kind == Request::Kind::kList);
  CHECK(parse_request("pub")->name == "pub");
  CHECK(parse_request("#what")->kind == Request::Kind::kUnknownCommand);
  CHECK(parse_request("#early_input=5120")->early_input_bytes == 5120);
  for (const char* bad : {"#early_input=0", "#early_input=5121", "#early_input=", "#early_input=-1", "#early_input=5x",
                          "#early_input=99999999999999999999"}) {
    const Result<Request> request = parse_request(bad);
    REQUIRE_FALSE(request);
    CHECK(request.error().text == "invalid early_input length");
  }
  CHECK(early_input_line(17) == "#early_input=17\n");
  CHECK(parse_credentials("joe abc")->response == "abc");
  CHECK_FALSE(parse_credentials("joe"));
}

TEST_CASE("auth: responses that real programs gave") {
  // Password "secret", from recorded sessions.
  CHECK(auth_response({DigestKind::kSha512, false}, "secret",
                      "rviU9D9MJfcJjN6GR7OCtGl8RMbHmnHHzGxptdvvRCVkCR/7vjedRWR955DeQUo6PKHlbbc6kbnoTwzrOZJyEA") ==
        "rxd00r8AdtCz11gwDAep4UrP5ScEJIPQzS1g7cJTDaH45mMWMWjTfjYG+JqLkxDFKKNJwpTBdcqQzDZKbjZDgA");
  CHECK(auth_response({DigestKind::kMd5, false}, "secret", "52+a7Vifpm55l5AW7lxZmA") == "MpfEJUGygifkWgQ5yoFrkQ");
  CHECK(auth_response({DigestKind::kMd4, true}, "secret", "q4cbN4uDOU5DiTFAsot48g") == "rsX4UAu/VibVmwQluiYCRA");
}

TEST_CASE("auth: which digest") {
  const std::string ours = our_auth_digests();
  CHECK(choose_auth(ours, true, "sha512 sha256 sha1 md5 md4", 32) == AuthMethod{DigestKind::kSha512, false});
  CHECK(choose_auth(ours, true, "md4 sha1", 29) == AuthMethod{DigestKind::kSha1, false});
  CHECK(choose_auth(ours, true, "md4", 29) == AuthMethod{DigestKind::kMd4, false});
  CHECK(choose_auth(ours, false, "", 30) == AuthMethod{DigestKind::kMd5, false});
  CHECK(choose_auth(ours, false, "", 29) == AuthMethod{DigestKind::kMd4, true});
  CHECK_FALSE(choose_auth(ours, true, "blake3 xxh128 none", 32));
  CHECK_FALSE(choose_auth(ours, true, "", 32));
  CHECK(auth_strong_enough(DigestKind::kSha512, DigestKind::kSha256));
  CHECK(auth_strong_enough(DigestKind::kSha256, DigestKind::kSha256));
  CHECK_FALSE(auth_strong_enough(DigestKind::kMd5, DigestKind::kSha256));
  CHECK_FALSE(auth_strong_enough(DigestKind::kMd5, DigestKind::kXxh64));
}

TEST_CASE("auth: base64 and comparison") {
  CHECK(base64(as_bytes(""), true).empty());
  CHECK(base64(as_bytes("f"), true) == "Zg==");
  CHECK(base64(as_bytes("fo"), true) == "Zm8=");
  CHECK(base64(as_bytes("foobar"), true) == "Zm9vYmFy");
  CHECK(base64(as_bytes("fo"), false) == "Zm8");
  CHECK(equal_in_constant_time("abc", "abc"));
  CHECK_FALSE(equal_in_constant_time("abc", "abd"));
  CHECK_FALSE(equal_in_constant_time("abc", "ab"));
  const std::vector<std::byte> random(32, std::byte{7});
  const std::string challenge = make_challenge({DigestKind::kMd5, false}, random, "here and now");
  CHECK(challenge.size() == 22);
  CHECK(challenge != make_challenge({DigestKind::kMd5, false}, random, "here and then"));
}
