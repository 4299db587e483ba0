// The check that makes a Leaf.
#include "libio/os/leaf.h"

namespace ocsync::io {

bool Leaf::harmless(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos && name.find('\0') == name.npos;
}

Result<Leaf> Leaf::check(const char* name) {
  if (!harmless(name)) return fail(Fault::kProtocol, "\"" + std::string(name) + "\" is not a plain file name");
  return Leaf(name);
}

Result<Leaf> Leaf::check(const std::string& name) {
  if (!harmless(name)) return fail(Fault::kProtocol, "\"" + name + "\" is not a plain file name");
  return Leaf(name.c_str());
}

}  // namespace ocsync::io
