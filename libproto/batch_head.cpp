#include "libproto/batch_head.h"

#include <fmt/format.h>

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

Result<BatchHead> read_batch_head(Reader& in, int newest) {
  BatchHead head;
  head.stream_flags = static_cast<uint32_t>(TRY(in.i32()));
  head.version = TRY(in.i32());
  if (head.version > newest) {
    return fail(Fault::kProtocol,
                fmt::format("The protocol version in the batch file is too new ({} > {}).", head.version, newest));
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

Result<Agreement> batch_agreement(const BatchHead& head, HandshakeWishes wishes) {
  Agreement agreed = Agreement::from(head.version, head.compat);
  agreed.seed = head.seed;
  if (agreed.incremental && !wishes.incremental)
    return fail(Fault::kUsage, "Incompatible options specified for inc-recursive batch file.");
  if (head.version >= 29) wishes.compress = (head.stream_flags & kStreamCompress) != 0;
  if (!wishes.compress) wishes.compress_choice.clear();
  // Nothing is negotiated now, so nothing is to be held against the lists of the environment.
  wishes.checksum_list.clear();
  wishes.compress_list.clear();
  TRY(check_version_gates(wishes, agreed));
  TRY(settle_algorithms(agreed, wishes, false, std::nullopt, std::nullopt));
  return agreed;
}

}  // namespace ocsync::proto
