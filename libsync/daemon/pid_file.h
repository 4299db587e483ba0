// The daemon's pid file: written and locked while the daemon lives, removed when it ends.
#pragma once

#include <sys/types.h>

#include <string>

#include "libio/base/result.h"
#include "libio/os/dir.h"
#include "libio/os/fd.h"

namespace ocsync::sync {

class PidFile {
 public:
  PidFile() = default;
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;
  // Nothing happens without a path. kFileIo if another daemon holds it, or if what stands there is not to be trusted.
  Status make(const std::string& path);
  void close_in_child() { fd_.close(); }
  ~PidFile();

 private:
  io::Dir dir_;
  std::string name_;
  io::Fd fd_;
  pid_t owner_ = -1;
};

}  // namespace ocsync::sync
