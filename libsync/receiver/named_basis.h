// The old content that a sender says its block matches mean. Honest ones repeat what was asked for; what another one
// names is taken as rsync takes it, but never from outside the destination and the basis directories of this run.
#pragma once

#include <optional>

#include "libsync/receiver/basis.h"

namespace ocsync::sync {

// The reading role's own; one thread.
class NamedBasis {
 public:
  NamedBasis(const Terms& terms, Destination& destination) : terms_(terms), destination_(destination) {}
  // Without a directory: there is none. Fails (kProtocol) if this run cannot have such a basis.
  Result<Basis> of(const proto::Item& answer, const Request& request);

 private:
  Result<Basis> in_basis_dir(int index, const std::string& path, uint8_t type);
  bool hidden(const std::string& path) const;

  const Terms& terms_;
  Destination& destination_;       // the reading role's
  std::optional<BasisDirs> dirs_;  // opened when the first such answer comes
};

}  // namespace ocsync::sync
