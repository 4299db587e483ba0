// What a client of a daemon says before the transfer: proxies, programs instead of sockets, paths.
#include <catch2/catch.hpp>

#include "libsync/session/daemon_client.h"

using namespace ocsync;
using namespace ocsync::sync;
using Words = std::vector<std::string>;

TEST_CASE("connect program: %H is the quoted host, %% a percent sign") {
  CHECK(connect_program("nc %H 873", "h.example").value() == "nc 'h.example' 873");
  CHECK(connect_program("a%%b%c", "h").value() == "a%b%c");
  CHECK(connect_program("no host here", "$(x)").value() == "no host here");
}

TEST_CASE("connect program: a host that a shell could take for more is refused") {
  for (const char* host : {"", "-x", "+x", "~x", "%x", "a b", "a;b", "a'b", "a$b", "a\nb"}) {
    INFO(host);
    const auto made = connect_program("nc %H", host);
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().fault == Fault::kSocket);
  }
}

TEST_CASE("web proxy: the last @ ends the login, the first colon the user") {
  const WebProxy plain = parse_web_proxy("proxy:3128").value();
  CHECK(plain.host == "proxy");
  CHECK(plain.port == "3128");
  CHECK_FALSE(plain.has_login);
  const WebProxy login = parse_web_proxy("joe:p@ss@proxy:1").value();
  CHECK(login.user == "joe");
  CHECK(login.password == "p@ss");
  CHECK(login.host == "proxy");
  CHECK_FALSE(parse_web_proxy("proxy").has_value());
  CHECK_FALSE(parse_web_proxy("joe@proxy:1").has_value());
}

TEST_CASE("web proxy: the request carries the login in base64, and no control characters") {
  CHECK(proxy_request({"p", "1", "", "", false}, "h", 873).value() == "CONNECT h:873 HTTP/1.0\r\n\r\n");
  CHECK(proxy_request({"p", "1", "a", "b", true}, "h", 1).value() ==
        "CONNECT h:1 HTTP/1.0\r\nProxy-Authorization: Basic YTpi\r\n\r\n");
  CHECK_FALSE(proxy_request({"p", "1", "", "", false}, "h\r\nX: y", 873).has_value());
  CHECK_FALSE(proxy_request({"p", "1", "", "", false}, std::string(1100, 'h'), 873).has_value());
}

TEST_CASE("daemon paths: a bare module gets its slash, and names cannot be split into two") {
  CHECK(daemon_paths({"m"}, false) == Words{"m/"});
  CHECK(daemon_paths({"m/a", "m"}, false) == Words{"m/a", "m/"});
  CHECK(daemon_paths({"m/a m/b"}, false) == Words{"m/a[ ]m/b"});
  CHECK(daemon_paths({"m/a m/b"}, true) == Words{"m/a m/b"});
  CHECK(daemon_paths({"-m/a"}, false) == Words{"./-m/a"});
}
