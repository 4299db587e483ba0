// The integer encodings of the wire: fixed, variable, long; and strings with a short length. See docs/numbers.md.
//
// Readers accept non-minimal forms, as upstream does; writers produce the minimal form. A number that cannot be right
// is refused where it is read, with the name that the caller gives it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libproto/agreement.h"

namespace ocsync::proto {

// 1 to 5 bytes, any 32-bit value.
Status write_varint(int32_t value, Writer& out);
Result<int32_t> read_varint(Reader& in);
// `min_bytes` (3 to 8) to 9 bytes, any 64-bit value; 3 is used for lengths and statistics, 4 for times.
Status write_varlong(int64_t value, int min_bytes, Writer& out);
Result<int64_t> read_varlong(int min_bytes, Reader& in);
// 4 bytes, or 12 if the value is negative or needs more.
Status write_longint(int64_t value, Writer& out);
Result<int64_t> read_longint(Reader& in);

// The compact form where the agreement has it, otherwise i32 and longint.
Status write_varint30(int32_t value, const Agreement& agreed, Writer& out);
Result<int32_t> read_varint30(const Agreement& agreed, Reader& in);
Status write_varlong30(int64_t value, int min_bytes, const Agreement& agreed, Writer& out);
Result<int64_t> read_varlong30(int min_bytes, const Agreement& agreed, Reader& in);

// A varint within lowest..highest, or a refusal (`fault`) that names it.
Result<int32_t> read_varint_within(const char* what, int32_t lowest, int32_t highest, Reader& in,
                                   Fault fault = Fault::kProtocol);

// Length in one or two bytes, then the text. Writing more than kMaxVstring bytes and reading more than `limit` fail
// (`fault`: negotiation and names are refused with different exit codes).
Status write_vstring(std::string_view text, Writer& out);
Result<std::string> read_vstring(size_t limit, Reader& in, Fault fault = Fault::kProtocol);
// The same into a string that keeps its capacity.
Status read_vstring(std::string& into, size_t limit, Reader& in, Fault fault = Fault::kProtocol);

// Length in one byte, then the text: names of users and groups. Longer text is an error of the caller's.
Status write_short_text(std::string_view text, Writer& out);
Status read_short_text(std::string& into, Reader& in);

// The same encodings into memory: for hot paths that form a whole record before they write it. Each returns the end of
// what it stored; there must be room for 5, 9 or 12 bytes.
std::byte* store_varint(std::byte* at, int32_t value);
std::byte* store_varlong(std::byte* at, int64_t value, int min_bytes);
std::byte* store_longint(std::byte* at, int64_t value);

}  // namespace ocsync::proto
