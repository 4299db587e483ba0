#include "libsync/list/content_digest.h"

#include <optional>

#include "libio/os/io_strategy.h"
#include "libio/os/map_file.h"
#include "libio/os/read_ahead.h"

namespace ocsync::sync {
namespace {

constexpr size_t kPiece = io::strategy::kSequentialWindow;

// As far as a mapping serves; how far that was. A file that shrinks meanwhile is an error.
Result<uint64_t> digest_mapped(const io::File& file, uint64_t bytes, Hasher& hasher, const Terms& terms) {
  io::MapFile map(file, bytes, io::MapFile::Access::kScan, terms.io.get());
  uint64_t at = 0;
  while (at < bytes && map.mapped()) {
    const Bytes piece = TRY(map.view(at, static_cast<size_t>(std::min<uint64_t>(kPiece, bytes - at))));
    hasher.update(piece);
    at += piece.size();
    TRY(terms.stop.check());
  }
  TRY(map.intact());
  return at;
}

Status digest_all(const io::File& file, uint64_t expected, Hasher& hasher, const Terms& terms) {
  io::IoStrategy& io = *terms.io;
  uint64_t offset = 0;
  if (io.maps(file, expected)) offset = TRY(digest_mapped(file, expected, hasher, terms));
  // One byte more than is expected: a small file then shows its end with the read that fetches it.
  const size_t size = static_cast<size_t>(std::min<uint64_t>(kPiece, expected + 1));
  const Buffer buffer = io.buffer(size);
  const MutableBytes into = buffer.bytes().first(size);
  std::optional<io::ReadAhead> ahead;
  if (expected > kPiece) {
    file.advise_sequential();
    if (io.uses(io::IoPart::kDrop))
      ahead.emplace(file, expected,
                    io::ReadAhead::Manner{.ahead_bytes = 0, .drop_behind = true, .metrics = &io.metrics()});
  }
  for (;;) {
    const size_t got = TRY(offset == 0 ? io.first_read(file, into, offset) : file.read_at(into, offset));
    TRY(terms.stop.check());
    hasher.update(into.first(got));
    io::IoMetrics::add(io.metrics().plain, got);
    offset += got;
    if (got == 0 || (got < into.size() && offset == expected)) return {};
    if (ahead) ahead->reached(offset);
  }
}

}  // namespace

Digest content_digest(const io::Dir& dir, io::Leaf leaf, uint64_t expected, const Terms& terms, bool follow) {
  Digest zero;
  zero.size = static_cast<uint8_t>(digest_bytes(terms.agreed.list_digest));
  auto file = dir.open_read(leaf);
  if (!file && follow && file.error().sys == ELOOP) file = dir.open_read_following(leaf);
  if (!file) return zero;
  Hasher hasher(terms.agreed.list_digest);
  return digest_all(*file, expected, hasher, terms) ? hasher.finish() : zero;
}

}  // namespace ocsync::sync
