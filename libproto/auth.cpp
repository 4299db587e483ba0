#include "libproto/auth.h"

#include <array>

namespace ocsync::proto {

namespace {

// From strong to weak.
constexpr DigestKind kByStrength[] = {DigestKind::kSha512, DigestKind::kSha256, DigestKind::kSha1, DigestKind::kMd5,
                                      DigestKind::kMd4};

std::optional<size_t> strength_place(DigestKind kind) {
  for (size_t i = 0; i < std::size(kByStrength); ++i) {
    if (kByStrength[i] == kind) return i;
  }
  return std::nullopt;
}

// The next blank-separated word, which `list` loses; empty at the end.
std::string_view take_word(std::string_view& list) {
  const size_t begin = list.find_first_not_of(' ');
  if (begin == list.npos) return list = {};
  const size_t end = std::min(list.find(' ', begin), list.size());
  const std::string_view word = list.substr(begin, end - begin);
  list.remove_prefix(end);
  return word;
}

bool names(std::string_view list, DigestKind kind) {
  for (std::string_view word = take_word(list); !word.empty(); word = take_word(list)) {
    if (digest_by_name(word) == kind) return true;
  }
  return false;
}

}  // namespace

std::optional<AuthMethod> choose_auth(std::string_view own_list, bool far_has_list, std::string_view far_list,
                                      int version) {
  if (!far_has_list) {
    if (version >= 30) return AuthMethod{DigestKind::kMd5, false};
    return AuthMethod{DigestKind::kMd4, true};
  }
  for (std::string_view word = take_word(own_list); !word.empty(); word = take_word(own_list)) {
    const std::optional<DigestKind> kind = digest_by_name(word);
    if (kind && strength_place(*kind) && names(far_list, *kind)) return AuthMethod{*kind, false};
  }
  return std::nullopt;
}

bool auth_strong_enough(DigestKind digest, DigestKind floor) {
  const std::optional<size_t> place = strength_place(digest), lowest = strength_place(floor);
  return place && lowest && *place <= *lowest;
}

std::string base64(Bytes bytes, bool padded) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  uint32_t bits = 0;
  int have = 0;
  for (const std::byte b : bytes) {
    bits = (bits << 8) | std::to_integer<uint32_t>(b);
    for (have += 8; have >= 6; have -= 6) text += kAlphabet[(bits >> (have - 6)) & 63];
  }
  if (have > 0) text += kAlphabet[(bits << (6 - have)) & 63];
  while (padded && text.size() % 4 != 0) text += '=';
  return text;
}

std::string make_challenge(AuthMethod method, Bytes random, std::string_view also) {
  Hasher hasher(method.digest);
  hasher.update(random);
  hasher.update(as_bytes(also));
  return base64(hasher.finish().bytes(), false);
}

std::string auth_response(AuthMethod method, std::string_view password, std::string_view challenge) {
  Hasher hasher(method.digest);
  if (method.zeros_before) hasher.update(std::array<std::byte, 4>{});
  hasher.update(as_bytes(password));
  hasher.update(as_bytes(challenge));
  return base64(hasher.finish().bytes(), false);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference =
        static_cast<unsigned char>(difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
  }
  return difference == 0;
}

}  // namespace ocsync::proto
