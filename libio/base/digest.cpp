// The table of digests, and the three libraries (with our md4 the fourth) behind one Hasher.
#include "libio/base/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cassert>
#include <new>
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

// Looking an algorithm up in OpenSSL costs more than digesting a small block, so it happens once a process.
const EVP_MD* fetched(DigestKind kind) {
  struct Algorithms {
    EVP_MD* md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
    EVP_MD* sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
    EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    EVP_MD* sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  };
  static const Algorithms table;  // never freed: OpenSSL may be gone before our last thread
  switch (kind) {
    case DigestKind::kMd5:
      return table.md5;
    case DigestKind::kSha1:
      return table.sha1;
    case DigestKind::kSha256:
      return table.sha256;
    case DigestKind::kSha512:
      return table.sha512;
    default:
      return nullptr;
  }
}

// An OpenSSL digest under way. The context keeps its memory from one digest to the next.
class Evp {
 public:
  explicit Evp(DigestKind kind) : context_(EVP_MD_CTX_new()) {
    const EVP_MD* algorithm = fetched(kind);
    assert(algorithm != nullptr);  // see digest_available()
    if (!context_ || EVP_DigestInit_ex(context_.get(), algorithm, nullptr) != 1) throw std::bad_alloc();
  }
  void reset() { EVP_DigestInit_ex(context_.get(), nullptr, nullptr); }
  void update(Bytes bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  void finish(std::byte* out) { EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out), nullptr); }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

// A context of this thread for one-shot digests of `kind`.
Evp& thread_evp(DigestKind kind) {
  thread_local std::array<std::optional<Evp>, 4> contexts;
  std::optional<Evp>& slot = contexts[static_cast<size_t>(kind) - static_cast<size_t>(DigestKind::kMd5)];
  if (slot) {
    slot->reset();
  } else {
    slot.emplace(kind);
  }
  return *slot;
}

Digest digest_of_size(DigestKind kind) {
  Digest out;
  out.size = static_cast<uint8_t>(digest_bytes(kind));
  return out;
}

void store(Digest& out, uint64_t value) { store_le(out.data.data(), value); }
void store(Digest& out, const XXH128_hash_t& value) {
  store_le(out.data.data(), value.low64);
  store_le(out.data.data() + 8, value.high64);
}
void store(Digest& out, const std::array<std::byte, 16>& value) {
  std::copy(value.begin(), value.end(), out.data.begin());
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

bool digest_available(DigestKind kind) {
  switch (kind) {
    case DigestKind::kMd5:
    case DigestKind::kSha1:
    case DigestKind::kSha256:
    case DigestKind::kSha512:
      return fetched(kind) != nullptr;
    default:
      return true;
  }
}

bool Digest::operator==(const Digest& other) const {
  return size == other.size && std::equal(data.begin(), data.begin() + size, other.data.begin());
}

struct Hasher::State {
  State(DigestKind k, uint64_t s) : kind(k), seed(s) {
    switch (kind) {
      case DigestKind::kNone:
        break;
      case DigestKind::kMd4:
        work.emplace<Md4>();
        break;
      case DigestKind::kMd5:
      case DigestKind::kSha1:
      case DigestKind::kSha256:
      case DigestKind::kSha512:
        work.emplace<Evp>(kind);
        break;
      case DigestKind::kXxh64:
        XXH64_reset(&work.emplace<XXH64_state_t>(), seed);
        break;
      case DigestKind::kXxh3:
      case DigestKind::kXxh128:
        start(work.emplace<XXH3_state_t>());
        break;
    }
  }

  void start(XXH3_state_t& state) {
    if (kind == DigestKind::kXxh3) {
      XXH3_64bits_reset_withSeed(&state, seed);
    } else {
      XXH3_128bits_reset_withSeed(&state, seed);
    }
  }

  const DigestKind kind;
  const uint64_t seed;
  std::variant<std::monostate, Md4, Evp, XXH64_state_t, XXH3_state_t> work;
};

Hasher::Hasher(DigestKind kind, uint64_t seed) : state_(std::make_unique<State>(kind, seed)) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

DigestKind Hasher::kind() const { return state_->kind; }

void Hasher::reset() {
  if (auto* md4 = std::get_if<Md4>(&state_->work)) *md4 = Md4();
  if (auto* evp = std::get_if<Evp>(&state_->work)) evp->reset();
  if (auto* xxh = std::get_if<XXH64_state_t>(&state_->work)) XXH64_reset(xxh, state_->seed);
  if (auto* xxh3 = std::get_if<XXH3_state_t>(&state_->work)) state_->start(*xxh3);
}

void Hasher::update(Bytes bytes) {
  if (bytes.empty()) return;
  switch (state_->kind) {
    case DigestKind::kNone:
      break;
    case DigestKind::kMd4:
      std::get_if<Md4>(&state_->work)->update(bytes);
      break;
    case DigestKind::kMd5:
    case DigestKind::kSha1:
    case DigestKind::kSha256:
    case DigestKind::kSha512:
      std::get_if<Evp>(&state_->work)->update(bytes);
      break;
    case DigestKind::kXxh64:
      XXH64_update(std::get_if<XXH64_state_t>(&state_->work), bytes.data(), bytes.size());
      break;
    case DigestKind::kXxh3:
      XXH3_64bits_update(std::get_if<XXH3_state_t>(&state_->work), bytes.data(), bytes.size());
      break;
    case DigestKind::kXxh128:
      XXH3_128bits_update(std::get_if<XXH3_state_t>(&state_->work), bytes.data(), bytes.size());
      break;
  }
}

Digest Hasher::finish() {
  Digest out = digest_of_size(state_->kind);
  switch (state_->kind) {
    case DigestKind::kNone:
      break;
    case DigestKind::kMd4:
      store(out, std::get_if<Md4>(&state_->work)->finish());
      break;
    case DigestKind::kMd5:
    case DigestKind::kSha1:
    case DigestKind::kSha256:
    case DigestKind::kSha512:
      std::get_if<Evp>(&state_->work)->finish(out.data.data());
      break;
    case DigestKind::kXxh64:
      store(out, XXH64_digest(std::get_if<XXH64_state_t>(&state_->work)));
      break;
    case DigestKind::kXxh3:
      store(out, XXH3_64bits_digest(std::get_if<XXH3_state_t>(&state_->work)));
      break;
    case DigestKind::kXxh128:
      store(out, XXH3_128bits_digest(std::get_if<XXH3_state_t>(&state_->work)));
      break;
  }
  return out;
}

Digest hash(DigestKind kind, Bytes bytes, uint64_t seed) {
  Digest out = digest_of_size(kind);
  switch (kind) {
    case DigestKind::kNone:
      break;
    case DigestKind::kMd4: {
      Md4 md4;
      md4.update(bytes);
      store(out, md4.finish());
      break;
    }
    case DigestKind::kMd5:
    case DigestKind::kSha1:
    case DigestKind::kSha256:
    case DigestKind::kSha512: {
      Evp& evp = thread_evp(kind);
      evp.update(bytes);
      evp.finish(out.data.data());
      break;
    }
    case DigestKind::kXxh64:
      store(out, XXH64(bytes.data(), bytes.size(), seed));
      break;
    case DigestKind::kXxh3:
      store(out, XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed));
      break;
    case DigestKind::kXxh128:
      store(out, XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed));
      break;
  }
  return out;
}

}  // namespace ocsync
