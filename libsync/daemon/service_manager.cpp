#include "libsync/daemon/service_manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace ocsync::sync {
namespace {

constexpr int kFirstPassedFd = 3;
constexpr int kMaxPassed = 64;

}  // namespace

void notify_manager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (!path || !*path) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const size_t length = std::string_view(path).size();
  if (length >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, path, length);
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  const io::Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd.valid())
    (void)::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&to),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

std::vector<io::Listener> passed_sockets() {
  std::vector<io::Listener> listeners;
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (!pid || !count || std::atoi(pid) != ::getpid()) return listeners;
  for (int i = 0; i < std::min(std::atoi(count), kMaxPassed); ++i) {
    const int fd = kFirstPassedFd + i;
    if (!io::is_socket(fd)) continue;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    io::send_at_once(fd);
    listeners.push_back(io::Listener{io::Fd(fd), 0});
  }
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  return listeners;
}

}  // namespace ocsync::sync
