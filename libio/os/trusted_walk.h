// Walks a path that the operator chose: a link is followed only if root or we own it, and where a root is given the way
// may not leave it. Every object is opened before it is judged, so what is judged is what is used.
#pragma once

#include <cstdint>
#include <string>

#include "libio/base/result.h"
#include "libio/os/components.h"
#include "libio/os/fd.h"

namespace ocsync::io {

struct FileInfo;

// How far such a path is trusted.
struct Trust {
  Trust(bool any = false) : any_owner(any) {}  // NOLINT(google-explicit-constructor): most callers have just this wish
  Trust(bool any, std::string root) : any_owner(any), within(std::move(root)) {}
  // "/" confines nothing.
  bool confines() const { return within.size() > 1; }

  bool any_owner;      // follow symlinks, whoever made them
  std::string within;  // absolute and clean; a path that leads out of it fails with ELOOP. Empty: anywhere
  int ceiling = -1;    // borrowed: file() opens nothing that is not in this directory or below it (ELOOP)
};

// Is the directory `fd` the directory `ceiling`, or below it?
bool lies_within(int fd, int ceiling);

// For one walk; one thread. `path`, `trust` and `start` (where a relative path starts, if not in the current directory)
// are borrowed.
class TrustedWalk {
 public:
  TrustedWalk(const std::string& path, const Trust& trust, int start = kCurrent)
      : path_(path), trust_(trust), shown_(path), start_(start) {}

  // To the end of the path, which must be a directory.
  Result<Fd> directory();
  // To the directory of the last component, which is left in `leaf` ("." if the path ends in a slash, "." or "..").
  Result<Fd> parent(std::string& leaf);
  // Opens what the path names with these flags.
  Result<Fd> file(int flags, uint32_t mode);

 private:
  static constexpr int kCurrent = -100;  // AT_FDCWD

  Status begin();
  Status judge(const FileInfo& link) const;
  Status descend();
  Result<bool> follow();
  Status step(const std::string& component);
  Status check_inside(int dir) const;

  Components path_;
  const Trust& trust_;
  const std::string& shown_;
  int start_;
  Fd at_;
  std::string name_;
  std::string reached_;  // where at_ is, as an absolute path without final slash ("" is "/"); kept only to confine
  int hops_ = 0;
};

}  // namespace ocsync::io
