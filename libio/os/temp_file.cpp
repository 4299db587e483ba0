// Hidden names, and files that vanish unless committed.
#include "libio/os/temp_file.h"

#include <algorithm>
#include <tuple>

#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

// What rsync leaves for NAME in ".NAME.XXXXXX", so that both cut long names alike (254 bytes in the end).
constexpr size_t kMaxStem = 246;
constexpr int kMaxAttempts = 100;

// Six characters from 62. Guessing them gains nothing (creation is exclusive), so a generator seeded once per thread
// will do.
std::string random_suffix() {
  thread_local uint64_t state = 0;
  if (state == 0) {
    sys::fill_random(std::as_writable_bytes(std::span(&state, 1)));
    state |= 1;
  }
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  static constexpr char kAlphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string suffix(6, '\0');
  uint64_t bits = state * 0x2545F4914F6CDD1Du >> 16;
  for (char& c : suffix) c = kAlphabet[bits % 62], bits /= 62;
  return suffix;
}

bool inside_sequence(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::string stem(std::string_view target, bool plain_name) {
  std::string name;
  if (!plain_name) {
    if (target.starts_with('.')) target.remove_prefix(1);
    name = ".";
  }
  size_t keep = std::min(target.size(), kMaxStem);
  // Bytes that never form a sequence are cut anywhere; UTF-8 needs at most three steps back.
  if (keep < target.size())
    for (int back = 0; back < 3 && keep > 0 && inside_sequence(target[keep]); ++back) --keep;
  name += target.substr(0, keep);
  if (name.size() > 1 && name.back() == '.') name.pop_back();
  return name;
}

}  // namespace

std::string temp_name(std::string_view target, bool plain_name) {
  std::string name = stem(target, plain_name);
  if (name != ".") name += '.';
  return name + random_suffix();
}

Result<TempFile> TempFile::create(const Dir& dir, std::string_view target, uint32_t mode, bool plain_name) {
  for (int attempt = 1;; ++attempt) {
    std::string name = temp_name(target, plain_name);
    const Leaf leaf = TRY(Leaf::check(name));
    Result<File> file = dir.create(leaf, mode);
    if (file) return TempFile(dir, std::move(name), *std::move(file));
    if (file.error().sys != EEXIST || attempt == kMaxAttempts) return fail(file.error());
  }
}

TempFile::TempFile(TempFile&& other) noexcept
    : dir_(other.dir_),
      name_(std::move(other.name_)),
      file_(std::move(other.file_)),
      armed_(std::exchange(other.armed_, false)) {}

TempFile::~TempFile() { discard(); }

Status TempFile::commit(const Dir& target_dir, Leaf target) {
  const Leaf own = TRY(Leaf::check(name_));
  TRY(dir_->rename(own, target_dir, target));
  armed_ = false;
  return {};
}

void TempFile::discard() {
  if (!std::exchange(armed_, false)) return;
  // Nobody is left to hear of a failure here; the next run meets a hidden file at worst.
  if (const Result<Leaf> own = Leaf::check(name_)) std::ignore = dir_->unlink(*own);
}

}  // namespace ocsync::io
