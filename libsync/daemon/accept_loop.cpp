#include "libsync/daemon/accept_loop.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <chrono>
#include <list>

namespace ocsync::sync {
namespace {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;
using Code = boost::system::error_code;

constexpr std::chrono::milliseconds kPauseAfterFailure{2000};
constexpr int kSignals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1};

struct Door {
  Door(asio::io_context& context, int fd) : socket(context, fd), pause(context) {}
  stream_descriptor socket;
  asio::steady_timer pause;
};

}  // namespace

// Signals come through a descriptor of their own, so that no handler runs between two instructions, and a forked child
// cannot write into a pipe that the parent reads.
struct AcceptLoop::Impl {
  explicit Impl(Handlers given) : handlers(std::move(given)) {}
  ~Impl() { ::sigprocmask(SIG_SETMASK, &mask_before, nullptr); }

  Status take_signals() {
    sigset_t ours;
    sigemptyset(&ours);
    for (const int number : kSignals) sigaddset(&ours, number);
    ::sigprocmask(SIG_BLOCK, &ours, &mask_before);
    const int fd = ::signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) return fail(Fault::kIpc, "signalfd failed", errno);
    signals.assign(fd);
    await_signal();
    return {};
  }

  void await_signal() {
    signals.async_wait(stream_descriptor::wait_read, [this](Code error) {
      if (error) return;
      signalfd_siginfo info{};
      while (::read(signals.native_handle(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
        handlers.signal(static_cast<int>(info.ssi_signo));
      await_signal();
    });
  }

  void await_caller(Door& door) {
    door.socket.async_wait(stream_descriptor::wait_read, [this, &door](Code error) {
      if (error) return;
      const bool taken = handlers.caller(door.socket.native_handle());
      if (!door.socket.is_open()) return;
      if (taken) return await_caller(door);
      door.pause.expires_after(kPauseAfterFailure);
      door.pause.async_wait([this, &door](Code cut_short) {
        if (!cut_short) await_caller(door);
      });
    });
  }

  Handlers handlers;
  sigset_t mask_before{};
  asio::io_context context{1};
  stream_descriptor signals{context};
  std::list<Door> doors;
  asio::steady_timer grace{context};
};

AcceptLoop::AcceptLoop(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AcceptLoop::~AcceptLoop() = default;

Result<std::unique_ptr<AcceptLoop>> AcceptLoop::open(std::vector<io::Listener> listeners, Handlers handlers) {
  try {
    auto impl = std::make_unique<Impl>(std::move(handlers));
    TRY(impl->take_signals());
    for (io::Listener& listener : listeners)
      impl->await_caller(impl->doors.emplace_back(impl->context, listener.fd.release()));
    return std::unique_ptr<AcceptLoop>(new AcceptLoop(std::move(impl)));
  } catch (const boost::system::system_error& error) {
    // Out of descriptors.
    return fail(Fault::kIpc, "the accept loop cannot be made", error.code().value());
  }
}

void AcceptLoop::run() { impl_->context.run(); }

void AcceptLoop::stop() { impl_->context.stop(); }

void AcceptLoop::close_doors(int grace_ms) {
  // A handler of a door may still be under way: doors are closed, and stay where they are.
  for (Door& door : impl_->doors) {
    door.pause.cancel();
    Code ignored;
    door.socket.close(ignored);
  }
  impl_->grace.expires_after(std::chrono::milliseconds(grace_ms));
  impl_->grace.async_wait([this](Code cut_short) {
    if (!cut_short) stop();
  });
}

void AcceptLoop::leave_in_child() {
  // By number: the event queue is shared with the parent, and must not hear of it.
  for (Door& door : impl_->doors)
    if (door.socket.is_open()) ::close(door.socket.native_handle());
  ::close(impl_->signals.native_handle());
  ::sigprocmask(SIG_SETMASK, &impl_->mask_before, nullptr);
}

}  // namespace ocsync::sync
