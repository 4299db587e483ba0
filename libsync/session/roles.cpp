#include "libsync/session/roles.h"

#include <mutex>
#include <optional>
#include <thread>

namespace ocsync::sync {

namespace {

// What the far side says of its end explains the broken stream that another role met first.
bool tells_more(const Error& later, const Error& first) {
  if (first.fault == Fault::kClosed) return later.fault != Fault::kClosed;
  const bool stream = first.fault == Fault::kSocket || first.fault == Fault::kStream || first.fault == Fault::kTimeout;
  return stream && later.fault == Fault::kFarExit;
}

}  // namespace

Status run_together(std::vector<std::function<Status()>> roles, const std::function<void()>& bring_down) {
  std::mutex mutex;
  std::optional<Error> first;
  const auto run = [&](const std::function<Status()>& role) {
    Status status;
    try {
      status = role();
    } catch (const std::bad_alloc&) {
      status = fail(Fault::kMemory, "out of memory");
    }
    if (status) return;
    bool down = false;
    {
      const std::lock_guard lock(mutex);
      down = !first;
      if (!first || tells_more(status.error(), *first)) first = status.error();
    }
    if (down) bring_down();
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i + 1 < roles.size(); ++i) threads.emplace_back([&, i] { run(roles[i]); });
  run(roles.back());
  for (std::thread& thread : threads) thread.join();
  if (first) return fail(*first);
  return {};
}

}  // namespace ocsync::sync
