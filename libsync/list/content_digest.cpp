#include "libsync/list/content_digest.h"

namespace ocsync::sync {

namespace {
constexpr size_t kBuffer = size_t{256} * 1024;
}  // namespace

Digest content_digest(const io::Dir& dir, io::Leaf leaf, DigestKind kind, uint64_t expected, const io::Stop& stop) {
  Digest zero;
  zero.size = static_cast<uint8_t>(digest_bytes(kind));
  const auto file = dir.open_read(leaf);
  if (!file) return zero;
  thread_local const std::unique_ptr<std::byte[]> memory = std::make_unique_for_overwrite<std::byte[]>(kBuffer);
  const MutableBytes buffer(memory.get(), kBuffer);
  // Most files are small: asking for one byte more than there should be shows the end without a second call.
  const bool small = expected < kBuffer;
  auto got = file->read_at(small ? buffer.first(static_cast<size_t>(expected) + 1) : buffer, 0);
  if (!got || stop.requested()) return zero;
  if (small && *got == expected) return hash(kind, buffer.first(*got));
  if (!small) file->advise_sequential();
  Hasher hasher(kind);
  for (uint64_t offset = 0; *got > 0;) {
    hasher.update(buffer.first(*got));
    offset += *got;
    got = file->read_at(buffer, offset);
    if (!got || stop.requested()) return zero;
  }
  return hasher.finish();
}

}  // namespace ocsync::sync
