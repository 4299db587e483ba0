// Number, size, mode and time formats, and escaping.
#include "libio/base/text.h"

#include <fmt/format.h>
#include <langinfo.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <cwchar>

namespace ocsync {
namespace {

bool decimal_point_is_dot() { return *nl_langinfo(RADIXCHAR) == '.'; }

// Digits in groups of three, counted from the right; `digits` may start with a minus sign.
std::string grouped(std::string_view digits) {
  const char separator = decimal_point_is_dot() ? ',' : '.';
  const size_t sign = digits.starts_with('-') ? 1 : 0;
  std::string out(digits.substr(0, sign));
  digits.remove_prefix(sign);
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += separator;
    out += digits[i];
  }
  return out;
}

// With the locale's decimal point, which fmt would need a locale object for.
std::string fixed(double value, int decimals) {
  char text[400];  // the largest double has 309 digits before the point
  const int length = std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return std::string(text, std::min<size_t>(static_cast<size_t>(length), sizeof text - 1));
}

double step_of(NumberStyle style) { return style == NumberStyle::kThousands ? 1000 : 1024; }

bool wants_unit(double value, NumberStyle style) {
  return style >= NumberStyle::kThousands && (value >= step_of(style) || value <= -step_of(style));
}

std::string with_unit(double value, NumberStyle style) {
  const double step = step_of(style);
  constexpr std::string_view kUnits = "KMGTP";
  size_t unit = 0;
  value /= step;
  for (; unit + 1 < kUnits.size() && (value >= step || value <= -step); ++unit) value /= step;
  return fixed(value, 2) + kUnits[unit];
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Takes all leading digits off the text.
std::string_view take_digits(std::string_view& text) {
  size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

// The factor that the unit at the start of the text stands for; takes the unit off. Nothing if it is none, and
// infinity if the factor alone is above `max`.
struct Unit {
  bool known = false;
  bool too_large = false;
  int64_t factor = 1;
};
Unit take_unit(std::string_view& text, char default_unit, int64_t max) {
  Unit unit;
  char letter = default_unit;
  if (!text.empty() && text[0] != '+' && text[0] != '-') {
    letter = text[0];
    text.remove_prefix(1);
  }
  constexpr std::string_view kLetters = "bkmgtp";
  size_t power = kLetters.find(lower(letter));
  if (power == std::string_view::npos) return unit;
  int step = 1024;
  if (!text.empty() && lower(text[0]) == 'b') {
    step = 1000;
    text.remove_prefix(1);
  } else if (text.size() >= 2 && lower(text[0]) == 'i' && lower(text[1]) == 'b') {
    text.remove_prefix(2);
  } else if (!text.empty() && text[0] != '+' && text[0] != '-') {
    return unit;
  }
  unit.known = true;
  for (; power > 0; --power) {
    if (unit.factor > max / step) unit.too_large = true;
    if (!unit.too_large) unit.factor *= step;
  }
  return unit;
}

// Bytes of the character at the start of the text, or 0 if its first byte begins none in the locale's charset.
size_t character_bytes(std::string_view text) {
  if (static_cast<unsigned char>(text[0]) < 0x80) return 1;
  std::mbstate_t state{};
  wchar_t wide;
  const size_t bytes = std::mbrtowc(&wide, text.data(), text.size(), &state);
  return bytes > text.size() ? 0 : bytes;
}

// How many bytes at the start of the text may pass together; 0 if the first has to be escaped.
size_t passing_bytes(std::string_view text, Escape how) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first == '\t') return 1;
  if (first < 0x20) return 0;
  if (first == '\\') {
    const bool looks_escaped =
        text.size() >= 5 && text[1] == '#' && is_digit(text[2]) && is_digit(text[3]) && is_digit(text[4]);
    return looks_escaped ? 0 : 1;
  }
  switch (how) {
    case Escape::kTerminal: return character_bytes(text);
    case Escape::kTerminal8Bit: return 1;
    case Escape::kLogFile: return first >= 0x80 && first <= 0x9f ? 0 : 1;
  }
  return 0;
}

}  // namespace

std::string format_number(int64_t value, NumberStyle style) {
  if (wants_unit(static_cast<double>(value), style)) return with_unit(static_cast<double>(value), style);
  const fmt::format_int digits(value);
  const std::string_view text(digits.data(), digits.size());
  return style == NumberStyle::kPlain ? std::string(text) : grouped(text);
}

std::string format_fixed(double value, int decimals, NumberStyle style) {
  if (style == NumberStyle::kPlain || (value < 1000 && value > -1000)) return fixed(value, decimals);
  if (wants_unit(value, style)) return with_unit(value, style);
  const std::string text = fixed(value, decimals);
  const size_t whole = text.find_first_not_of("-0123456789");
  const std::string_view all(text);
  return grouped(all.substr(0, whole)) + std::string(whole == std::string::npos ? "" : all.substr(whole));
}

Result<int64_t> parse_size(std::string_view text, char default_unit, int64_t max) {
  const auto invalid = [] { return fail(Fault::kUsage, "invalid"); };
  const auto too_large = [] { return fail(Fault::kUsage, "too large"); };

  const bool starts_with_sign = text.starts_with('+') || text.starts_with('-');
  if (text.starts_with('-')) return too_large();  // negative; users know this answer
  std::string number(take_digits(text));
  if (!text.empty() && (text[0] == '.' || (text[0] == ',' && !decimal_point_is_dot()))) {
    text.remove_prefix(1);
    number += '.';
    number += take_digits(text);
  }
  const Unit unit = take_unit(text, default_unit, max);
  if (!unit.known) return invalid();
  if (unit.too_large) return too_large();

  double amount = 0;  // a unit alone is legal and nothing
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), amount);
  if (parsed.ec == std::errc::result_out_of_range) return too_large();
  // As a double, 2^63 - 1 is 2^63, which is one too many; a smaller limit is exact.
  const double most = static_cast<double>(max) / static_cast<double>(unit.factor);
  if (amount > most || (max == INT64_MAX && amount >= most)) return too_large();
  auto size = static_cast<int64_t>(amount * static_cast<double>(unit.factor));

  if (!starts_with_sign && text == "+1") {
    if (size == max) return too_large();
    ++size;
  } else if (!starts_with_sign && text == "-1") {
    --size;
  } else if (!text.empty()) {
    return invalid();
  }
  if (size < 0 || size > max) return too_large();
  return size;
}

void append_escaped(std::string& out, std::string_view text, Escape how) {
  while (!text.empty()) {
    const size_t passing = passing_bytes(text, how);
    if (passing > 0) {
      out.append(text.substr(0, passing));
      text.remove_prefix(passing);
      continue;
    }
    const auto byte = static_cast<unsigned char>(text[0]);
    const char escape[] = {'\\', '#', static_cast<char>('0' + (byte >> 6)), static_cast<char>('0' + ((byte >> 3) & 7)),
                           static_cast<char>('0' + (byte & 7))};
    out.append(escape, sizeof escape);
    text.remove_prefix(1);
  }
}

std::string escape_text(std::string_view text, Escape how) {
  std::string out;
  out.reserve(text.size());
  append_escaped(out, text, how);
  return out;
}

std::string mode_text(uint32_t mode) {
  std::string out = "-rwxrwxrwx";
  switch (mode & 0170000) {
    case 0040000: out[0] = 'd'; break;
    case 0120000: out[0] = 'l'; break;
    case 0060000: out[0] = 'b'; break;
    case 0020000: out[0] = 'c'; break;
    case 0010000: out[0] = 'p'; break;
    case 0140000: out[0] = 's'; break;
    default: break;
  }
  for (size_t i = 0; i < 9; ++i) {
    if ((mode & (0400U >> i)) == 0) out[i + 1] = '-';
  }
  if ((mode & 04000) != 0) out[3] = (mode & 0100) != 0 ? 's' : 'S';
  if ((mode & 02000) != 0) out[6] = (mode & 0010) != 0 ? 's' : 'S';
  if ((mode & 01000) != 0) out[9] = (mode & 0001) != 0 ? 't' : 'T';
  return out;
}

std::string time_text(int64_t seconds, char separator) {
  const auto instant = static_cast<std::time_t>(seconds);
  std::tm parts{};
  if (localtime_r(&instant, &parts) == nullptr) return "(time out of range)";
  return fmt::format("{:4}/{:02}/{:02}{}{:02}:{:02}:{:02}", int64_t{parts.tm_year} + 1900, parts.tm_mon + 1,
                     parts.tm_mday, separator, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace ocsync
