// The table of digests, and OpenSSL, xxHash and our md4 behind one Hasher.
#include "libio/base/digest.h"

#define OPENSSL_SUPPRESS_DEPRECATED  // see OpenSslDigest
#include <openssl/md5.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cassert>
#include <variant>

#define XXH_STATIC_LINKING_ONLY  // the states' sizes, so that they can live inside ours
#include <xxhash.h>
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>  // replaces the one-shot and update functions by those that use the machine's vectors
#endif

#include "libio/base/md4.h"

namespace ocsync {
namespace {

struct Row {
  DigestKind kind;
  std::string_view name;
  size_t bytes;
};
// In the order of the enum; a second name for a kind comes after.
constexpr Row kRows[] = {
    {DigestKind::kNone, "none", 1},    {DigestKind::kMd4, "md4", 16},       {DigestKind::kMd5, "md5", 16},
    {DigestKind::kSha1, "sha1", 20},   {DigestKind::kSha256, "sha256", 32}, {DigestKind::kSha512, "sha512", 64},
    {DigestKind::kXxh64, "xxh64", 8},  {DigestKind::kXxh3, "xxh3", 8},      {DigestKind::kXxh128, "xxh128", 16},
    {DigestKind::kXxh64, "xxhash", 8},
};

const Row& row(DigestKind kind) {
  const Row& found = kRows[static_cast<size_t>(kind)];
  assert(found.kind == kind);
  return found;
}

// Digests under way: made ready by construction, update() any number of times, finish() once.

// OpenSSL's plain functions. Its EVP interface, which deprecates them, brings providers, their tables and their start
// into each process: 4 MB of program, and a table of relocated addresses that every run pays for
// (tests/bench/README.md).
template <typename Context, auto kInit, auto kUpdate, auto kFinal>
class OpenSslDigest {
 public:
  OpenSslDigest() { kInit(&context_); }
  void update(Bytes bytes) { kUpdate(&context_, bytes.data(), bytes.size()); }
  void finish(std::byte* out) { kFinal(reinterpret_cast<unsigned char*>(out), &context_); }

 private:
  Context context_;
};
using Md5 = OpenSslDigest<MD5_CTX, MD5_Init, MD5_Update, MD5_Final>;
using Sha1 = OpenSslDigest<SHA_CTX, SHA1_Init, SHA1_Update, SHA1_Final>;
using Sha256 = OpenSslDigest<SHA256_CTX, SHA256_Init, SHA256_Update, SHA256_Final>;
using Sha512 = OpenSslDigest<SHA512_CTX, SHA512_Init, SHA512_Update, SHA512_Final>;

void store(std::byte* out, uint64_t value) { store_le(out, value); }
void store(std::byte* out, const XXH128_hash_t& value) {
  store_le(out, value.low64);
  store_le(out + 8, value.high64);
}

struct Xxh64 {
  explicit Xxh64(uint64_t seed) { XXH64_reset(&state, seed); }
  void update(Bytes bytes) { XXH64_update(&state, bytes.data(), bytes.size()); }
  void finish(std::byte* out) { store(out, XXH64_digest(&state)); }
  XXH64_state_t state;
};
// Both of the third generation keep the same state.
template <auto kReset, auto kUpdate, auto kDigest>
struct Xxh3Of {
  explicit Xxh3Of(uint64_t seed) { kReset(&state, seed); }
  void update(Bytes bytes) { kUpdate(&state, bytes.data(), bytes.size()); }
  void finish(std::byte* out) { store(out, kDigest(&state)); }
  XXH3_state_t state;
};
using Xxh3 = Xxh3Of<XXH3_64bits_reset_withSeed, XXH3_64bits_update, XXH3_64bits_digest>;
using Xxh128 = Xxh3Of<XXH3_128bits_reset_withSeed, XXH3_128bits_update, XXH3_128bits_digest>;
struct NoDigest {
  void update(Bytes) {}
  void finish(std::byte*) {}
};

Digest digest_of_size(DigestKind kind) {
  Digest out;
  out.size = static_cast<uint8_t>(digest_bytes(kind));
  return out;
}

template <typename OneDigest>
void digest_at_once(OneDigest digest, Bytes bytes, std::byte* out) {
  digest.update(bytes);
  digest.finish(out);
}

}  // namespace

size_t digest_bytes(DigestKind kind) { return row(kind).bytes; }

std::optional<DigestKind> digest_by_name(std::string_view name) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  for (const Row& candidate : kRows) {
    if (std::ranges::equal(candidate.name, name, {}, {}, lower)) return candidate.kind;
  }
  return std::nullopt;
}

std::string_view digest_name(DigestKind kind) { return row(kind).name; }

bool Digest::operator==(const Digest& other) const {
  return size == other.size && std::equal(data.begin(), data.begin() + size, other.data.begin());
}

struct Hasher::State {
  State(DigestKind k, uint64_t s) : kind(k), seed(s) { start(); }

  void start() {
    switch (kind) {
      case DigestKind::kNone: work.emplace<NoDigest>(); break;
      case DigestKind::kMd4: work.emplace<Md4>(); break;
      case DigestKind::kMd5: work.emplace<Md5>(); break;
      case DigestKind::kSha1: work.emplace<Sha1>(); break;
      case DigestKind::kSha256: work.emplace<Sha256>(); break;
      case DigestKind::kSha512: work.emplace<Sha512>(); break;
      case DigestKind::kXxh64: work.emplace<Xxh64>(seed); break;
      case DigestKind::kXxh3: work.emplace<Xxh3>(seed); break;
      case DigestKind::kXxh128: work.emplace<Xxh128>(seed); break;
    }
  }

  const DigestKind kind;
  const uint64_t seed;
  std::variant<NoDigest, Md4, Md5, Sha1, Sha256, Sha512, Xxh64, Xxh3, Xxh128> work;
};

Hasher::Hasher(DigestKind kind, uint64_t seed) : state_(std::make_unique<State>(kind, seed)) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

DigestKind Hasher::kind() const { return state_->kind; }

void Hasher::reset() { state_->start(); }

void Hasher::update(Bytes bytes) {
  if (bytes.empty()) return;
  std::visit([&](auto& work) { work.update(bytes); }, state_->work);
}

Digest Hasher::finish() {
  Digest out = digest_of_size(state_->kind);
  std::visit([&](auto& work) { work.finish(out.data.data()); }, state_->work);
  return out;
}

Digest hash(DigestKind kind, Bytes bytes, uint64_t seed) {
  Digest digest = digest_of_size(kind);
  std::byte* const out = digest.data.data();
  switch (kind) {
    case DigestKind::kNone: break;
    case DigestKind::kMd4: digest_at_once(Md4(), bytes, out); break;
    case DigestKind::kMd5: digest_at_once(Md5(), bytes, out); break;
    case DigestKind::kSha1: digest_at_once(Sha1(), bytes, out); break;
    case DigestKind::kSha256: digest_at_once(Sha256(), bytes, out); break;
    case DigestKind::kSha512: digest_at_once(Sha512(), bytes, out); break;
    case DigestKind::kXxh64: store(out, XXH64(bytes.data(), bytes.size(), seed)); break;
    case DigestKind::kXxh3: store(out, XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed)); break;
    case DigestKind::kXxh128: store(out, XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed)); break;
  }
  return digest;
}

}  // namespace ocsync
