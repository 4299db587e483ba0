// Hints to the page cache.
#include "libio/os/read_ahead.h"

#include <fcntl.h>

#include <algorithm>

#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

// How far ahead of the reader the kernel is asked to be, and how far behind pages are kept. A disk of 500 MB/s needs
// 16 ms for the first; the second covers readers that look back by a block or two.
constexpr uint64_t kAhead = uint64_t{8} * 1024 * 1024;
constexpr uint64_t kBehind = uint64_t{1024} * 1024;
constexpr uint64_t kStep = uint64_t{4} * 1024 * 1024;

}  // namespace

void expect_file(const Dir& dir, Leaf name, uint64_t bytes) {
  if (bytes == 0) return;
  if (const Result<File> file = dir.open_read(name)) sys::advise(file->fd(), 0, bytes, POSIX_FADV_WILLNEED);
}

ReadAhead::ReadAhead(const File& file, uint64_t size, bool drop_behind)
    : file_(file), size_(size), drop_behind_(drop_behind) {
  reached(0);
}

void ReadAhead::reached(uint64_t offset) {
  const uint64_t wanted = std::min(size_, offset + kAhead);
  if (wanted > asked_ && (wanted - asked_ >= kStep || wanted == size_)) {
    sys::advise(file_.fd(), asked_, wanted - asked_, POSIX_FADV_WILLNEED);
    asked_ = wanted;
  }
  if (drop_behind_ && offset > dropped_ + kBehind + kStep) {
    file_.advise_drop(dropped_, offset - kBehind - dropped_);
    dropped_ = offset - kBehind;
  }
}

}  // namespace ocsync::io
