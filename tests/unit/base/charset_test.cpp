// Names between character sets, and the three ways to fail.
#include "libio/base/charset.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

using namespace ocsync;

namespace {

CharsetConverter converter(const char* to, const char* from) {
  Result<CharsetConverter> opened = CharsetConverter::open(to, from);
  REQUIRE(opened.has_value());
  return *std::move(opened);
}

}  // namespace

TEST_CASE("charset: Latin-1 to UTF-8 and back, of any length") {
  CharsetConverter there = converter("UTF-8", "ISO-8859-1");
  CharsetConverter back = converter("ISO-8859-1", "UTF-8");
  CHECK(there.convert("caf\xe9").value() == "caf\xc3\xa9");
  CHECK(back.convert("caf\xc3\xa9").value() == "caf\xe9");
  CHECK(there.convert("").value().empty());
  for (const size_t length : {1UL, 17UL, 1000UL, 100000UL}) {
    const std::string name(length, '\xfc');
    CHECK(back.convert(there.convert(name).value()).value() == name);
  }
}

TEST_CASE("charset: output four times as long as the input") {
  CharsetConverter wide = converter("UTF-32LE", "US-ASCII");
  CHECK(wide.convert(std::string(1000, 'a')).value().size() == 4000);
}

TEST_CASE("charset: the errno says what is wrong with a name") {
  CharsetConverter from_utf8 = converter("ISO-8859-1", "UTF-8");
  CHECK(from_utf8.convert("a\xff").error().sys == EILSEQ);
  CHECK(from_utf8.convert("a\xc3").error().sys == EINVAL);         // cut within a character
  CHECK(from_utf8.convert("\xe2\x82\xac").error().sys == EILSEQ);  // Latin-1 has no euro
  CHECK(from_utf8.convert("abcd", 3).error().sys == E2BIG);
  CHECK(from_utf8.convert("abc", 3).value() == "abc");
  // A failure leaves nothing behind.
  CHECK(from_utf8.convert("caf\xc3\xa9").value() == "caf\xe9");
}

TEST_CASE("charset: messages keep what does not convert") {
  CharsetConverter from_utf8 = converter("ISO-8859-1", "UTF-8");
  CHECK(from_utf8.convert_leniently("a\xff"
                                    "b\xc3\xa9\xc3") ==
        "a\xff"
        "b\xe9\xc3");
  CHECK(from_utf8.convert_leniently("").empty());
}

TEST_CASE("charset: an unknown charset is refused by name") {
  const Result<CharsetConverter> unknown = CharsetConverter::open("no-such-charset", "UTF-8");
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().fault == Fault::kUnsupported);
  CHECK(unknown.error().text.find("no-such-charset") != std::string::npos);
}

TEST_CASE("charset: the locale has a charset that can be opened") {
  CHECK_FALSE(locale_charset().empty());
  CHECK(CharsetConverter::open("UTF-8", locale_charset()).has_value());
}
