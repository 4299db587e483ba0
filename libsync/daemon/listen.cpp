#include "libsync/daemon/listen.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <set>

#include "libio/base/clock.h"
#include "libio/os/dir.h"
#include "libio/os/identity.h"
#include "libio/os/signals.h"
#include "libio/os/socket.h"
#include "libsync/daemon/config.h"
#include "libsync/daemon/connection.h"
#include "libsync/daemon/log.h"
#include "libsync/report/exit_code.h"

namespace ocsync::sync {
namespace {

constexpr int kDefaultPort = 873;
constexpr int kPauseAfterFailureMs = 2000;
constexpr int kGraceMs = 600000;        // for transfers that run when the daemon is told to end
constexpr size_t kMaxChildren = 10000;  // whatever the configuration says
constexpr size_t kMaxPidBytes = 32;
constexpr int kFirstPassedFd = 3;  // where a service manager puts sockets

std::string config_path(const DaemonCommand& command) {
  if (!command.config.empty()) return command.config;
  if (command.server && !io::is_root()) return "rsyncd.conf";
  return "/etc/rsyncd.conf";
}

std::string complaint_text(const ConfigComplaint& c) {
  return c.line > 0 ? fmt::format("{}:{}: {}", c.file, c.line, c.text) : fmt::format("{}: {}", c.file, c.text);
}

Config load(const DaemonCommand& command) {
  return read_config(config_path(command), command.parameters, ConfigFiles::trusted());
}

bool is_socket(int fd) {
  int type = 0;
  socklen_t bytes = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0;
}

// A remote shell knows who called it.
std::string address_from_environment() {
  for (const char* name : {"REMOTE_HOST", "SSH_CONNECTION", "SSH_CLIENT", "SSH2_CLIENT"}) {
    const char* value = std::getenv(name);
    if (!value || !*value) continue;
    const std::string word = std::string(value).substr(0, std::string_view(value).find(' '));
    if (word.find_first_not_of("0123456789abcdefABCDEF.:%") == word.npos) return word;
  }
  return "0.0.0.0";
}

void check_parameters(const DaemonCommand& command, std::string& unknown) {
  for (const std::string& one : command.parameters) {
    const std::string name = one.substr(0, one.find('='));
    if (!find_parameter(name) && unknown.empty()) unknown = name;
  }
}

// The pid file, locked while the daemon lives.
class PidFile {
 public:
  Status make(const std::string& path) {
    if (path.empty()) return {};
    const auto trouble = [&](const char* step, int error) -> Status {
      return fail(Fault::kFileIo, fmt::format("failed to {} pid file {}: {}", step, path, ::strerror(error)));
    };
    const size_t slash = path.rfind('/');
    const std::string dir_path = slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    name_ = slash == path.npos ? path : path.substr(slash + 1);
    auto dir = io::Dir::open_trusted(dir_path, true);
    if (!dir) return fail(Fault::kFileIo, fmt::format("failed to open pid-file directory \"{}\"", dir_path), dir.error().sys);
    dir_ = std::move(*dir);
    struct stat st{};
    if (::fstatat(dir_.fd(), name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode) &&
        ::unlinkat(dir_.fd(), name_.c_str(), 0) != 0)
      return trouble("unlink", errno);
    fd_ = io::Fd(::openat(dir_.fd(), name_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0664));
    if (!fd_.valid()) return trouble("open", errno);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_len = 4;
    if (::fcntl(fd_.get(), F_SETLK, &lock) != 0) return trouble("lock", errno);
    struct stat again{};
    if (::fstat(fd_.get(), &st) != 0) return trouble("fstat opened", errno);
    if (st.st_size > static_cast<off_t>(kMaxPidBytes)) return trouble("find small", EFBIG);
    if (::fstatat(dir_.fd(), name_.c_str(), &again, AT_SYMLINK_NOFOLLOW) != 0) return trouble("lstat", errno);
    if (!S_ISREG(st.st_mode)) return trouble("avoid file overwrite race for", EINVAL);
    if (st.st_dev != again.st_dev || st.st_ino != again.st_ino) return trouble("verify stat info for", ESTALE);
    if (::ftruncate(fd_.get(), 0) != 0) return trouble("truncate", errno);
    const std::string text = fmt::format("{}\n", ::getpid());
    if (::write(fd_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return trouble("write", errno);
    owner_ = ::getpid();
    return {};
  }
  void close() { fd_.close(); }  // in children
  ~PidFile() {
    if (owner_ == ::getpid() && fd_.valid()) ::unlinkat(dir_.fd(), name_.c_str(), 0);
  }

 private:
  io::Dir dir_;
  std::string name_;
  io::Fd fd_;
  pid_t owner_ = -1;
};

// Leaves the terminal and whoever started us. Only the second child goes on.
void detach() {
  const auto fork_once = [] {
    const pid_t pid = ::fork();
    if (pid < 0) {
      fmt::print(stderr, "fork() failed\n");
      ::_exit(kExitIpc);
    }
    if (pid > 0) ::_exit(0);
  };
  fork_once();
  ::setsid();
  fork_once();
  for (int fd = 0; fd < 3; ++fd) {
    ::close(fd);
    if (::open("/dev/null", O_RDWR) < 0) break;
  }
}

// Tells a service manager (systemd) how we are; nothing happens without one.
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

// Sockets that a service manager listens on for us.
std::vector<io::Listener> passed_sockets() {
  std::vector<io::Listener> listeners;
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (!pid || !count || std::atoi(pid) != ::getpid()) return listeners;
  for (int i = 0; i < std::min(std::atoi(count), 64); ++i) {
    const int fd = kFirstPassedFd + i;
    if (!is_socket(fd)) continue;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    listeners.push_back(io::Listener{io::Fd(fd), 0});
  }
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  return listeners;
}

class Listening {
 public:
  Listening(const DaemonCommand& command, Config config, std::vector<std::string> warnings)
      : command_(command), config_(std::move(config)), warnings_(std::move(warnings)) {}

  int run() {
    std::vector<io::Listener> passed = passed_sockets();
    if (command_.detach && passed.empty()) detach();
    if (const Status made = pid_file_.make(config_.globals.text(Param::kPidFile)); !made) {
      fmt::print(stderr, "{}\n", made.error().text);
      log().line(made.error().text, true);
      return kExitFileIo;
    }
    const uint16_t port = wanted_port();
    log().line(fmt::format("rsyncd version {} starting, listening on port {}", OCSYNC_VERSION, port));
    for (const std::string& warning : warnings_) log().line(warning, true);
    if (!passed.empty()) {
      listeners_ = std::move(passed);
    } else {
      const std::string address = command_.address.empty() ? config_.globals.text(Param::kAddress) : command_.address;
      const io::IpFamily family = command_.address_family == 4   ? io::IpFamily::kIpv4
                                  : command_.address_family == 6 ? io::IpFamily::kIpv6
                                                                 : io::IpFamily::kAny;
      const std::string options = command_.sockopts.empty() ? config_.globals.text(Param::kSocketOptions) : command_.sockopts;
      auto made = io::listen_on(address, port, family, std::max(config_.globals.number(Param::kListenBacklog), 1));
      if (!made) {
        std::string text = made.error().text;
        if (made.error().sys != 0) text += fmt::format(": {}", ::strerror(made.error().sys));
        fmt::print(stderr, "{}\n", text);
        log().line(text, true);
        return kExitSocket;
      }
      listeners_ = std::move(*made);
      for (const io::Listener& listener : listeners_)
        io::apply_each_socket_option(listener.fd.get(), options, [&](const Error& error) { log().line(error.text, true); });
    }
    return accept_until_told();
  }

 private:
  // Opened for each line or so: whoever trims or moves the file may do so at any time.
  DaemonLog log() const {
    return DaemonLog(command_.log_file.empty() ? config_.globals.text(Param::kLogFile) : command_.log_file,
                     config_.globals.text(Param::kSyslogTag), config_.globals.facility());
  }

  uint16_t wanted_port() const {
    const int port = command_.port > 0 ? command_.port : config_.globals.number(Param::kPort);
    return static_cast<uint16_t>(port > 0 && port < 65536 ? port : kDefaultPort);
  }

  int accept_until_told() {
    sigset_t ours;
    sigemptyset(&ours);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1}) sigaddset(&ours, number);
    sigset_t before;
    ::sigprocmask(SIG_BLOCK, &ours, &before);
    const io::Fd signals(::signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
    std::vector<pollfd> ready;
    ready.push_back({signals.get(), POLLIN, 0});
    for (const io::Listener& listener : listeners_) ready.push_back({listener.fd.get(), POLLIN, 0});
    notify_manager("READY=1");
    while (ending_ == 0) {
      for (pollfd& one : ready) one.revents = 0;
      if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) ::poll(nullptr, 0, kPauseAfterFailureMs);
      if (ready[0].revents != 0) hear_signals(signals.get());
      for (size_t i = 1; i < ready.size() && ending_ == 0; ++i)
        if (ready[i].revents != 0) take_caller(ready[i].fd, before, signals.get());
    }
    notify_manager("STOPPING=1");
    listeners_.clear();
    // Transfers that run may come to their end; nobody new is let in.
    const Deadline grace = Deadline::in_ms(kGraceMs);
    while (!children_.empty() && !grace.passed() && ending_ < 2) {
      pollfd one{signals.get(), POLLIN, 0};
      ::poll(&one, 1, grace.left_ms());
      hear_signals(signals.get());
    }
    for (const pid_t pid : children_) ::kill(pid, SIGTERM);
    log().line("rsyncd ends");
    return 0;
  }

  void hear_signals(int fd) {
    signalfd_siginfo info{};
    while (::read(fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      switch (static_cast<int>(info.ssi_signo)) {
        case SIGCHLD:
          reap();
          break;
        case SIGHUP:
          reload();
          break;
        case SIGUSR1:
          break;
        default:
          ++ending_;
      }
    }
  }

  void reap() {
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) children_.erase(pid);
  }

  void reload() {
    Config fresh = load(command_);
    const DaemonLog out = log();
    if (fresh.broken()) {
      for (const ConfigComplaint& c : fresh.complaints)
        if (c.fatal) out.line(complaint_text(c), true);
      out.line("the configuration is broken: the old settings stay in force", true);
      return;
    }
    config_ = std::move(fresh);
    log().line("configuration read again");
  }

  void take_caller(int listener, const sigset_t& mask, int signals) {
    auto accepted = io::accept_from(listener);
    if (!accepted) {
      // Out of descriptors or memory: the caller waits in the queue meanwhile.
      const int error = accepted.error().sys;
      if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS) ::poll(nullptr, 0, kPauseAfterFailureMs);
      return;
    }
    if (children_.size() >= kMaxChildren) return;
    const pid_t pid = ::fork();
    if (pid < 0) {
      log().failure("could not create child server process", errno);
      ::poll(nullptr, 0, kPauseAfterFailureMs);
      return;
    }
    if (pid > 0) {
      children_.insert(pid);
      return;
    }
    pid_file_.close();
    listeners_.clear();
    ::close(signals);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    // Modules are as the file says now; one that is broken at the moment changes nothing.
    Config fresh = load(command_);
    if (fresh.broken()) {
      const DaemonLog out = log();
      for (const ConfigComplaint& c : fresh.complaints)
        if (c.fatal) out.line(complaint_text(c), true);
      out.line("the configuration is broken: the old settings stay in force", true);
    } else {
      fresh.globals = config_.globals;
      config_ = std::move(fresh);
    }
    const Caller caller{accepted->fd.get(), accepted->fd.get(), true, accepted->address};
    io::Stop own;
    io::SignalWatch::redirect(own);
    const int code = serve_caller(caller, config_, command_, own);
    std::fflush(nullptr);
    ::_exit(code);
  }

  const DaemonCommand& command_;
  Config config_;
  std::vector<std::string> warnings_;  // what the operator should know once there is a log
  PidFile pid_file_;
  std::vector<io::Listener> listeners_;
  std::set<pid_t> children_;
  int ending_ = 0;
};

int check_config(const DaemonCommand& command) {
  const Config config = load(command);
  for (const ConfigComplaint& c : config.complaints)
    fmt::print(stderr, "{} {}\n", c.fatal ? "error:" : "warning:", complaint_text(c));
  for (const Module& module : config.modules)
    if (module.raw(Param::kPath).empty()) fmt::print(stderr, "warning: module \"{}\" has no path\n", module.name);
  if (config.broken()) return kExitUsage;
  fmt::print("{}: {} module{}, {} problem{}\n", config_path(command), config.modules.size(), config.modules.size() == 1 ? "" : "s",
             config.complaints.size(), config.complaints.size() == 1 ? "" : "s");
  return 0;
}

int start_with(const Caller& caller, const DaemonCommand& command, io::Stop& stop) {
  const Config config = load(command);
  if (config.broken()) {
    for (const ConfigComplaint& c : config.complaints) fmt::print(stderr, "{}\n", complaint_text(c));
    return kExitUsage;
  }
  return serve_caller(caller, config, command, stop);
}

}  // namespace

int run_daemon(const DaemonCommand& command, io::Stop& stop) {
  std::string unknown;
  check_parameters(command, unknown);
  if (!unknown.empty()) {
    fmt::print(stderr, "Unknown parameter \"{}\"\n", unknown);
    return kExitUsage;
  }
  if (command.check_config) return check_config(command);
  if (command.server) {
    // The connection is our standard input and output.
    const auto peer = io::peer_of(0);
    return start_with({0, 1, false, peer ? peer->address : address_from_environment()}, command, stop);
  }
  if (is_socket(0)) {
    // A super-server: nothing may be said on the connection but by the protocol.
    for (int fd = 1; fd < 3; ++fd) {
      const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
      if (null >= 0 && null != fd) {
        ::dup2(null, fd);
        ::close(null);
      }
    }
    ::fcntl(0, F_SETFL, ::fcntl(0, F_GETFL) | O_NONBLOCK);
    const auto peer = io::peer_of(0);
    return start_with({0, 0, true, peer ? peer->address : "0.0.0.0"}, command, stop);
  }
  Config config = load(command);
  if (config.broken()) {
    for (const ConfigComplaint& c : config.complaints) fmt::print(stderr, "{}\n", complaint_text(c));
    fmt::print(stderr, "Failed to parse config file: {}\n", config_path(command));
    return kExitUsage;
  }
  std::vector<std::string> warnings;
  if (config.globals.flag(Param::kProxyProtocol) && config.globals.text(Param::kProxyProtocolHosts).empty())
    warnings.push_back("\"proxy protocol = true\" but \"proxy protocol hosts\" is unset: all connections will be rejected as "
                       "untrusted proxy peers.  Set \"proxy protocol hosts\" to your trusted proxy's address.");
  for (const std::string& warning : warnings) fmt::print(stderr, "{}\n", warning);
  return Listening(command, std::move(config), std::move(warnings)).run();
}

}  // namespace ocsync::sync
