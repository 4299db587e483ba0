// The basis as memory: sliding windows over a file, mapped where that wins and read into a buffer where it does not.
//
// A file that shrinks under us is an error value, never a signal. One owner thread per MapFile; views stay valid until
// the next call.
#pragma once

#include <cstdint>
#include <memory>

#include "libio/base/bytes.h"
#include "libio/base/result.h"
#include "libio/os/file.h"
#include "libio/os/io_strategy.h"

namespace ocsync::io {

class MapFile {
 public:
  enum class Access : uint8_t {
    kSequential,
    kRandom,
    kScan,    // in order, and the caller will ask intact() at the end: large files may be mapped
    kMapped,  // the same, mapped whatever the rules say; for tests and measurements
  };
  // Borrows `file`, which must stay open; nobody else may call its read_on() meanwhile. `size` is what the caller
  // believes the file to hold. Without `io` the rules hold, but no buffer is used again and nothing is counted.
  MapFile(const File& file, uint64_t size, Access access, IoStrategy* io = nullptr);
  ~MapFile();
  MapFile(MapFile&&) noexcept;
  // Exactly `bytes` at `offset` (offset + bytes <= size, bytes <= 16 MiB), contiguous. If the file turned out shorter,
  // fails with Fault::kSystem, sys = 0.
  Result<Bytes> view(uint64_t offset, size_t bytes);
  // Whether everything that views showed was in the file. With kScan and kMapped a file that shrinks while a view is
  // looked at reads as zeros from there on; the next view() and this one then fail as view() does. Others always
  // succeed.
  Status intact() const;
  uint64_t size() const;
  // Are views windows of a mapping (of this file's pages, that is), and not of a buffer?
  bool mapped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ocsync::io
