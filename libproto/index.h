// File indexes on the wire (plain below version 30, deltas above) and the special values among them.
#pragma once

#include <cstdint>

#include "libio/base/result.h"
#include "libio/base/stream.h"
#include "libproto/agreement.h"

namespace ocsync::proto {

inline constexpr int32_t kNdxDone = -1;
inline constexpr int32_t kNdxListEof = -2;
inline constexpr int32_t kNdxDelStats = -3;
inline constexpr int32_t kNdxListOffset = -101;  // -101 - k: the list of directory k follows

// One per direction and end; the memories live for the whole session.
class IndexWriter {
 public:
  explicit IndexWriter(const Agreement& agreed) : compact_(agreed.compact_numbers) {}
  Status write(int32_t ndx, Writer& out);

 private:
  bool compact_;
  int32_t positive_ = -1, negative_ = 1;
};

class IndexReader {
 public:
  explicit IndexReader(const Agreement& agreed) : compact_(agreed.compact_numbers) {}
  Result<int32_t> read(Reader& in);

 private:
  bool compact_;
  int32_t positive_ = -1, negative_ = 1;
};

}  // namespace ocsync::proto
