#include "libsync/daemon/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <syslog.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

#include "libio/base/text.h"
#include "libio/os/dir.h"

namespace ocsync::sync {

DaemonLog::DaemonLog(const std::string& file, const std::string& tag, int facility)
    : file_(file), tag_(tag.empty() ? "rsyncd" : tag) {
  if (!file_.empty()) {
    if (auto opened = io::Dir::open_trusted_file(file_, io::Dir::Use::kAppend, 0644)) {
      fd_ = io::Fd(::fcntl(opened->fd(), F_DUPFD_CLOEXEC, 0));
      if (fd_.valid()) return;
    }
    const int error = errno;
    facility_ = facility;
    ::openlog(tag_.c_str(), LOG_PID | LOG_NDELAY, facility_);
    line(fmt::format("failed to open log-file {}: {}", file_, std::strerror(error)), true);
    line("Ignoring \"log file\" setting.");
    return;
  }
  facility_ = facility;
  // Opened now: inside a chroot there is no way to the system's log.
  ::openlog(tag_.c_str(), LOG_PID | LOG_NDELAY, facility_);
}

DaemonLog::~DaemonLog() = default;

DaemonLog::DaemonLog(DaemonLog&& other) noexcept = default;

DaemonLog& DaemonLog::operator=(DaemonLog&& other) noexcept {
  file_ = std::move(other.file_);
  tag_ = std::move(other.tag_);
  facility_ = other.facility_;
  fd_ = std::move(other.fd_);
  // The library remembers the text's address, not the text.
  if (facility_ >= 0) ::openlog(tag_.c_str(), LOG_PID | LOG_NDELAY, facility_);
  return *this;
}

void DaemonLog::line(std::string_view text, bool warning) const {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (fd_.valid()) {
    const std::string whole =
        fmt::format("{} [{}] {}\n", time_text(::time(nullptr)), ::getpid(), escape_text(text, Escape::kLogFile));
    for (size_t done = 0; done < whole.size();) {
      const ssize_t n = ::write(fd_.get(), whole.data() + done, whole.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      done += static_cast<size_t>(n);
    }
  } else if (facility_ >= 0) {
    // As it is: what keeps the system's log shows odd characters in its own way.
    ::syslog(warning ? LOG_WARNING : LOG_INFO, "%.*s", static_cast<int>(text.size()), text.data());
  }
}

void DaemonLog::failure(std::string_view text, int error) const {
  line(fmt::format("rsync: [Receiver] {}: {} ({})", text, std::strerror(error), error), true);
}

}  // namespace ocsync::sync
