// Extended attributes through one reused buffer as large as the kernel allows values to be.
#include "libio/os/xattrs.h"

#include <memory>

#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

MutableBytes thread_buffer() {
  thread_local std::unique_ptr<std::byte[]> buffer;
  if (!buffer) buffer = std::make_unique_for_overwrite<std::byte[]>(kMaxXattrBytes);
  return {buffer.get(), kMaxXattrBytes};
}

std::unexpected<Error> refused(const Error& e) {
  return fail(e.sys == EOPNOTSUPP || e.sys == ENOSYS ? Fault::kUnsupported : Fault::kSystem, "", e.sys);
}

}  // namespace

Result<std::vector<std::string>> Xattrs::names() const {
  const MutableBytes buffer = thread_buffer();
  const Result<size_t> got = sys::xattr_list(fd_, name_, buffer);
  if (!got) return refused(got.error());
  std::vector<std::string> all;
  for (std::string_view rest = as_text(buffer.first(*got)); !rest.empty();) {
    const size_t end = std::min(rest.find('\0'), rest.size());
    if (end > 0) all.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return all;
}

Result<std::optional<std::string>> Xattrs::get(const std::string& name) const {
  const MutableBytes buffer = thread_buffer();
  const Result<size_t> got = sys::xattr_get(fd_, name_, name.c_str(), buffer);
  if (got) return std::string(as_text(buffer.first(*got)));
  if (got.error().sys == ENODATA) return std::optional<std::string>();
  return refused(got.error());
}

Status Xattrs::set(const std::string& name, Bytes value) const {
  if (name.find('\0') != name.npos) return fail(Error(EINVAL));
  if (Status s = sys::xattr_set(fd_, name_, name.c_str(), value); !s) return refused(s.error());
  return {};
}

Status Xattrs::remove(const std::string& name) const {
  const Status s = sys::xattr_remove(fd_, name_, name.c_str());
  if (!s && s.error().sys != ENODATA) return refused(s.error());
  return {};
}

}  // namespace ocsync::io
