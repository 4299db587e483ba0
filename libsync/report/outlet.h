// Text to several descriptors, in the order it was given, from many threads; nobody holds a lock while writing.
//
// Whoever adds text while nobody is writing becomes the writer and also writes what others add meanwhile; when too much
// waits, those others wait, too. A failed write loses its text: rsync's users expect a transfer to survive a full disk
// behind its standard output.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace ocsync::sync {

class Outlet {
 public:
  // Calls `make`, which puts what is to be written; whatever it reads and changes beside that is under the same lock.
  // Text that is not `urgent` may be held back.
  template <class Make>
  void add(bool urgent, Make&& make) {
    std::unique_lock lock(mutex_);
    make();
    if (urgent || waiting_bytes_ >= held_back_) write_waiting(lock);
  }
  // Only within add(). A negative descriptor swallows the text.
  void put(int fd, std::string_view text);

  // Writes what is not urgent only when this many bytes wait.
  void hold_back(size_t bytes) { held_back_ = bytes; }
  // Returns when all that was added before is written.
  void flush();

 private:
  struct Piece {
    int fd;
    std::string text;
  };
  void write_waiting(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable written_;
  std::vector<Piece> waiting_;
  size_t waiting_bytes_ = 0;
  size_t held_back_ = 0;
  bool writing_ = false;
};

}  // namespace ocsync::sync
