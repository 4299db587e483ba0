// The texts users know: numbers, sizes, escapes, modes, times.
#include "libio/base/text.h"

#include <catch2/catch.hpp>
#include <clocale>
#include <cstdlib>
#include <ctime>
#include <string>

using namespace ocsync;

namespace {

// The locale of the tests is C unless one of these lives.
class LocaleScope {
 public:
  explicit LocaleScope(const char* name) : known_(std::setlocale(LC_ALL, name) != nullptr) {}
  ~LocaleScope() { std::setlocale(LC_ALL, "C"); }
  bool known() const { return known_; }

 private:
  bool known_;
};

std::string size_text(std::string_view text, char unit = 'b', int64_t max = INT64_MAX) {
  const Result<int64_t> size = parse_size(text, unit, max);
  return size ? std::to_string(*size) : size.error().text;
}

}  // namespace

TEST_CASE("text: numbers in the four styles") {
  using enum NumberStyle;
  CHECK(format_number(0, kPlain) == "0");
  CHECK(format_number(1234567, kPlain) == "1234567");
  CHECK(format_number(999, kGrouped) == "999");
  CHECK(format_number(1000, kGrouped) == "1,000");
  CHECK(format_number(1234567, kGrouped) == "1,234,567");
  CHECK(format_number(-123456, kGrouped) == "-123,456");
  CHECK(format_number(INT64_MIN, kGrouped) == "-9,223,372,036,854,775,808");
  CHECK(format_number(999, kThousands) == "999");
  CHECK(format_number(1000, kThousands) == "1.00K");
  CHECK(format_number(-1500, kThousands) == "-1.50K");
  CHECK(format_number(999999, kThousands) == "1000.00K");
  CHECK(format_number(1000000, kThousands) == "1.00M");
  CHECK(format_number(1000, kBinary) == "1,000");
  CHECK(format_number(1023, kBinary) == "1,023");
  CHECK(format_number(1024, kBinary) == "1.00K");
  CHECK(format_number(int64_t{3} << 40, kBinary) == "3.00T");
  CHECK(format_number(INT64_MAX, kBinary) == "8192.00P");
  CHECK(format_number(INT64_MAX, kThousands) == "9223.37P");
}

TEST_CASE("text: fractions in the four styles") {
  using enum NumberStyle;
  CHECK(format_fixed(12.345, 2, kGrouped) == "12.35");
  CHECK(format_fixed(999.99, 2, kThousands) == "999.99");
  CHECK(format_fixed(1234567.891, 2, kPlain) == "1234567.89");
  CHECK(format_fixed(1234567.891, 2, kGrouped) == "1,234,567.89");
  CHECK(format_fixed(-1234567.891, 2, kGrouped) == "-1,234,567.89");
  CHECK(format_fixed(1234567.891, 2, kThousands) == "1.23M");
  CHECK(format_fixed(1023.5, 2, kBinary) == "1,023.50");
  CHECK(format_fixed(1e300, 0, kPlain).size() == 301);
}

TEST_CASE("text: a locale with a decimal comma swaps the two separators") {
  LocaleScope german("de_DE.UTF-8");
  if (!german.known()) {
    WARN("no locale with a decimal comma is installed; nothing was checked");
    return;
  }
  CHECK(format_number(1234567) == "1.234.567");
  CHECK(format_fixed(1234.5, 2) == "1.234,50");
  CHECK(size_text("1,5k") == "1536");
  CHECK(size_text("1.5k") == "1536");
}

TEST_CASE("text: sizes with units") {
  CHECK(size_text("0") == "0");
  CHECK(size_text("123") == "123");
  CHECK(size_text("10", 'k') == "10240");
  CHECK(size_text("10b", 'k') == "10");
  CHECK(size_text("1k") == "1024");
  CHECK(size_text("1K") == "1024");
  CHECK(size_text("1KiB") == "1024");
  CHECK(size_text("1kib") == "1024");
  CHECK(size_text("1KB") == "1000");
  CHECK(size_text("2m") == "2097152");
  CHECK(size_text("1.5G") == "1610612736");
  CHECK(size_text("1T") == "1099511627776");
  CHECK(size_text("1P") == "1125899906842624");
  CHECK(size_text("8191P") == "9222246136947933184");
  CHECK(size_text("1K+1") == "1025");
  CHECK(size_text("1.5mb-1") == "1499999");
  CHECK(size_text("1+1", 'k') == "1025");
  CHECK(size_text(".5k") == "512");
  CHECK(size_text("5.") == "5");
  CHECK(size_text("1.9") == "1");
  // Nothing but a unit, or nothing at all, is zero.
  CHECK(size_text("k") == "0");
  CHECK(size_text(".") == "0");
  CHECK(size_text("") == "0");
}

TEST_CASE("text: sizes that are none") {
  for (const char* text : {"x", "1x", "1i", "1ki", "1kx", "1kbb", "1,5", "1.5.2", "1+2", "1-2", "1+", "+5", "+1", " 1",
                           "1 ", "1e3", "0x10", "1k+1x", "1k+11"}) {
    CAPTURE(text);
    CHECK(size_text(text) == "invalid");
  }
  CHECK(parse_size("x").error().fault == Fault::kUsage);
}

TEST_CASE("text: sizes beyond the limit") {
  for (const char* text :
       {"8192P", "9223372036854775807", "8388608T-1", "8193P", "99999P", "-1", "0-1", "99999999999999999999999"}) {
    CAPTURE(text);
    CHECK(size_text(text) == "too large");
  }
  CHECK(size_text(std::string(400, '9')) == "too large");
  CHECK(size_text("131072", 'b', 131072) == "131072");
  CHECK(size_text("128k", 'b', 131072) == "131072");
  CHECK(size_text("131073", 'b', 131072) == "too large");
  CHECK(size_text("128k+1", 'b', 131072) == "too large");
  CHECK(size_text("1m", 'b', 131072) == "too large");
}

TEST_CASE("text: control bytes and what looks like an escape are escaped everywhere") {
  for (const Escape how : {Escape::kTerminal, Escape::kTerminal8Bit, Escape::kLogFile}) {
    CHECK(escape_text("bad\001name\\#123", how) == "bad\\#001name\\#134#123");
    CHECK(escape_text("a\tb", how) == "a\tb");
    CHECK(escape_text("a\nb\033[1m", how) == "a\\#012b\\#033[1m");
    CHECK(escape_text(std::string("\0", 1), how) == "\\#000");
    // Only a backslash, a number sign and three digits look like an escape.
    CHECK(escape_text("\\#12", how) == "\\#12");
    CHECK(escape_text("\\#12x", how) == "\\#12x");
    CHECK(escape_text("\\\\#129", how) == "\\\\#134#129");
    CHECK(escape_text("", how).empty());
    CHECK(escape_text("\x7f", how) == "\x7f");
  }
}

TEST_CASE("text: high bytes pass by the locale, by wish, or outside the control range of log files") {
  CHECK(escape_text("\xc3\xa9", Escape::kTerminal) == "\\#303\\#251");  // the C locale knows ASCII only
  CHECK(escape_text("\xc3\xa9\x85", Escape::kTerminal8Bit) == "\xc3\xa9\x85");
  CHECK(escape_text("\xc3\xa9\x85\x9f\xa0", Escape::kLogFile) == "\xc3\xa9\\#205\\#237\xa0");

  LocaleScope utf8("C.UTF-8");
  REQUIRE(utf8.known());
  CHECK(escape_text("caf\xc3\xa9 \xe2\x82\xac", Escape::kTerminal) == "caf\xc3\xa9 \xe2\x82\xac");
  CHECK(escape_text("\xc3", Escape::kTerminal) == "\\#303");    // cut short
  CHECK(escape_text("\xc3x", Escape::kTerminal) == "\\#303x");  // broken off
  CHECK(escape_text("\xff\xc3\xa9", Escape::kTerminal) == "\\#377\xc3\xa9");
}

TEST_CASE("text: modes") {
  CHECK(mode_text(0040755) == "drwxr-xr-x");
  CHECK(mode_text(0100644) == "-rw-r--r--");
  CHECK(mode_text(0120777) == "lrwxrwxrwx");
  CHECK(mode_text(0104755) == "-rwsr-xr-x");
  CHECK(mode_text(0104644) == "-rwSr--r--");
  CHECK(mode_text(0102755) == "-rwxr-sr-x");
  CHECK(mode_text(0102745) == "-rwxr-Sr-x");
  CHECK(mode_text(0041777) == "drwxrwxrwt");
  CHECK(mode_text(0041776) == "drwxrwxrwT");
  CHECK(mode_text(0060660) == "brw-rw----");
  CHECK(mode_text(0020000) == "c---------");
  CHECK(mode_text(0010600) == "prw-------");
  CHECK(mode_text(0140600) == "srw-------");
  CHECK(mode_text(0) == "----------");
}

TEST_CASE("text: times are local") {
  setenv("TZ", "UTC-2", 1);
  tzset();
  CHECK(time_text(1600000003) == "2020/09/13 14:26:43");
  CHECK(time_text(1600000003, '-') == "2020/09/13-14:26:43");
  CHECK(time_text(-7200) == "1970/01/01 00:00:00");
  CHECK(time_text(INT64_MAX) == "(time out of range)");
  unsetenv("TZ");
  tzset();
}
