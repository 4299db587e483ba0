// Handlers that set a flag.
#include "libio/os/signals.h"

#include <atomic>
#include <cassert>
#include <tuple>

namespace ocsync::io {
namespace {

// Handlers take no argument of ours; these two are what they may touch.
std::atomic<Stop*> watched{nullptr};
std::atomic<bool> progress_wanted{false};

void on_stop(int number) {
  if (Stop* stop = watched.load()) stop->request(number);
}
void on_progress(int) { progress_wanted.store(true); }

}  // namespace

SignalWatch::SignalWatch(Stop& stop) {
  [[maybe_unused]] const Stop* before = watched.exchange(&stop);
  assert(before == nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) replace(number, on_stop);
  replace(SIGVTALRM, on_progress);
  replace(SIGPIPE, SIG_IGN);
  replace(SIGXFSZ, SIG_IGN);
}

SignalWatch::~SignalWatch() {
  for (const Saved& s : saved_) ::sigaction(s.number, &s.action, nullptr);
  watched.store(nullptr);
}

void SignalWatch::replace(int number, void (*handler)(int)) {
  Saved before{number, {}};
  if (::sigaction(number, nullptr, &before.action) != 0) return;
  if ((number == SIGHUP || number == SIGINT) && before.action.sa_handler == SIG_IGN) return;
  struct sigaction now{};
  now.sa_handler = handler;
  now.sa_flags = SA_RESTART;  // whoever waits is woken through the Stop
  sigemptyset(&now.sa_mask);
  if (::sigaction(number, &now, nullptr) == 0) saved_.push_back(before);
}

void SignalWatch::redirect(Stop& stop) { watched.store(&stop); }

bool SignalWatch::take_progress_request() {
  return progress_wanted.load(std::memory_order_relaxed) && progress_wanted.exchange(false);
}

void die_of(int number) {
  std::ignore = std::signal(number, SIG_DFL);
  std::ignore = std::raise(number);
}

}  // namespace ocsync::io
