// One path component that cannot climb, descend or vanish: never empty, no '/', no NUL inside, not "." or "..".
//
// A Leaf borrows a NUL-terminated string; whoever made it keeps the string alive.
#pragma once

#include <string>
#include <string_view>

#include "libio/base/result.h"

namespace ocsync::io {

class Leaf {
 public:
  // Refuses (Fault::kProtocol) what is not a single harmless component.
  static Result<Leaf> check(const char* name);
  static Result<Leaf> check(const std::string& name);
  const char* c_str() const { return name_; }
  std::string_view view() const { return name_; }
  static bool harmless(std::string_view name);

 private:
  explicit Leaf(const char* name) : name_(name) {}
  const char* name_;
};

}  // namespace ocsync::io
