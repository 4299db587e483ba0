// The shared wish to stop.
#include "libio/os/stop.h"

#include <csignal>
#include <span>
#include <tuple>

#include "libio/os/sys.h"

namespace ocsync::io {

Stop::Stop() {
  // Without a descriptor (table full) poll() ignores the -1 and waiters notice the flag at their next slice.
  if (Result<Fd> event = sys::make_event()) wake_ = *std::move(event);
}

void Stop::request(int signal_number) {
  int none = 0;
  if (!signal_.compare_exchange_strong(none, signal_number)) return;
  const uint64_t one = 1;
  const int saved = errno;  // may run inside a signal handler
  if (wake_.valid()) std::ignore = sys::write(wake_.get(), std::as_bytes(std::span(&one, 1)));
  errno = saved;
}

Status Stop::check() const {
  const int number = signal_number();
  if (number == 0) [[likely]]
    return {};
  return fail(Error(number == SIGUSR1 ? Fault::kUser1 : Fault::kInterrupted, "", EINTR));
}

}  // namespace ocsync::io
