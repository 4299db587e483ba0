// io_uring: many operations in flight from one thread. A kernel that has none, or a sandbox that refuses it, is an
// ordinary answer and no failure: whoever asked goes on with plain calls. So does each batch on its own, if the ring
// stops taking work in the middle of it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libio/base/bytes.h"
#include "libio/base/result.h"
#include "libio/os/dir.h"
#include "libio/os/file.h"
#include "libio/os/io_metrics.h"

namespace ocsync::io {

struct RingManner {
  unsigned entries = 128;        // operations in flight at once
  unsigned poll_us = 0;          // how long to look for completions before sleeping until one comes
  bool sqpoll = false;           // a kernel thread takes submissions, so that they cost no call while it is awake
  IoMetrics* metrics = nullptr;  // counts there, if given; outlives the ring
};

// Owned and used by one thread.
class Ring {
 public:
  // kUnsupported where the kernel has no ring for us or lacks an operation that we need.
  static Result<Ring> create(const RingManner& manner = {});
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
  // Carries out all of them, in no order. Reads that follow each other in one file and in the span are asked for as
  // one.
  void read_batch(std::span<Read> reads);

  struct Stage {
    Leaf name;
    MutableBytes into;
    Result<FileInfo> info;   // as of Dir::info()
    Result<size_t> outcome;  // as of Dir::open_read() and then File::read_full_at() from its beginning
  };
  // Looks at, opens, reads and closes all of them, with no descriptor of the process: many in flight at once.
  void stage_batch(const Dir& dir, std::span<Stage> files);

  // Memory that reads often go to: pinned once instead of for each of them. Fails if the kernel will not pin so much;
  // reads then work as before. Must stay until the ring is gone.
  Status register_buffers(std::span<const MutableBytes> buffers);

  // Once, as sys::write() and sys::read() on a socket; waits.
  Result<size_t> send(int fd, Bytes bytes);
  Result<size_t> receive(int fd, MutableBytes into);

  // False once the kernel refused to take work: everything goes by plain calls since.
  bool works() const;

 private:
  struct Impl;
  explicit Ring(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ocsync::io
