// Tokens and basis become new content, verified by the digest over the whole of it.
#pragma once

#include <cstdint>
#include <functional>

#include "libio/os/file.h"
#include "libproto/sums.h"
#include "libproto/tokens.h"
#include "libsync/session/terms.h"

namespace ocsync::sync {

struct RebuildJob {
  const io::File* basis = nullptr;  // null: no match may come
  uint64_t basis_bytes = 0;
  const io::File* out = nullptr;  // null: read and throw away
  bool in_place = false;          // `out` already holds the basis content: what stays where it is is not written
  bool device = false;            // `out` has a size of its own and no holes
  bool append = false;            // starts behind what the sum head describes
  bool append_verify = false;     // ... whose bytes feed the digest first
  bool sparse = false;
  bool preallocate = false;
  uint64_t expected_bytes = 0;  // by the list
  std::string_view name;        // for messages
};

struct RebuildResult {
  bool verified = false;
  uint64_t literal_bytes = 0;
  uint64_t matched_bytes = 0;
  uint64_t bytes = 0;  // length of the new content
  Digest file_sum;     // as computed here
  Error write_error;   // Fault::kFileIo if writing failed; the tokens were still read to their end
  bool write_failed = false;
};

// Reads sum head (already read: `head`), tokens and digest from `in`. An error means the stream is unusable.
// `progress` is told how many bytes of the new content are there.
Result<RebuildResult> rebuild(const RebuildJob& job, const proto::SumHead& head, proto::TokenReader& tokens, Reader& in,
                              const Terms& terms, const std::function<void(uint64_t)>& progress);

}  // namespace ocsync::sync
