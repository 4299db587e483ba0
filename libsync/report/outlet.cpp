// The queue behind Outlet and its one writer at a time.
#include "libsync/report/outlet.h"

#include "libio/base/bytes.h"
#include "libio/os/sys.h"

namespace ocsync::sync {
namespace {

constexpr size_t kMostWaiting = 1 << 20;

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const Result<size_t> written = io::sys::write(fd, as_bytes(text));
    if (!written) {
      if (written.error().sys != EAGAIN) return;
      // Somebody who shares our terminal or pipe made it non-blocking.
      pollfd ready{fd, POLLOUT, 0};
      (void)io::sys::poll(&ready, 1, 1000);
      continue;
    }
    text.remove_prefix(*written);
  }
}

}  // namespace

void Outlet::put(int fd, std::string_view text) {
  if (fd < 0 || text.empty()) return;
  if (waiting_.empty() || waiting_.back().fd != fd) waiting_.push_back({fd, {}});
  waiting_.back().text += text;
  waiting_bytes_ += text.size();
}

void Outlet::write_waiting(std::unique_lock<std::mutex>& lock) {
  if (writing_) {
    written_.wait(lock, [this] { return !writing_ || waiting_bytes_ < kMostWaiting; });
    return;
  }
  writing_ = true;
  while (!waiting_.empty()) {
    std::vector<Piece> pieces;
    pieces.swap(waiting_);
    waiting_bytes_ = 0;
    lock.unlock();
    for (const Piece& piece : pieces) write_all(piece.fd, piece.text);
    lock.lock();
    written_.notify_all();
  }
  writing_ = false;
  written_.notify_all();
}

void Outlet::flush() {
  std::unique_lock lock(mutex_);
  while (writing_ || !waiting_.empty()) {
    if (writing_)
      written_.wait(lock);
    else
      write_waiting(lock);
  }
}

}  // namespace ocsync::sync
