// What a client asks for once it is in.
#include <catch2/catch.hpp>

#include "libsync/daemon/request.h"

using namespace ocsync;
using namespace ocsync::sync;
using Words = std::vector<std::string>;

TEST_CASE("request: the module's name goes, and joined paths come apart") {
  CHECK(split_request("m/a", "m", false) == Words{"/a"});
  CHECK(split_request("m/a m/b", "m", false) == Words{"/a", "b"});
  CHECK(split_request("m/a m/b", "m", true) == Words{"/a m/b"});
  CHECK(split_request("other", "m", false) == Words{"other"});
}

TEST_CASE("arguments: ended by zero bytes or newlines, bounded in number") {
  const auto read = [](const std::string& text, bool nulls) {
    MemorySource source(as_bytes(text));
    Reader in(source);
    return read_daemon_args(in, nulls);
  };
  CHECK(read(std::string("a\0b\0\0", 5), true).value() == Words{"a", "b"});
  CHECK(read("a\nb\n\n", false).value() == Words{"a", "b"});
  CHECK_FALSE(read("a\n", false).has_value());
  std::string many;
  for (int i = 0; i < 20000; ++i) many += std::string("a\0", 2);
  CHECK_FALSE(read(many + std::string(1, '\0'), true).has_value());
}
