#include "libproto/batch_head.h"

#include <fmt/format.h>

#include "libproto/greeting.h"
#include "libproto/numbers.h"

namespace ocsync::proto {

uint32_t stream_flags_of(int version) {
  if (version < 29) return (1u << 7) - 1;  // up to hard links and checksum
  if (version < 30) return (1u << 9) - 1;  // dirs and compress as well
  return (1u << 15) - 1;
}

Status write_batch_head(const BatchHead& head, Writer& out) {
  TRY(out.i32(static_cast<int32_t>(head.stream_flags & stream_flags_of(head.version))));
  TRY(out.i32(head.version));
  if (head.version >= 30) TRY(write_varint(static_cast<int32_t>(head.compat), out));
  return out.i32(head.seed);
}

Result<BatchHead> read_batch_head(Reader& in) {
  BatchHead head;
  head.stream_flags = static_cast<uint32_t>(TRY(in.i32()));
  head.version = TRY(in.i32());
  if (head.version > kNewestVersion) {
    return fail(Fault::kProtocol, fmt::format("The protocol version in the batch file is too new ({} > {}).",
                                              head.version, kNewestVersion));
  }
  if (head.version < kOldestVersion) {
    return fail(Fault::kProtocol, fmt::format("The protocol version in the batch file is too old ({} < {}).",
                                              head.version, kOldestVersion));
  }
  head.stream_flags &= stream_flags_of(head.version);
  if (head.version >= 30) head.compat = static_cast<uint32_t>(TRY(read_varint(in)));
  head.seed = TRY(in.i32());
  return head;
}

Agreement batch_agreement(const BatchHead& head) {
  Agreement agreed = Agreement::from(head.version, head.compat);
  agreed.seed = head.seed;
  // Nothing was negotiated for the file, and nobody chooses anything now: this cannot be refused.
  const Status settled = settle_algorithms(agreed, HandshakeWishes{}, false, std::nullopt, std::nullopt);
  (void)settled;
  agreed.compression = (head.stream_flags & kStreamCompress) != 0 ? Compression::kZlib : Compression::kNone;
  return agreed;
}

}  // namespace ocsync::proto
