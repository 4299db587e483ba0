#include "libproto/numbers.h"

#include <bit>
#include <cassert>

#include "libproto/limits.h"

namespace ocsync::proto {
namespace {

// How many bytes follow the first byte of a varint (beyond the minimum, for a varlong): its leading one bits.
int extra_bytes(uint8_t first) { return std::min(std::countl_one(first), 6); }

// The first byte's value bits when `extra` bytes follow.
uint64_t value_bits(uint8_t first, int extra) { return first & (0xffu >> extra); }

uint64_t load_low(const std::byte* at, size_t count) {
  uint64_t value = 0;
  std::memcpy(&value, at, count);
  return value;
}

// The form shared by both: the number's top byte goes into the first byte if it fits beside the length bits.
std::byte* store_compact(std::byte* at, uint64_t value, int least) {
  const int needed = value == 0 ? 1 : (71 - std::countl_zero(value)) / 8;
  const int bytes = std::max(needed, least);
  const int extra = bytes - least;
  const auto top = static_cast<uint8_t>(value >> (8 * (bytes - 1)));
  const auto ones = [](int n) { return static_cast<uint8_t>(0xff00u >> n); };
  std::byte low[8];
  store_le(low, value);
  if (top < 1u << (7 - extra)) {
    *at++ = std::byte(ones(extra) | top);
    std::memcpy(at, low, static_cast<size_t>(bytes - 1));
    return at + bytes - 1;
  }
  *at++ = std::byte(ones(extra + 1));
  std::memcpy(at, low, static_cast<size_t>(bytes));
  return at + bytes;
}

}  // namespace

std::byte* store_varint(std::byte* at, int32_t value) { return store_compact(at, static_cast<uint32_t>(value), 1); }

std::byte* store_varlong(std::byte* at, int64_t value, int min_bytes) {
  assert(min_bytes >= 3 && min_bytes <= 8);  // below 3 the first byte cannot tell all lengths
  return store_compact(at, static_cast<uint64_t>(value), min_bytes);
}

std::byte* store_longint(std::byte* at, int64_t value) {
  if (value >= 0 && value <= INT32_MAX) {
    store_le(at, static_cast<int32_t>(value));
    return at + 4;
  }
  store_le(at, int32_t{-1});
  store_le(at + 4, value);
  return at + 12;
}

Status write_varint(int32_t value, Writer& out) {
  std::byte b[5];
  return out.bytes(Bytes(b, store_varint(b, value)));
}

Result<int32_t> read_varint(Reader& in) {
  const uint8_t first = TRY(in.u8());
  if (first < 0x80) return first;
  const int extra = extra_bytes(first);
  if (extra > 4) return fail(Fault::kStream, "Overflow in read_varint()");
  const uint64_t low = load_low(TRY(in.view(static_cast<size_t>(extra))).data(), static_cast<size_t>(extra));
  return static_cast<int32_t>(static_cast<uint32_t>(low | value_bits(first, extra) << (8 * extra)));
}

Status write_varlong(int64_t value, int min_bytes, Writer& out) {
  std::byte b[10];
  return out.bytes(Bytes(b, store_varlong(b, value, min_bytes)));
}

Result<int64_t> read_varlong(int min_bytes, Reader& in) {
  assert(min_bytes >= 3 && min_bytes <= 8);
  const uint8_t first = TRY(in.u8());
  const int extra = extra_bytes(first);
  const int follow = min_bytes - 1 + extra;
  if (follow > 8) return fail(Fault::kStream, "Overflow in read_varlong()");
  const uint64_t low = load_low(TRY(in.view(static_cast<size_t>(follow))).data(), static_cast<size_t>(follow));
  // With eight bytes behind it the first byte's value bits are above bit 63.
  if (follow == 8) return static_cast<int64_t>(low);
  return static_cast<int64_t>(low | value_bits(first, extra) << (8 * follow));
}

Status write_longint(int64_t value, Writer& out) {
  std::byte b[12];
  return out.bytes(Bytes(b, store_longint(b, value)));
}

Result<int64_t> read_longint(Reader& in) {
  const int32_t small = TRY(in.i32());
  if (small != -1) return small;
  return in.i64();
}

Status write_varint30(int32_t value, const Agreement& agreed, Writer& out) {
  return agreed.compact_numbers ? write_varint(value, out) : out.i32(value);
}
Result<int32_t> read_varint30(const Agreement& agreed, Reader& in) {
  return agreed.compact_numbers ? read_varint(in) : in.i32();
}
Status write_varlong30(int64_t value, int min_bytes, const Agreement& agreed, Writer& out) {
  return agreed.compact_numbers ? write_varlong(value, min_bytes, out) : write_longint(value, out);
}
Result<int64_t> read_varlong30(int min_bytes, const Agreement& agreed, Reader& in) {
  return agreed.compact_numbers ? read_varlong(min_bytes, in) : read_longint(in);
}

Result<int32_t> read_varint_within(const char* what, int32_t lowest, int32_t highest, Reader& in, Fault fault) {
  const int32_t value = TRY(read_varint(in));
  if (value < lowest || value > highest)
    return fail(fault, "wire value " + std::string(what) + " out of range: " + std::to_string(value));
  return value;
}

Status write_vstring(std::string_view text, Writer& out) {
  if (text.size() > kMaxVstring)
    return fail(Fault::kProtocol, "attempting to send over-long vstring (" + std::to_string(text.size()) + " bytes)");
  if (text.size() > 0x7f) TRY(out.u8(static_cast<uint8_t>(0x80 | text.size() >> 8)));
  TRY(out.u8(static_cast<uint8_t>(text.size())));
  return out.text(text);
}

Status read_vstring(std::string& into, size_t limit, Reader& in, Fault fault) {
  size_t bytes = TRY(in.u8());
  if (bytes & 0x80) bytes = (bytes & 0x7f) << 8 | TRY(in.u8());
  if (bytes > limit)
    return fail(fault, "over-long vstring received (" + std::to_string(bytes) + " > " + std::to_string(limit) + ")");
  return in.text(into, bytes);
}

Result<std::string> read_vstring(size_t limit, Reader& in, Fault fault) {
  std::string text;
  TRY(read_vstring(text, limit, in, fault));
  return text;
}

Status write_short_text(std::string_view text, Writer& out) {
  assert(text.size() <= kMaxIdName);
  TRY(out.u8(static_cast<uint8_t>(text.size())));
  return out.text(text);
}

Status read_short_text(std::string& into, Reader& in) {
  const size_t bytes = TRY(in.u8());
  return in.text(into, bytes);
}

}  // namespace ocsync::proto
