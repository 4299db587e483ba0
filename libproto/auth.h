// Challenge and response of a daemon's password check. See docs/auth.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libio/base/bytes.h"
#include "libio/base/digest.h"

namespace ocsync::proto {

// How a response is computed.
struct AuthMethod {
  DigestKind digest = DigestKind::kMd5;
  bool zeros_before = false;  // md4 of versions below 30 without a list of digests: four zero bytes come first
  bool operator==(const AuthMethod&) const = default;
};

// The strongest digest of `own_list` that the far side's list names too; without a list of theirs, what the version
// implies. Nothing: no common digest.
std::optional<AuthMethod> choose_auth(std::string_view own_list, bool far_has_list, std::string_view far_list,
                                      int version);

// Digests from strong to weak: sha512, sha256, sha1, md5, md4. True if `digest` is at least as strong as `floor`.
bool auth_strong_enough(DigestKind digest, DigestKind floor);

// Standard alphabet; `padded` appends '='.
std::string base64(Bytes bytes, bool padded);

// A printable challenge from at least 32 random bytes, mixed with anything else that makes it unique.
std::string make_challenge(AuthMethod method, Bytes random, std::string_view also);
std::string auth_response(AuthMethod method, std::string_view password, std::string_view challenge);

// Takes the same time wherever they differ; lengths are no secret.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace ocsync::proto
