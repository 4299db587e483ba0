// Texts that users know: numbers, sizes, permissions, local times, and the escaping of names nobody can print.
//
// Decimal point and digit grouping follow the LC_NUMERIC locale the program chose at its start: groups are separated
// by ',' or, where the decimal point is a ',', by '.'. All functions may be called from several threads at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libio/base/result.h"

namespace ocsync {

// How numbers are shown. kThousands and kBinary show 1000 (1024) and more with two decimals and one of K M G T P.
enum class NumberStyle : uint8_t { kPlain = 0, kGrouped = 1, kThousands = 2, kBinary = 3 };

std::string format_number(int64_t value, NumberStyle style = NumberStyle::kGrouped);
// With a fraction of `decimals` digits; kThousands and kBinary turn to units for 1000 (1024) and more.
std::string format_fixed(double value, int decimals, NumberStyle style = NumberStyle::kGrouped);

// Reads DIGITS[.DIGITS][UNIT][+1|-1]. UNIT is one of "bkmgtp" in any case, alone or with "iB" in steps of 1024, with
// "B" in steps of 1000; `default_unit` (one of these letters) stands for a missing one. What exceeds `max` (or is
// negative) fails with the text "too large", what is not a size with the text "invalid"; both are Fault::kUsage.
Result<int64_t> parse_size(std::string_view text, char default_unit = 'b', int64_t max = INT64_MAX);

// Which bytes of a message may reach its reader as they are. Tab always may, other bytes below 0x20 never.
enum class Escape : uint8_t {
  kTerminal,      // what is a character of the LC_CTYPE locale's charset
  kTerminal8Bit,  // every byte from 0x20 on
  kLogFile,       // every byte from 0x20 on except 0x80 to 0x9F, which are control characters in many charsets
};
// Writes each byte that may not pass as \# and three octal digits, and so the backslash of a literal \#ddd. Line ends
// that belong to the message must be taken off before.
std::string escape_text(std::string_view text, Escape how);
void append_escaped(std::string& out, std::string_view text, Escape how);

// "drwxr-xr-x": the type and permissions that the POSIX mode bits say (set-id as s or S, sticky as t or T).
std::string mode_text(uint32_t mode);

// "2020/09/13 12:26:43" in local time, or "(time out of range)". `separator` stands between date and time.
std::string time_text(int64_t seconds, char separator = ' ');

}  // namespace ocsync
