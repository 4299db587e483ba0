// io_uring: many operations in flight from one thread. A kernel that has none, or a sandbox that refuses it, is an
// ordinary answer and no failure: whoever asked goes on with plain calls.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libio/base/bytes.h"
#include "libio/base/result.h"
#include "libio/os/dir.h"
#include "libio/os/file.h"

namespace ocsync::io {

// Owned and used by one thread.
class Ring {
 public:
  // kUnsupported where the kernel has no ring for us or lacks an operation that we need.
  static Result<Ring> create(unsigned entries = 128);
  Ring(Ring&&) noexcept;
  Ring& operator=(Ring&&) noexcept;
  ~Ring();

  // Like Dir::info() for each name; result i belongs to names[i].
  std::vector<Result<FileInfo>> info_batch(const Dir& dir, std::span<const Leaf> names);

  struct Read {
    const File* file;
    uint64_t offset;
    MutableBytes into;
    Result<size_t> outcome;  // as of File::read_full_at()
  };
  // Carries out all of them, in no order.
  void read_batch(std::span<Read> reads);

 private:
  struct Impl;
  explicit Ring(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ocsync::io
