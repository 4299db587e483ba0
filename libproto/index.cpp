#include "libproto/index.h"

namespace ocsync::proto {

Status IndexWriter::write(int32_t ndx, Writer& out) {
  if (!compact_) return out.i32(ndx);
  if (ndx == kNdxDone) return out.u8(0);

  std::byte b[6];
  size_t n = 0;
  const auto put = [&](uint32_t value) { b[n++] = static_cast<std::byte>(value); };
  if (ndx < 0) put(0xff);
  // Unsigned arithmetic: -ndx of the lowest value and differences across the whole range wrap without harm.
  const uint32_t value = ndx < 0 ? 0u - static_cast<uint32_t>(ndx) : static_cast<uint32_t>(ndx);
  int32_t& memory = ndx < 0 ? negative_ : positive_;
  const int64_t delta = static_cast<int64_t>(value) - memory;
  memory = static_cast<int32_t>(value);
  if (delta >= 1 && delta <= 253) {
    put(static_cast<uint32_t>(delta));
  } else if (delta == 0 || (delta > 0 && delta <= 32767)) {
    put(0xfe), put(static_cast<uint32_t>(delta) >> 8), put(static_cast<uint32_t>(delta));
  } else {
    put(0xfe), put(value >> 24 | 0x80), put(value), put(value >> 8), put(value >> 16);
  }
  return out.bytes(Bytes(b, n));
}

Result<int32_t> IndexReader::read(Reader& in) {
  if (!compact_) return in.i32();

  uint32_t b = TRY(in.u8());
  if (b == 0) return kNdxDone;
  const bool is_negative = b == 0xff;
  if (is_negative) b = TRY(in.u8());
  int32_t& memory = is_negative ? negative_ : positive_;

  int64_t value = 0;
  if (b == 0xfe) {
    const Bytes two = TRY(in.view(2));
    const uint32_t x = std::to_integer<uint32_t>(two[0]), y = std::to_integer<uint32_t>(two[1]);
    if (x & 0x80) {
      const uint32_t middle = TRY(in.u16());
      value = (x & 0x7f) << 24 | middle << 8 | y;
    } else {
      value = memory + static_cast<int64_t>(x << 8 | y);
    }
  } else {
    value = memory + static_cast<int64_t>(b);
  }
  if (value > INT32_MAX || value < 0) return fail(Fault::kProtocol, "Invalid file index");
  memory = static_cast<int32_t>(value);
  return is_negative ? -memory : memory;
}

}  // namespace ocsync::proto
