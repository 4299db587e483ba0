// Content from file to file on one machine: a clone where the file system shares blocks, then in-kernel copying, then
// pooled buffers; holes stay holes when asked.
#pragma once

#include <cstdint>
#include <optional>

#include "libio/os/file.h"
#include "libio/os/io_strategy.h"
#include "libio/os/stop.h"

namespace ocsync::io {

struct CopyOptions {
  bool sparse = false;       // runs of zeros become holes
  bool preallocate = false;  // reserve the size first
  bool allow_clone = true;
  bool prefer_kernel = false;    // copy_file_range() even where a buffer was measured to be faster
  std::optional<Bytes> content;  // of `from`, read already; used if it is as long as expected
  IoStrategy* io = nullptr;      // buffers, wishes and counters of the run; null: the rules alone
};
struct CopyResult {
  uint64_t bytes = 0;  // what was copied: the source may have grown or shrunk since it was listed
  enum class Path : uint8_t { kCloned, kKernel, kBuffered } path = Path::kBuffered;
};

// Copies everything from `from` (from offset 0 to its end, but not beyond `expected` plus what it grew) into the empty
// file `to`. Looks at `stop` between chunks of at most 8 MiB. A refusal of clone or in-kernel copy by a pair of file
// systems is remembered for the process. Errors say which side failed by Fault: kSystem = reading, kFileIo = writing.
Result<CopyResult> copy_content(const File& from, const File& to, uint64_t expected, const CopyOptions& options,
                                const Stop& stop);

// Ranges of one file that become ranges of another by sharing blocks. What pairs of file systems refuse is remembered
// for the process. Borrows both files; one owner thread.
class RangeSharing {
 public:
  // Offsets and lengths are multiples of it. File systems with larger blocks refuse what does not fit them.
  static constexpr uint64_t kBlock = 4096;
  RangeSharing(const File& from, const File& to);
  // False once either was refused: no more is to be had for these two files.
  bool possible() const { return possible_; }
  // False: nothing was changed. `to` grows if necessary.
  bool share(uint64_t from_offset, uint64_t to_offset, uint64_t bytes);

 private:
  const File& from_;
  const File& to_;
  uint64_t from_device_ = 0, to_device_ = 0;
  bool possible_ = false;
};

}  // namespace ocsync::io
