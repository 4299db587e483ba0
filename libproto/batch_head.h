// The first bytes of a batch file: which options shaped the stream, and what both ends had agreed. See
// docs/batch_head.md.
#pragma once

#include <cstdint>

#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libproto/agreement.h"
#include "libproto/greeting.h"

namespace ocsync::proto {

// Options that change the layout of the stream. A reader adopts them.
enum StreamFlag : uint32_t {
  kStreamRecurse = 1u << 0,
  kStreamOwner = 1u << 1,
  kStreamGroup = 1u << 2,
  kStreamLinks = 1u << 3,
  kStreamDevices = 1u << 4,
  kStreamHardLinks = 1u << 5,
  kStreamChecksum = 1u << 6,
  kStreamDirs = 1u << 7,  // recursion sets it too
  kStreamCompress = 1u << 8,
  kStreamIconv = 1u << 9,
  kStreamAcls = 1u << 10,
  kStreamXattrs = 1u << 11,
  kStreamInplace = 1u << 12,
  kStreamAppend = 1u << 13,
  kStreamAppendVerify = 1u << 14,
};
// The flags that mean something at this version; others are to be ignored.
uint32_t stream_flags_of(int version);

struct BatchHead {
  uint32_t stream_flags = 0;  // masked with stream_flags_of(version)
  int32_t version = kNewestVersion;
  uint32_t compat = 0;  // version 30 and later
  int32_t seed = 0;
  bool operator==(const BatchHead&) const = default;
};
Status write_batch_head(const BatchHead& head, Writer& out);
// Refuses versions we do not speak, or newer ones than --protocol allows (Fault::kProtocol).
Result<BatchHead> read_batch_head(Reader& in, int newest = kNewestVersion);

// What a reader of the batch works with: facts of version and flags, the implied digests and zlib unless the wishes
// name others (a writer may have chosen them, and its script passes them on). Refuses what the version cannot do.
Result<Agreement> batch_agreement(const BatchHead& head, HandshakeWishes wishes);

}  // namespace ocsync::proto
