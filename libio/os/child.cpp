// Children by posix_spawn, which reports a failed exec by its return value and copies no page tables.
#include "libio/os/child.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <tuple>

#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

// What the kernel lets anybody ask for; fewer switches between us and the child.
constexpr int kPipeBytes = 1 << 20;
constexpr int kPatienceMs = 1000;

struct SpawnActions {
  posix_spawn_file_actions_t value;
  SpawnActions() { ::posix_spawn_file_actions_init(&value); }
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&value); }
};
struct SpawnAttributes {
  posix_spawnattr_t value;
  SpawnAttributes() {
    ::posix_spawnattr_init(&value);
    // What we ignore or block, the child should not.
    sigset_t defaults;
    sigset_t none;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGXFSZ);
    sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&value, &defaults);
    ::posix_spawnattr_setsigmask(&value, &none);
    ::posix_spawnattr_setflags(&value, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&value); }
};

int exit_value(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// Our environment with `extra` ("NAME=value") replacing what it names.
std::vector<std::string> merged_environment(const std::vector<std::string>& extra) {
  std::vector<std::string> all;
  const auto replaced = [&](std::string_view entry) {
    const std::string_view name = entry.substr(0, entry.find('=') + 1);
    for (const std::string& e : extra)
      if (e.starts_with(name)) return true;
    return false;
  };
  for (char** e = environ; e != nullptr && *e != nullptr; ++e)
    if (!replaced(*e)) all.emplace_back(*e);
  all.insert(all.end(), extra.begin(), extra.end());
  return all;
}

}  // namespace

Result<Child> Child::start(const std::vector<std::string>& argv, const std::vector<std::string>& extra_environment) {
  if (argv.empty()) return fail(Fault::kIpc, "no program to start", EINVAL);
  const auto ipc = [](const Error& e) { return Error(Fault::kIpc, "pipe", e.sys); };
  Result<sys::Pipe> to = sys::make_pipe();
  if (!to) return fail(ipc(to.error()));
  Result<sys::Pipe> from = sys::make_pipe();
  if (!from) return fail(ipc(from.error()));
  sys::enlarge_pipe(to->write_end.get(), kPipeBytes);
  sys::enlarge_pipe(from->read_end.get(), kPipeBytes);
  // Each end has flags of its own: ours must not block, the child's must.
  if (Status s = sys::set_nonblocking(to->write_end.get(), true); !s) return fail(ipc(s.error()));
  if (Status s = sys::set_nonblocking(from->read_end.get(), true); !s) return fail(ipc(s.error()));

  // If we were started without standard descriptors, an end may have got the number 0 or 1 itself; dup2() onto itself
  // would keep close-on-exec (the C library clears it) and onto the other would lose it. Higher numbers avoid both.
  for (Fd* end : {&to->read_end, &from->write_end}) {
    if (end->get() > 2) continue;
    Result<Fd> higher = sys::duplicate(end->get());
    if (!higher) return fail(ipc(higher.error()));
    *end = *std::move(higher);
  }

  SpawnActions actions;
  ::posix_spawn_file_actions_adddup2(&actions.value, to->read_end.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions.value, from->write_end.get(), 1);
  const SpawnAttributes attributes;
  std::vector<std::string> arguments = argv;
  std::vector<std::string> environment = merged_environment(extra_environment);
  pid_t pid = -1;
  int error = ::posix_spawnp(&pid, arguments[0].c_str(), &actions.value, &attributes.value, pointers(arguments).data(),
                             pointers(environment).data());
  if (error == ENOEXEC) {
    // A script without its first line naming an interpreter: the shell runs it, as execvp() would have it.
    arguments.insert(arguments.begin(), "/bin/sh");
    error = ::posix_spawn(&pid, "/bin/sh", &actions.value, &attributes.value, pointers(arguments).data(),
                          pointers(environment).data());
  }
  if (error != 0) return fail(Fault::kIpc, "Failed to exec " + argv[0], error);
  Child child;
  child.to_child_ = std::move(to->write_end);
  child.from_child_ = std::move(from->read_end);
  child.pid_ = pid;
  return child;
}

Child::Child(Child&& other) noexcept
    : to_child_(std::move(other.to_child_)),
      from_child_(std::move(other.from_child_)),
      pid_(std::exchange(other.pid_, -1)),
      status_(other.status_) {}

Child::~Child() {
  close_in();
  close_out();
  if (pid_ < 0 || status_) return;
  // Somebody who ignores the end of his input is asked to leave, and then made to.
  for (const int last_resort : {SIGTERM, SIGKILL}) {
    const int64_t end = sys::clock_ms() + kPatienceMs;
    for (int pause_ms = 1; sys::clock_ms() < end; pause_ms = std::min(pause_ms * 2, 50)) {
      if (poll_exit()) return;
      std::ignore = sys::poll(nullptr, 0, pause_ms);
    }
    std::ignore = sys::send_signal(pid_, last_resort);
  }
  std::ignore = wait();
}

Result<int> Child::wait() {
  if (status_) return *status_;
  const Result<std::optional<int>> raw = sys::wait_child(pid_, true);
  if (!raw) return fail(Fault::kWait, "waitpid", raw.error().sys);
  status_ = exit_value(**raw);
  return *status_;
}

std::optional<int> Child::poll_exit() {
  if (status_) return status_;
  const Result<std::optional<int>> raw = sys::wait_child(pid_, false);
  if (!raw)
    status_ = 255;  // somebody else reaped it; nothing is left to wait for
  else if (*raw)
    status_ = exit_value(**raw);
  return status_;
}

}  // namespace ocsync::io
