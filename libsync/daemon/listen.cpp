#include "libsync/daemon/listen.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <set>

#include "libio/os/identity.h"
#include "libio/os/signals.h"
#include "libio/os/socket.h"
#include "libsync/daemon/accept_loop.h"
#include "libsync/daemon/config.h"
#include "libsync/daemon/connection.h"
#include "libsync/daemon/log.h"
#include "libsync/daemon/pid_file.h"
#include "libsync/daemon/service_manager.h"
#include "libsync/report/exit_code.h"

namespace ocsync::sync {
namespace {

constexpr int kDefaultPort = 873;
constexpr int kGraceMs = 600000;        // for transfers that run when the daemon is told to end
constexpr size_t kMaxChildren = 10000;  // whatever the configuration says

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
    if (!passed.empty()) return accept_until_told(std::move(passed));
    const std::string address = command_.address.empty() ? config_.globals.text(Param::kAddress) : command_.address;
    const io::IpFamily family = command_.address_family == 4   ? io::IpFamily::kIpv4
                                : command_.address_family == 6 ? io::IpFamily::kIpv6
                                                               : io::IpFamily::kAny;
    const std::string options =
        command_.sockopts.empty() ? config_.globals.text(Param::kSocketOptions) : command_.sockopts;
    auto listeners = io::listen_on(address, port, family, std::max(config_.globals.number(Param::kListenBacklog), 1));
    if (!listeners) {
      std::string text = listeners.error().text;
      if (listeners.error().sys != 0) text += fmt::format(": {}", ::strerror(listeners.error().sys));
      fmt::print(stderr, "{}\n", text);
      log().line(text, true);
      return kExitSocket;
    }
    for (const io::Listener& listener : *listeners)
      io::apply_each_socket_option(listener.fd.get(), options,
                                   [&](const Error& error) { log().line(error.text, true); });
    return accept_until_told(std::move(*listeners));
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

  int accept_until_told(std::vector<io::Listener> listeners) {
    auto opened = AcceptLoop::open(std::move(listeners), {[this](int listener) { return take_caller(listener); },
                                                          [this](int number) { hear_signal(number); }});
    if (!opened) {
      log().failure(opened.error().text, opened.error().sys);
      return kExitIpc;
    }
    loop_ = std::move(*opened);
    // Asked once for what each caller's process asks: a library of the name service that is loaded now is theirs, too.
    (void)io::group_id("nobody");
    notify_manager("READY=1");
    loop_->run();
    for (const pid_t pid : children_) ::kill(pid, SIGTERM);
    log().line("rsyncd ends");
    return 0;
  }

  void hear_signal(int number) {
    switch (number) {
      case SIGCHLD: reap(); break;
      case SIGHUP: reload(); break;
      case SIGUSR1: break;
      default:
        // Transfers that run may come to their end, unless we are told again; nobody new is let in.
        if (ending_) return loop_->stop();
        ending_ = true;
        notify_manager("STOPPING=1");
        loop_->close_doors(kGraceMs);
    }
    if (ending_ && children_.empty()) loop_->stop();
  }

  void reap() {
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) children_.erase(pid);
  }

  void reload() {
    Config fresh = load(command_);
    if (refused(fresh)) return;
    config_ = std::move(fresh);
    log().line("configuration read again");
  }

  // Whether it is broken: what was read before stays in force then, and the log says why.
  bool refused(const Config& fresh) const {
    if (!fresh.broken()) return false;
    const DaemonLog out = log();
    for (const ConfigComplaint& c : fresh.complaints)
      if (c.fatal) out.line(complaint_text(c), true);
    out.line("the configuration is broken: the old settings stay in force", true);
    return true;
  }

  bool take_caller(int listener) {
    auto accepted = io::accept_from(listener);
    if (!accepted) {
      // Out of descriptors or memory: the caller waits in the queue meanwhile.
      const int error = accepted.error().sys;
      return error != EMFILE && error != ENFILE && error != ENOMEM && error != ENOBUFS;
    }
    if (children_.size() >= kMaxChildren) return true;
    const pid_t pid = ::fork();
    if (pid < 0) {
      log().failure("could not create child server process", errno);
      return false;
    }
    if (pid == 0) serve(*accepted);
    children_.insert(pid);
    return true;
  }

  [[noreturn]] void serve(const io::Accepted& accepted) {
    pid_file_.close_in_child();
    loop_->leave_in_child();
    // Modules are as the file says now; one that is broken at the moment changes nothing.
    Config fresh = load(command_);
    if (!refused(fresh)) {
      fresh.globals = config_.globals;
      config_ = std::move(fresh);
    }
    const Caller caller{accepted.fd.get(), accepted.fd.get(), true, accepted.address};
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
  std::unique_ptr<AcceptLoop> loop_;
  std::set<pid_t> children_;
  bool ending_ = false;
};

int check_config(const DaemonCommand& command) {
  const Config config = load(command);
  for (const ConfigComplaint& c : config.complaints)
    fmt::print(stderr, "{} {}\n", c.fatal ? "error:" : "warning:", complaint_text(c));
  for (const Module& module : config.modules)
    if (module.raw(Param::kPath).empty()) fmt::print(stderr, "warning: module \"{}\" has no path\n", module.name);
  if (config.broken()) return kExitUsage;
  fmt::print("{}: {} module{}, {} problem{}\n", config_path(command), config.modules.size(),
             config.modules.size() == 1 ? "" : "s", config.complaints.size(), config.complaints.size() == 1 ? "" : "s");
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
  if (io::is_socket(0)) {
    // A super-server: nothing may be said on the connection but by the protocol.
    for (int fd = 1; fd < 3; ++fd) {
      const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
      if (null >= 0 && null != fd) {
        ::dup2(null, fd);
        ::close(null);
      }
    }
    ::fcntl(0, F_SETFL, ::fcntl(0, F_GETFL) | O_NONBLOCK);
    io::send_at_once(0);
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
    warnings.push_back(
        "\"proxy protocol = true\" but \"proxy protocol hosts\" is unset: all connections will be rejected as "
        "untrusted proxy peers.  Set \"proxy protocol hosts\" to your trusted proxy's address.");
  for (const std::string& warning : warnings) fmt::print(stderr, "{}\n", warning);
  return Listening(command, std::move(config), std::move(warnings)).run();
}

}  // namespace ocsync::sync
