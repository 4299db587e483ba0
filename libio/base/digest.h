// md4, md5, sha1, sha2 and the xxh family behind one Digest value.
//
// md4 is our own (a library of OpenSSL need not have it); md5 and sha are OpenSSL's, xxh is libxxhash's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "libio/base/bytes.h"

namespace ocsync {

enum class DigestKind : uint8_t { kNone, kMd4, kMd5, kSha1, kSha256, kSha512, kXxh64, kXxh3, kXxh128 };

// Length in bytes of a whole digest; 1 for kNone (a single zero byte on the wire).
size_t digest_bytes(DigestKind kind);
// The names used on command lines and on the wire ("xxhash" is xxh64, case does not matter).
std::optional<DigestKind> digest_by_name(std::string_view name);
std::string_view digest_name(DigestKind kind);

// A finished digest in wire order (xxh values little-endian, xxh128 low half first).
struct Digest {
  std::array<std::byte, 64> data{};
  uint8_t size = 0;
  Bytes bytes() const { return {data.data(), size}; }
  bool operator==(const Digest& other) const;
};

// Feeds bytes, then finish() once; reset() starts anew with the same kind and seed. One owner thread; movable.
class Hasher {
 public:
  // `seed` is used by the xxh family only.
  explicit Hasher(DigestKind kind, uint64_t seed = 0);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();
  void reset();
  void update(Bytes bytes);
  Digest finish();
  DigestKind kind() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One-shot form. Allocates nothing.
Digest hash(DigestKind kind, Bytes bytes, uint64_t seed = 0);

}  // namespace ocsync
