// Extended attributes of an open file, of a held directory, or of one child of it (never through a symlink).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libio/base/bytes.h"
#include "libio/base/result.h"
#include "libio/os/dir.h"
#include "libio/os/file.h"

namespace ocsync::io {

// What the kernel lets one value and one list of names hold.
inline constexpr size_t kMaxXattrBytes = size_t{64} * 1024;

// The attributes of one object. Borrows what it was made of; cheap to make; any thread. Where the file system (or the
// kind of object) has no attributes, failures are Fault::kUnsupported; others carry errno.
class Xattrs {
 public:
  explicit Xattrs(const File& file) : fd_(file.fd()) {}  // also one of Dir::open_path()
  explicit Xattrs(const Dir& self) : fd_(self.fd()) {}
  Xattrs(const Dir& dir, Leaf name) : fd_(dir.fd()), name_(name.c_str()) {}

  // In the order of the file system, all namespaces that we may see.
  Result<std::vector<std::string>> names() const;
  // Nothing if there is no such attribute.
  Result<std::optional<std::string>> get(const std::string& name) const;
  // Creates or replaces.
  Status set(const std::string& name, Bytes value) const;
  // Removing what is not there is success.
  Status remove(const std::string& name) const;

 private:
  int fd_;
  const char* name_ = nullptr;
};

}  // namespace ocsync::io
