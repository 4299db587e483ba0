// Questions to the terminal.
#include "libio/os/terminal.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

constexpr size_t kMaxPassword = 1023;

// Echo is off while it lives.
class Silence {
 public:
  explicit Silence(int fd) : fd_(fd), active_(::tcgetattr(fd, &before_) == 0) {
    if (!active_) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    quiet.c_lflag |= ECHONL | ICANON;
    active_ = ::tcsetattr(fd, TCSAFLUSH, &quiet) == 0;
  }
  ~Silence() {
    if (active_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  bool active() const { return active_; }

 private:
  int fd_;
  termios before_{};
  bool active_;
};

}  // namespace

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

std::optional<int> terminal_width(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return std::nullopt;
  return size.ws_col;
}

Result<std::string> read_password(const std::string& prompt) {
  const Fd terminal = TRY(sys::open_at(AT_FDCWD, "/dev/tty", O_RDWR | O_NOCTTY));
  const Silence silence(terminal.get());
  if (!silence.active()) return fail_errno();
  TRY(sys::write(terminal.get(), as_bytes(prompt)));
  std::string password;
  for (;;) {
    char c;
    const size_t n = TRY(sys::read(terminal.get(), std::as_writable_bytes(std::span(&c, 1))));
    if (n == 0 || c == '\n') return password;
    if (password.size() < kMaxPassword) password += c;
  }
}

}  // namespace ocsync::io
