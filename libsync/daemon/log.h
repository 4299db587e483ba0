// The daemon's log: a file or syslog, one line at a time.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "libio/os/fd.h"

namespace ocsync::sync {

class DaemonLog {
 public:
  // `file` empty: syslog. If the file cannot be opened, syslog hears of it and of everything else.
  DaemonLog(const std::string& file, const std::string& tag, int facility);
  DaemonLog() = default;  // says nothing
  ~DaemonLog();
  DaemonLog(DaemonLog&& other) noexcept;
  DaemonLog& operator=(DaemonLog&& other) noexcept;

  // Without time and newline, and not yet escaped. Thread-safe.
  void line(std::string_view text, bool warning = false) const;
  // A failed system call: "rsync: [role] text: reason (number)".
  void failure(std::string_view text, int error) const;

 private:
  std::string file_;
  std::string tag_;
  int facility_ = -1;  // -1: no syslog
  io::Fd fd_;
};

}  // namespace ocsync::sync
