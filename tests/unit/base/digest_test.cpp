// Digests against published vectors, in one piece and torn.
#include "libio/base/digest.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace ocsync;

namespace {

struct Vector {
  DigestKind kind;
  std::string text;
  std::string hex;
};

std::string hex_of(DigestKind kind, std::string_view text, uint64_t seed = 0) {
  return to_hex(hash(kind, as_bytes(text), seed).bytes());
}

// RFC 1320, RFC 1321, FIPS 180, and values of the xxhsum program (byte-reversed: the wire order is little-endian).
const std::vector<Vector>& vectors() {
  static const std::vector<Vector> all = {
      {DigestKind::kNone, "hello", "00"},
      {DigestKind::kMd4, "", "31d6cfe0d16ae931b73c59d7e0c089c0"},
      {DigestKind::kMd4, "a", "bde52cb31de33e46245e05fbdbd6fb24"},
      {DigestKind::kMd4, "abc", "a448017aaf21d8525fc10ae87aa6729d"},
      {DigestKind::kMd4, "message digest", "d9130a8164549fe818874806e1c7014b"},
      {DigestKind::kMd4, "abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"},
      {DigestKind::kMd4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
       "043f8582f241db351ce627e153e7f0e4"},
      {DigestKind::kMd4, "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
       "e33b4ddc9c38f2199c3e7b164fcc0536"},
      {DigestKind::kMd4, "hello", "866437cb7a794bce2b727acc0362ee27"},
      {DigestKind::kMd5, "", "d41d8cd98f00b204e9800998ecf8427e"},
      {DigestKind::kMd5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
      {DigestKind::kMd5, "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
       "57edf4a22be3c955ac49da2e2107b67a"},
      {DigestKind::kSha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {DigestKind::kSha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {DigestKind::kSha512, "abc",
       "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
       "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
      {DigestKind::kXxh64, "", "99e9d85137db46ef"},
      {DigestKind::kXxh3, "", "c294d3380580062d"},
      {DigestKind::kXxh128, "hello", "1838525eaacf79c77f3e1b07adc1e9b5"},
  };
  return all;
}

std::string pattern(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 131 + (i >> 8));
  return text;
}

constexpr DigestKind kAll[] = {DigestKind::kNone,  DigestKind::kMd4,    DigestKind::kMd5,
                               DigestKind::kSha1,  DigestKind::kSha256, DigestKind::kSha512,
                               DigestKind::kXxh64, DigestKind::kXxh3,   DigestKind::kXxh128};

}  // namespace

TEST_CASE("digest: published vectors") {
  for (const Vector& v : vectors()) {
    CAPTURE(digest_name(v.kind), v.text);
    CHECK(hex_of(v.kind, v.text) == v.hex);
  }
}

TEST_CASE("digest: a hasher fed in pieces of any size agrees with the one-shot form, also after reset") {
  for (const DigestKind kind : kAll) {
    for (const size_t length : {0UL, 1UL, 55UL, 56UL, 63UL, 64UL, 65UL, 119UL, 120UL, 128UL, 700UL, 5000UL}) {
      const std::string text = pattern(length);
      const Digest whole = hash(kind, as_bytes(text), 0x1234);
      Hasher hasher(kind, 0x1234);
      for (const size_t piece : {1UL, 3UL, 63UL, 64UL, 65UL, 1000UL, 8192UL}) {
        CAPTURE(digest_name(kind), length, piece);
        hasher.reset();
        for (size_t at = 0; at < length; at += piece) hasher.update(as_bytes(std::string_view(text).substr(at, piece)));
        CHECK(hasher.finish() == whole);
      }
    }
  }
}

TEST_CASE("digest: the seed changes the xxh family and nothing else") {
  for (const DigestKind kind : kAll) {
    const bool seeded = kind == DigestKind::kXxh64 || kind == DigestKind::kXxh3 || kind == DigestKind::kXxh128;
    CAPTURE(digest_name(kind));
    CHECK((hex_of(kind, "hello", 1) != hex_of(kind, "hello", 0)) == seeded);
  }
}

TEST_CASE("digest: names in any case, and their lengths") {
  CHECK(digest_by_name("XXH128") == DigestKind::kXxh128);
  CHECK(digest_by_name("xxhash") == DigestKind::kXxh64);
  CHECK(digest_by_name("xxh6") == std::nullopt);
  CHECK(digest_by_name("") == std::nullopt);
  for (const DigestKind kind : kAll) {
    CHECK(digest_by_name(digest_name(kind)) == kind);
    CHECK(hash(kind, {}).size == digest_bytes(kind));
  }
}

TEST_CASE("digest: equality looks at the length too") {
  const Digest md5 = hash(DigestKind::kMd5, as_bytes("x"));
  Digest cut = md5;
  cut.size = 8;
  CHECK_FALSE(cut == md5);
  CHECK(md5 == hash(DigestKind::kMd5, as_bytes("x")));
  CHECK_FALSE(md5 == hash(DigestKind::kMd5, as_bytes("y")));
}

TEST_CASE("digest: md4 counts lengths beyond 2^32 bits") {
  // 2^29 bytes are 2^32 bits, which a 32-bit bit counter would take for nothing.
  Hasher hasher(DigestKind::kMd4);
  const std::string piece(1 << 20, '\0');
  for (int i = 0; i < 512; ++i) hasher.update(as_bytes(piece));
  CHECK(to_hex(hasher.finish().bytes()) == "1ddb4210749e8db79d0240b66f7a2168");
}
