// The table of guarded windows, and the handler that mends them.
#include "libio/os/bus_guard.h"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <csignal>

#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

constexpr uintptr_t kPage = 4096;
constexpr uintptr_t kFree = 0;
constexpr uintptr_t kClaimed = 1;  // by somebody who has no window at the moment

struct Slot {
  std::atomic<uintptr_t> begin{kFree};
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> lost{false};
};
// Where a handler, which is given nothing of ours, can find the windows.
std::array<Slot, 64> slots;
struct sigaction handled_before;

void on_bus_error(int, siginfo_t* info, void*) {
  const int saved = errno;
  const uintptr_t at = reinterpret_cast<uintptr_t>(info->si_addr);
  for (Slot& slot : slots) {
    const uintptr_t begin = slot.begin.load(std::memory_order_acquire);
    const uintptr_t end = slot.end.load(std::memory_order_relaxed);
    if (begin <= kClaimed || at < begin || at >= end) continue;
    const uintptr_t page = at & ~(kPage - 1);
    void* zeros = ::mmap(static_cast<std::byte*>(info->si_addr) - (at - page), end - page, PROT_READ,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) break;
    slot.lost.store(true);
    errno = saved;
    return;
  }
  // Not ours: the access is repeated when we return, and meets whoever was responsible before.
  ::sigaction(SIGBUS, &handled_before, nullptr);
  errno = saved;
}

bool install_handler() {
  struct sigaction action{};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  return ::sigaction(SIGBUS, &action, &handled_before) == 0;
}

}  // namespace

Status GuardedWindow::map(int fd, uint64_t offset, size_t bytes) {
  static const bool installed = install_handler();
  if (!installed) return fail(Fault::kUnsupported, "no handler for SIGBUS");
  unmap();
  if (slot_ < 0) {
    for (size_t i = 0; i < slots.size() && slot_ < 0; ++i) {
      uintptr_t free = kFree;
      if (slots[i].begin.compare_exchange_strong(free, kClaimed)) slot_ = static_cast<int>(i);
    }
    if (slot_ < 0) return fail(Fault::kUnsupported, "too many mapped windows");
    slots[static_cast<size_t>(slot_)].lost.store(false);
  }
  const void* at = TRY(sys::map(fd, offset, bytes));
  Slot& slot = slots[static_cast<size_t>(slot_)];
  const uintptr_t begin = reinterpret_cast<uintptr_t>(at);
  slot.end.store(begin + bytes, std::memory_order_relaxed);
  slot.begin.store(begin, std::memory_order_release);
  bytes_ = {static_cast<const std::byte*>(at), bytes};
  return {};
}

void GuardedWindow::unmap() {
  if (bytes_.empty()) return;
  Slot& slot = slots[static_cast<size_t>(slot_)];
  slot.begin.store(kClaimed);
  sys::unmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  bytes_ = {};
  lost_before_ |= slot.lost.exchange(false);
}

GuardedWindow::~GuardedWindow() {
  unmap();
  if (slot_ >= 0) slots[static_cast<size_t>(slot_)].begin.store(kFree);
}

bool GuardedWindow::lost() const {
  return lost_before_ || (slot_ >= 0 && slots[static_cast<size_t>(slot_)].lost.load());
}

}  // namespace ocsync::io
