// Who may come in.
#include <catch2/catch.hpp>

#include "libsync/daemon/access.h"
#include "libsync/daemon/proxy_header.h"

using namespace ocsync;
using namespace ocsync::sync;
using Words = std::vector<std::string>;

namespace {

std::optional<Words> names(const std::string& name) {
  if (name == "good.example") return Words{"10.0.0.1"};
  return std::nullopt;
}

bool may(const std::string& allow, const std::string& deny, const std::string& address,
         const std::string& host = "h.example", bool forward = true) {
  Visitor visitor{address, host};
  return may_visit({allow, deny, forward}, visitor, names, [](const std::string&) {});
}

bool matches(const std::string& address, const std::string& word) {
  return address_matches(address, word, [](const std::string&) {});
}

Result<std::string> proxy(std::string text) {
  MemorySource source(as_bytes(text));
  Reader in(source);
  return read_proxy_header(in);
}

}  // namespace

TEST_CASE("access: addresses match by prefix and mask, and never across families") {
  CHECK(matches("10.1.2.3", "10.1.2.3"));
  CHECK(matches("10.1.2.3", "10.1.0.0/16"));
  CHECK(matches("10.1.2.3", "10.1.0.0/255.255.0.0"));
  CHECK(matches("10.1.2.3", "0.0.0.0/0"));
  CHECK(matches("fe80::1", "fe80::/10"));
  CHECK_FALSE(matches("10.1.2.3", "10.2.0.0/16"));
  CHECK_FALSE(matches("10.1.2.3", "::/0"));
}

TEST_CASE("access: a malformed mask matches nobody and is complained of") {
  for (const char* word :
       {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/99999999999", "1.2.3.4.5"}) {
    INFO(word);
    int complaints = 0;
    CHECK_FALSE(address_matches("10.0.0.0", word, [&](const std::string&) { ++complaints; }));
    CHECK(complaints == 1);
  }
}

TEST_CASE("access: allow first, then deny; an allow list alone denies the rest") {
  CHECK(may("", "", "1.1.1.1"));
  CHECK(may("1.1.1.1", "", "1.1.1.1"));
  CHECK_FALSE(may("1.1.1.1", "", "1.1.1.2"));
  CHECK_FALSE(may("", "1.1.1.0/24", "1.1.1.2"));
  CHECK(may("1.1.1.1", "2.2.2.2", "3.3.3.3"));
  CHECK(may("1.1.1.1", "1.1.1.0/24", "1.1.1.1"));
  CHECK(may("*.Example", "", "1.1.1.1"));
}

TEST_CASE("access: a name that cannot be resolved denies in a deny list, and allows nobody in an allow list") {
  CHECK(may("good.example", "", "10.0.0.1"));
  CHECK_FALSE(may("good.example", "", "10.0.0.2"));
  CHECK_FALSE(may("bad.example", "", "10.0.0.1"));
  CHECK_FALSE(may("", "bad.example", "10.0.0.1"));
  CHECK(may("", "bad.example", "10.0.0.1", "h.example", false));
}

TEST_CASE("access: an empty list of proxies trusts nobody") {
  Visitor visitor{"10.0.0.1", ""};
  CHECK_FALSE(is_trusted_proxy("", visitor, [](const std::string&) {}));
  CHECK(is_trusted_proxy("10.0.0.0/8", visitor, [](const std::string&) {}));
}

TEST_CASE("access: the first matching rule for a user decides") {
  using Access = UserRule::Access;
  int asked = 0;
  const auto groups = [&](const std::string& user) {
    ++asked;
    return user == "joe" ? Words{"staff", "big team"} : Words{};
  };
  CHECK(match_user("ann:deny joe:ro", "joe", groups)->access == Access::kReadOnly);
  CHECK(match_user("j*:RW", "joe", groups)->access == Access::kReadWrite);
  CHECK(match_user("ann:d*, *", "ann", groups)->access == Access::kDeny);
  CHECK_FALSE(match_user("ann", "joe", groups).has_value());
  CHECK(asked == 0);
  const auto by_group = match_user("@none @staff:rw", "joe", groups);
  CHECK(by_group->group == "staff");
  CHECK(by_group->access == Access::kReadWrite);
  CHECK(asked == 1);
  CHECK(match_user(",@big team:ro", "joe", groups)->group == "big team");
}

TEST_CASE("access: the first secret of a name counts, and no comment is a name") {
  const auto same = [](std::string_view password) { return "r" + std::string(password); };
  const std::string text = "# x:y\njoe:one\njoe:two\n@staff:team\nann:\n";
  CHECK(check_secret(text, "joe", "", "rone", same).empty());
  CHECK(check_secret(text, "joe", "", "rtwo", same) == "password mismatch");
  CHECK(check_secret(text, "joe", "", "rteam", same) == "password mismatch");
  CHECK(check_secret(text, "joe", "staff", "rteam", same).empty());
  CHECK(check_secret(text, "jo", "", "rone", same) == "secret not found");
  CHECK(check_secret(text, "", "", "r", same) == "secret not found");
  CHECK(check_secret(text, "# x", "", "ry", same) == "invalid username");
}

TEST_CASE("proxy header: version 1 in text") {
  CHECK(proxy("PROXY TCP4 1.2.3.4 5.6.7.8 11 22\r\n").value() == "1.2.3.4");
  CHECK(proxy("PROXY TCP6 fe80::1 ::1 11 22\r\n").value() == "fe80::1");
  CHECK(proxy("PROXY UNKNOWN whatever\r\n").value().empty());
  for (const char* bad : {"PROXY TCP4 1.2.3.4 5.6.7.8 11 22\n", "PROXY TCP4 host 5.6.7.8 11 22\r\n",
                          "PROXY TCP4 1.2.3.4 5.6.7.8 0 22\r\n", "PROXY TCP4 1.2.3.4 5.6.7.8 11\r\n",
                          "GET / HTTP/1.0\r\n\r\n", "PROXY TCP4"}) {
    INFO(bad);
    CHECK_FALSE(proxy(bad).has_value());
  }
  CHECK_FALSE(proxy("PROXY UNKNOWN " + std::string(200, 'x') + "\r\n").has_value());
}

TEST_CASE("proxy header: version 2 in binary; its length is bounded") {
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  const std::string v4 = signature + std::string("\x21\x11\0\x0c", 4) + std::string("\1\2\3\4\5\6\7\10\0\1\0\2", 12);
  CHECK(proxy(v4).value() == "1.2.3.4");
  CHECK(proxy(signature + std::string("\x20\0\0\0", 4)).value().empty());
  CHECK_FALSE(proxy(signature + std::string("\x21\x11\xff\xff", 4)).has_value());
  CHECK_FALSE(proxy(signature + std::string("\x31\x11\0\0", 4)).has_value());
  CHECK_FALSE(proxy(signature + std::string("\x21\x11\0\4", 4) + "abcd").has_value());
}
