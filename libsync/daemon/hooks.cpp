#include "libsync/daemon/hooks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

namespace ocsync::sync {
namespace {

constexpr size_t kMostOutput = 5119;
constexpr size_t kMostAnswer = 1023;

Status write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno();
    text.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

// Up to the next zero byte; false at the end of the pipe.
bool read_word(int fd, std::string& word) {
  word.clear();
  char c = 0;
  for (;;) {
    const ssize_t n = ::read(fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    if (c == '\0') return true;
    word += c;
  }
}

// In the child, which has no threads and is about to become a shell.
[[noreturn]] void become_shell(const std::string& command) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE, SIGCHLD, SIGALRM, SIGXFSZ})
    ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const char* own = std::getenv("RSYNC_SHELL");
  const char* shell = own && *own ? own : "/bin/sh";
  ::execlp(shell, shell, "-c", command.c_str(), nullptr);
  ::_exit(127);
}

}  // namespace

int run_in_shell(const std::string& command) {
  const pid_t pid = ::fork();
  if (pid < 0) return -1;
  if (pid == 0) become_shell(command);
  int status = -1;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return status;
}

Result<WaitingHook> WaitingHook::start(const std::string& command, bool answers) {
  int in[2];
  int out[2] = {-1, -1};
  if (::pipe2(in, O_CLOEXEC) != 0) return fail_errno();
  WaitingHook hook;
  const io::Fd their_in(in[0]);
  hook.to_ = io::Fd(in[1]);
  io::Fd their_out;
  if (answers) {
    if (::pipe2(out, O_CLOEXEC) != 0) return fail_errno();
    hook.from_ = io::Fd(out[0]);
    their_out = io::Fd(out[1]);
  }
  hook.pid_ = ::fork();
  if (hook.pid_ < 0) return fail_errno();
  if (hook.pid_ == 0) {
    hook.to_.close();
    hook.from_.close();
    std::string word;
    if (!read_word(their_in.get(), word)) ::_exit(1);
    ::setenv("RSYNC_REQUEST", word.c_str(), 1);
    for (int i = 0;; ++i) {
      if (!read_word(their_in.get(), word)) ::_exit(1);
      if (word.empty()) break;
      ::setenv(fmt::format("RSYNC_ARG{}", i).c_str(), word.c_str(), 1);
    }
    ::dup2(their_in.get(), 0);
    if (answers) ::dup2(their_out.get(), 1);
    become_shell(command);
  }
  return hook;
}

Status WaitingHook::tell(const std::string& request, const std::vector<std::string>& arguments, std::string_view input,
                         bool keep_open) {
  std::string text = request.empty() ? "(NONE)" : request;
  text += '\0';
  for (const std::string& argument : arguments) {
    // An empty word would end the list.
    text += argument.empty() ? "." : argument;
    text += '\0';
  }
  text += '\0';
  text += input;
  const Status told = write_all(to_.get(), text);
  if (!keep_open) to_.close();
  return told;
}

std::string WaitingHook::finish(const std::string& name) {
  std::string said;
  if (from_.valid()) {
    char buffer[1024];
    for (;;) {
      const ssize_t n = ::read(from_.get(), buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      for (ssize_t i = 0; i < n && said.size() < kMostOutput; ++i) {
        if (buffer[i] == '\n' && said.ends_with('\r')) said.pop_back();
        said += buffer[i];
      }
    }
    from_.close();
  }
  int status = -1;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fmt::format("{} returned failure ({}){}\n{}", name, status, said.empty() ? "" : ":", said);
}

std::optional<std::string> NameConverter::ask(std::string_view what, const std::string& value) {
  for (const char c : value)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      complain_("invalid name-converter token: " + value);
      return std::nullopt;
    }
  const std::lock_guard lock(mutex_);
  if (!to_.valid() || !write_all(to_.get(), fmt::format("{} {}\n", what, value))) return std::nullopt;
  std::string line;
  char c = 0;
  for (;;) {
    const ssize_t n = ::read(from_.get(), &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      // It is gone; whoever asks next need not wait for it.
      to_.close();
      return std::nullopt;
    }
    if (c == '\n') break;
    if (line.size() == kMostAnswer) {
      to_.close();
      return std::nullopt;
    }
    line += c;
  }
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty()) return std::nullopt;
  return line;
}

std::optional<uint32_t> NameConverter::ask_id(std::string_view what, const std::string& name) {
  const auto answer = ask(what, name);
  if (!answer) return std::nullopt;
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(answer->data(), answer->data() + answer->size(), id);
  if (error != std::errc() || end != answer->data() + answer->size()) return std::nullopt;
  return id;
}

std::optional<std::string> NameConverter::user_name(uint32_t uid) { return ask("uid", std::to_string(uid)); }
std::optional<std::string> NameConverter::group_name(uint32_t gid) { return ask("gid", std::to_string(gid)); }
std::optional<uint32_t> NameConverter::user_id(const std::string& name) { return ask_id("usr", name); }
std::optional<uint32_t> NameConverter::group_id(const std::string& name) { return ask_id("grp", name); }

}  // namespace ocsync::sync
